// SPDX-License-Identifier: MIT
//
// One open of a device node: the handles and ids that a client owns. Destroying it is what close
// does, in the order of panthor-uapi.md G. Objects live on while mappings, jobs or other files hold
// them.
//
// Any thread, but not from a work item: the lock is held across allocations.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "driver/device/device.h"
#include "driver/kernel/id_table.h"
#include "driver/kernel/quota.h"
#include "driver/sync/syncobj.h"

namespace pantry::driver {

struct Master;

enum class NodeType { kPrimary, kRender };

// Who opened the node, as the transport could prove it.
struct Credentials {
  std::int32_t pid = 0;
  std::uint32_t uid = 0;
  bool sys_nice = false;   // CAP_SYS_NICE
  bool sys_admin = false;  // CAP_SYS_ADMIN
};

class File final : private BufferLookup {
 public:
  static constexpr std::uint32_t kMaxVms = 32;
  static constexpr std::uint32_t kMaxGroups = 128;

  // What it holds is charged to `account`, which other files of the client may share; unless given,
  // it has one of its own.
  File(Device& device, NodeType node, const Credentials& credentials,
       Ref<Account> account = make_ref<Account>(0, Limits())) PANTRY_MAY_ALLOCATE;
  ~File() PANTRY_MAY_WAIT;

  Device& device() const { return device_; }
  NodeType node() const { return node_; }
  const Credentials& credentials() const { return credentials_; }
  // Of all files that were ever opened, from 1.
  std::uint64_t id() const { return id_; }
  Account& account() const { return *account_; }
  // What its jobs have taken of the GPU while they were profiled; for GroupArgs::usage.
  const Ref<EngineUsage>& usage() const { return usage_; }
  // What the client calls itself, for debugging (SET_CLIENT_NAME).
  void set_name(std::optional<std::string> name) PANTRY_MAY_ALLOCATE;
  std::optional<std::string> name() const PANTRY_MAY_ALLOCATE;

  // DRM master: the first opener of the primary node, until it drops it (panthor-uapi.md B.1, B.2).
  bool is_master() const;
  // May use what DRM keeps from strangers on the primary node: was master once, has CAP_SYS_ADMIN,
  // or a master said so.
  bool is_authenticated() const;
  // EACCES, EBUSY, EINVAL: panthor-uapi.md B.2. `caller`: who asks. What the file was once counts
  // for the process that opened it only, not for those that it was handed to.
  Result<> set_master(const Credentials& caller) PANTRY_MAY_ALLOCATE;
  Result<> drop_master(const Credentials& caller) PANTRY_MAY_ALLOCATE;
  // The files of one reign learn the device's name once their master has asked for an interface
  // that has it (SET_VERSION, GET_UNIQUE). Pre: of the primary node.
  void tell_name();
  bool knows_name() const;
  // GET_MAGIC: the number by which the master can tell this file. Pre: of the primary node. ENOMEM.
  Result<std::uint32_t> magic() PANTRY_MAY_ALLOCATE;
  // AUTH_MAGIC: makes the file with that number authenticated. EINVAL: there is none, or it is so
  // already. Pre: of the primary node.
  Result<> authenticate(std::uint32_t magic) PANTRY_MAY_ALLOCATE;

  // For reports: all files of `device`, the oldest first. Throws std::bad_alloc.
  struct View {
    std::uint64_t id;
    NodeType node;
    Credentials credentials;
    std::string program;  // of the account; may be empty
    bool is_master;
    bool is_authenticated;
    std::uint32_t magic;  // 0: none yet
  };
  static std::vector<View> all_of(Device& device) PANTRY_MAY_ALLOCATE;

  // Whatever is added below is charged; past the account's limit: the errno of ResourceInfo.
  //
  // GEM handles, from 1. One more for each call; but what came in or went out as a dma-buf once
  // keeps the handle that it had then, and an import yields that one.
  Result<std::uint32_t> add_buffer(Ref<Buffer> buffer) PANTRY_MAY_ALLOCATE;
  Result<std::uint32_t> import_buffer(Ref<Buffer> buffer) PANTRY_MAY_ALLOCATE;
  // To be told when the buffer of `handle` goes out as a dma-buf.
  void note_export(std::uint32_t handle);
  Ref<Buffer> buffer(std::uint32_t handle);
  // Whether it has a handle here, and so may be mapped.
  bool owns(const Buffer& buffer);
  // For reports: a buffer per handle. kShared: it has other handles too, or went out or came in as
  // a dma-buf. Throws std::bad_alloc.
  struct HeldBuffer {
    Ref<Buffer> buffer;
    enum class Sharing : std::uint8_t { kPrivate, kShared } sharing = Sharing::kPrivate;
  };
  std::vector<HeldBuffer> held_buffers() PANTRY_MAY_ALLOCATE;
  // EINVAL.
  Result<> close_buffer(std::uint32_t handle) PANTRY_MAY_ALLOCATE;

