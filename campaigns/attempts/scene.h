// SPDX-License-Identifier: MIT
//
// A victim and an attacker on one device, and all that an attack could change of them.
//
// Each has VM 1, buffer 1 (shared) and syncobj 1. The victim alone has VM 2 with group 2's memory:
// VM 2, group 1 and 2, buffers 2 and 3, syncobjs 2 (signalled) and 3: numbers that an attacker
// guesses. Its buffers hold its secret.
#pragma once

#include <drm/panthor_drm.h>

#include <memory>
#include <string>

#include "driver/kernel/thread_executor.h"
#include "uapi/machine/local_client.h"
#include "uapi/server/server.h"

namespace pantry::redteam {

inline constexpr std::uint32_t kSecret = 0x5ec2e7;
inline constexpr std::uint64_t kBytes = 4 * kPageSize;  // of each buffer
inline constexpr std::uint64_t kVa = 16 * kMiB;         // where VM 1 of each has its buffer 1

// Who makes a call: an attack, or its control, which does the same where it is allowed.
enum class Side { kAttack, kControl };

class Scene {
 public:
  Scene();
  ~Scene();

  uapi::Machine& machine() { return *machine_; }
  driver::Executor& executor() { return executor_; }
  const std::string& directory() const { return directory_; }
  uapi::LocalClient& victim() { return *victim_; }
  uapi::LocalClient& attacker() { return *attacker_; }
  // The attacker, or as a control the victim itself.
  uapi::LocalClient& who(Side side) { return side == Side::kAttack ? attacker() : victim(); }

  // What an attack must leave alone: the machine's memory, and of both clients the handles, their
  // contents, mappings and fences.
  std::string fingerprint();

 private:
  void furnish(uapi::LocalClient& client);

  const std::string directory_;
  driver::ThreadExecutor executor_{1};
  std::unique_ptr<uapi::Machine> machine_;
  std::unique_ptr<uapi::Server> server_;
  class Serving;
  std::unique_ptr<Serving> serving_;
  std::unique_ptr<uapi::LocalClient> victim_;
  std::unique_ptr<uapi::LocalClient> attacker_;
};

// The calls of attacks: 0 or a negated errno.
int create_vm(uapi::LocalClient& client);
int create_buffer(uapi::LocalClient& client, std::uint64_t size, std::uint32_t flags,
                  std::uint32_t exclusive_vm, std::uint32_t& handle);
int close_buffer(uapi::LocalClient& client, std::uint32_t handle);
int create_group(uapi::LocalClient& client, std::uint32_t vm);
int create_syncobj(uapi::LocalClient& client, std::uint32_t flags);
drm_panthor_vm_bind_op map_op(std::uint32_t handle, std::uint64_t offset, std::uint64_t va,
                              std::uint64_t size);
int bind(uapi::LocalClient& client, std::uint32_t vm, drm_panthor_vm_bind_op op,
         std::uint32_t flags = 0);
// An empty job of `group` that signals `syncobj`.
int submit(uapi::LocalClient& client, std::uint32_t group, std::uint32_t syncobj);
std::uint64_t mmap_offset(uapi::LocalClient& client, std::uint32_t handle);
// visit(mapping) for each of a VM, in address order.
template <class Visit>
void for_each_mapping(const driver::Vm& vm, Visit visit) {
  class Visitor final : public driver::Vm::MappingVisitor {
   public:
    explicit Visitor(Visit& visit) : visit_(visit) {}
    void visit(const driver::Vm::MappingView& mapping) override { visit_(mapping); }

   private:
    Visit& visit_;
  } visitor(visit);
  vm.for_each_mapping(visitor);
}
// As map() of the node would end.
int mmap(uapi::LocalClient& client, std::uint64_t offset, std::uint64_t length, int protection);

}  // namespace pantry::redteam