  // Syncobj handles, from 1; never de-duplicated.
  Result<std::uint32_t> add_syncobj(Ref<Syncobj> syncobj) PANTRY_MAY_ALLOCATE;
  Ref<Syncobj> syncobj(std::uint32_t handle);
  // EINVAL.
  Result<> destroy_syncobj(std::uint32_t handle) PANTRY_MAY_ALLOCATE;

  // VM ids 1..32, group handles 1..128: EBUSY when all are in use, EINVAL for unknown ones.
  Result<std::uint32_t> add_vm(Ref<Vm> vm) PANTRY_MAY_ALLOCATE;
  Ref<Vm> vm(std::uint32_t id);
  Result<> destroy_vm(std::uint32_t id) PANTRY_MAY_WAIT;
  Result<std::uint32_t> add_group(Ref<Group> group) PANTRY_MAY_ALLOCATE;
  Ref<Group> group(std::uint32_t handle);
  Result<> destroy_group(std::uint32_t handle) PANTRY_MAY_ALLOCATE;

  BufferLookup& buffer_lookup() { return *this; }
  // Its VMs, in order of id. Throws std::bad_alloc.
  std::vector<Ref<Vm>> vms() PANTRY_MAY_ALLOCATE;
  // visit(id, vm) in order of id, of those that are there at the call; without the lock.
  template <class Visit>
  void for_each_vm(Visit visit) PANTRY_MAY_ALLOCATE;

 private:
  Ref<Buffer> find_buffer(std::uint32_t handle) override { return buffer(handle); }
  Result<Ref<Buffer>> sparse_buffer() override PANTRY_MAY_ALLOCATE;
  Result<std::uint32_t> put_buffer(Ref<Buffer> buffer) PANTRY_REQUIRES(mutex_) PANTRY_MAY_ALLOCATE;
  void destroy(Vm& vm) PANTRY_MAY_WAIT;
  void release_all() PANTRY_MAY_WAIT;
  void leave_nodes() PANTRY_MAY_ALLOCATE;
  bool reigns(const Ref<Master>& current) const;
  void ascend(Ref<Master>& current) PANTRY_MAY_ALLOCATE;
  bool may_reign(const Credentials& caller) const;

  Device& device_;
  const std::uint64_t id_;
  const NodeType node_;
  const Credentials credentials_;
  const Ref<Account> account_;
  const Ref<EngineUsage> usage_;

  // Guarded by Device::Nodes::mutex.
  Ref<Master> master_;  // null on a render node: the reign in which it opened, or its own
  enum class Reign : std::uint8_t { kNever, kOwn } reign_ = Reign::kNever;  // master_ is its own
  bool authenticated_ = false;
  std::uint32_t magic_ = 0;  // 0: not asked for yet
  Ref<Master> magic_of_;     // who knows it by magic_

  // The handles of one buffer.
  struct Handles {
    std::uint32_t count = 0;
    std::uint32_t shared = 0;  // the one that stands for its dma-buf; 0: none
  };
  mutable Mutex mutex_;
  std::optional<std::string> name_ PANTRY_GUARDED_BY(mutex_);
  IdTable<Held<Ref<Buffer>>> buffers_ PANTRY_GUARDED_BY(mutex_){1, UINT32_MAX};
  std::map<const Buffer*, Handles> handles_ PANTRY_GUARDED_BY(mutex_);  // of buffers_
  // What its sparse ranges show (panthor-uapi.md C.3), from the first of them on. It has no handle.
  Ref<Buffer> sparse_ PANTRY_GUARDED_BY(mutex_);
  IdTable<Held<Ref<Syncobj>>> syncobjs_ PANTRY_GUARDED_BY(mutex_){1, UINT32_MAX};
  IdTable<Held<Ref<Vm>>> vms_ PANTRY_GUARDED_BY(mutex_){1, kMaxVms};
  IdTable<Held<Ref<Group>>> groups_ PANTRY_GUARDED_BY(mutex_){1, kMaxGroups};
};

template <class Visit>
void File::for_each_vm(Visit visit) {
  std::vector<std::pair<std::uint32_t, Ref<Vm>>> vms;
  {
    MutexLock lock(mutex_);
    vms.reserve(vms_.size());
    vms_.for_each([&](std::uint32_t id, Held<Ref<Vm>>& vm) { vms.emplace_back(id, vm.object); });
  }
  for (const auto& [id, vm] : vms) visit(id, *vm);
}

}  // namespace pantry::driver
