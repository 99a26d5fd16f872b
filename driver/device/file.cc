// SPDX-License-Identifier: MIT
#include "driver/device/file.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "driver/device/nodes.h"

namespace pantry::driver {
namespace {

// What tables whose ids are 32 bits wide run out of first is memory.
constexpr Errno kNoIdLeft = Errno::kNoSpc;

template <class T>
Ref<T> find(IdTable<Held<Ref<T>>>& table, std::uint32_t id) {
  Held<Ref<T>>* const found = table.find(id);
  return found ? found->object : Ref<T>();
}

template <class T>
Result<std::uint32_t> put(IdTable<Held<Ref<T>>>& table, Ref<T> object, Account& account,
                          Resource resource, Errno full) PANTRY_MAY_ALLOCATE {
  PANTRY_TRY_ASSIGN(Charge charge, account.charge(resource, 1));
  return table.put({std::move(object), std::move(charge)}, full);
}

// What was put there, no longer charged.
template <class T>
Ref<T> take(IdTable<Held<Ref<T>>>& table, std::uint32_t id) PANTRY_MAY_ALLOCATE {
  std::optional<Held<Ref<T>>> held = table.take(id);
  return held ? std::move(held->object) : Ref<T>();
}

template <class T>
Error unknown(std::uint32_t id, const T& kind) PANTRY_MAY_ALLOCATE {
  log_client("driver/device", "{} {} is unknown", kind, id);
  return Error(Errno::kInval);
}

}  // namespace

File::File(Device& device, NodeType node, const Credentials& credentials, Ref<Account> account)
    : device_(device),
      id_(device.nodes().files_opened.fetch_add(1) + 1),
      node_(node),
      credentials_(credentials),
      account_(std::move(account)),
      usage_(make_ref<EngineUsage>()) {
  PANTRY_CHECK(account_);
  Device::Nodes& nodes = device.nodes();
  MutexLock lock(nodes.mutex);
  nodes.files.insert(this);
  authenticated_ = credentials.sys_admin;
  if (node != NodeType::kPrimary) return;
  if (nodes.master)
    master_ = nodes.master;
  else
    ascend(nodes.master);
}

File::~File() { release_all(); }

void File::release_all() {
  {
    MutexLock lock(device_.nodes().mutex);
    device_.nodes().files.erase(this);
  }
  // References are dropped without the lock: what they end may take long.
  std::vector<Ref<RefCounted>> handles;
  std::vector<Ref<Group>> groups;
  std::vector<Ref<Vm>> vms;
  {
    MutexLock lock(mutex_);
    syncobjs_.take_all([&](std::uint32_t, Held<Ref<Syncobj>> syncobj) {
      handles.push_back(std::move(syncobj.object));
    });
    buffers_.take_all([&](std::uint32_t, Held<Ref<Buffer>> buffer) PANTRY_MAY_ALLOCATE {
      device_.buffer_names().drop_handle(*buffer.object);
      handles.push_back(std::move(buffer.object));
    });
    handles_.clear();
    if (sparse_) handles.push_back(std::move(sparse_));
    groups_.take_all(
        [&](std::uint32_t, Held<Ref<Group>> group) { groups.push_back(std::move(group.object)); });
    vms_.take_all([&](std::uint32_t, Held<Ref<Vm>> vm) { vms.push_back(std::move(vm.object)); });
  }
  handles.clear();
  leave_nodes();
  for (const Ref<Group>& group : groups) group->destroy();
  groups.clear();
  for (const Ref<Vm>& vm : vms) destroy(*vm);
}

void File::set_name(std::optional<std::string> name) {
  MutexLock lock(mutex_);
  name_.swap(name);
}

std::optional<std::string> File::name() const {
  MutexLock lock(mutex_);
  return name_;
}

// Of Device::Nodes::master, under its lock.
bool File::reigns(const Ref<Master>& current) const {
  return reign_ == Reign::kOwn && current.get() == master_.get();
}

// Nobody reigns.
void File::ascend(Ref<Master>& current) {
  if (reign_ == Reign::kNever) master_ = make_ref<Master>();
  reign_ = Reign::kOwn;
  authenticated_ = true;
  current = master_;
}

void File::leave_nodes() {
  Device::Nodes& nodes = device_.nodes();
  MutexLock lock(nodes.mutex);
  if (magic_of_) magic_of_->magics.take(magic_);
  if (reigns(nodes.master)) nodes.master = nullptr;
}

bool File::is_master() const {
  Device::Nodes& nodes = device_.nodes();
  MutexLock lock(nodes.mutex);
  return reigns(nodes.master);
}

bool File::is_authenticated() const {
  MutexLock lock(device_.nodes().mutex);
  return authenticated_;
}

std::vector<File::View> File::all_of(Device& device) {
  std::vector<View> all;
  {
    Device::Nodes& nodes = device.nodes();
    MutexLock lock(nodes.mutex);
    for (const File* const file : nodes.files)
      all.push_back({file->id_, file->node_, file->credentials_, file->account_->program(),
                     file->reigns(nodes.master), file->authenticated_, file->magic_});
  }
  std::ranges::sort(all, {}, &View::id);
  return all;
}

// Under the lock of Device::Nodes.
bool File::may_reign(const Credentials& caller) const {
  return caller.sys_admin || (reign_ == Reign::kOwn && caller.pid == credentials_.pid);
}

Result<> File::set_master(const Credentials& caller) {
  Device::Nodes& nodes = device_.nodes();
  MutexLock lock(nodes.mutex);
  if (!may_reign(caller)) return Error(Errno::kAcces);
  if (reigns(nodes.master)) return {};
  if (nodes.master) return Error(Errno::kBusy);
  ascend(nodes.master);
  return {};
}

Result<> File::drop_master(const Credentials& caller) {
  Device::Nodes& nodes = device_.nodes();
  MutexLock lock(nodes.mutex);
  if (!may_reign(caller)) return Error(Errno::kAcces);
  if (!reigns(nodes.master)) return Error(Errno::kInval);
  nodes.master = nullptr;
  return {};
}

void File::tell_name() {
  MutexLock lock(device_.nodes().mutex);
  PANTRY_CHECK(master_);
  master_->name = Master::Name::kTold;
}

bool File::knows_name() const {
  MutexLock lock(device_.nodes().mutex);
  return master_ && master_->name == Master::Name::kTold;
}

Result<std::uint32_t> File::magic() {
  MutexLock lock(device_.nodes().mutex);
  if (magic_ == 0) {
    PANTRY_CHECK(master_);
    PANTRY_TRY_ASSIGN(magic_, master_->magics.put(this, kNoIdLeft));
    magic_of_ = master_;
  }
  return magic_;
}

Result<> File::authenticate(std::uint32_t magic) {
  MutexLock lock(device_.nodes().mutex);
  PANTRY_CHECK(master_);
  File** const known = master_->magics.find(magic);
  if (!known || !*known) return unknown(magic, "file with magic");
  (*known)->authenticated_ = true;
  *known = nullptr;
  return {};
}

Result<std::uint32_t> File::add_buffer(Ref<Buffer> buffer) {
  MutexLock lock(mutex_);
  return put_buffer(std::move(buffer));
}

Result<std::uint32_t> File::put_buffer(Ref<Buffer> buffer) {
  const Buffer& key = *buffer;
  PANTRY_TRY_ASSIGN(const std::uint32_t handle,
                    put(buffers_, std::move(buffer), *account_, Resource::kHandles, kNoIdLeft));
  try {
    Handles& handles = handles_[&key];
    if (device_.buffer_names().add_handle(key)) {
      ++handles.count;
      return handle;
    }
    if (handles.count == 0) handles_.erase(&key);
  } catch (const std::bad_alloc&) {
  }
  buffers_.take(handle);
  return Error(Errno::kNoMem);
}

Result<std::uint32_t> File::import_buffer(Ref<Buffer> buffer) {
  // The look-up and the new handle under one lock: of two imports at once both get the same.
  MutexLock lock(mutex_);
  const Buffer* const key = buffer.get();
  if (const auto known = handles_.find(key); known != handles_.end() && known->second.shared != 0)
    return known->second.shared;
  PANTRY_TRY_ASSIGN(const std::uint32_t handle, put_buffer(std::move(buffer)));
  handles_.at(key).shared = handle;
  return handle;
}

void File::note_export(std::uint32_t handle) {
  MutexLock lock(mutex_);
  const Ref<Buffer> buffer = find(buffers_, handle);
  if (!buffer) return;
  buffer->note_exported();
  Handles& handles = handles_.at(buffer.get());
  if (handles.shared == 0) handles.shared = handle;
}

Ref<Buffer> File::buffer(std::uint32_t handle) {
  MutexLock lock(mutex_);
  return find(buffers_, handle);
}

Result<Ref<Buffer>> File::sparse_buffer() {
  MutexLock lock(mutex_);
  if (!sparse_) {
    Ref<Reservation> nobodys;
    try {
      nobodys = make_ref<Reservation>();
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
    PANTRY_TRY_ASSIGN(
        const Ref<Buffer> made,
        device_.buffers().create(RepeatedFrames::kBytes, 0, std::move(nobodys), account_.get()));
    // Shared tables lead to its frames, from anywhere in all VMs of the client.
    PANTRY_TRY(made->stay_resident());
    sparse_ = made;
  }
  return sparse_;
}

bool File::owns(const Buffer& buffer) {
  MutexLock lock(mutex_);
  return handles_.contains(&buffer);
}

std::vector<File::HeldBuffer> File::held_buffers() {
  using Sharing = HeldBuffer::Sharing;
  std::vector<HeldBuffer> held;
  MutexLock lock(mutex_);
  held.reserve(buffers_.size());
  buffers_.for_each([&](std::uint32_t, const Held<Ref<Buffer>>& entry) {
    held.push_back({entry.object, Sharing::kPrivate});
  });
  for (HeldBuffer& each : held)
    if (handles_.at(each.buffer.get()).shared != 0 ||
        device_.buffer_names().handles_of(*each.buffer) > 1)
      each.sharing = Sharing::kShared;
  return held;
}

Result<> File::close_buffer(std::uint32_t handle) {
  Ref<Buffer> buffer;
  {
    MutexLock lock(mutex_);
    buffer = take(buffers_, handle);
    if (buffer) {
      const auto handles = handles_.find(buffer.get());
      if (handles->second.shared == handle) handles->second.shared = 0;
      if (--handles->second.count == 0) handles_.erase(handles);
      device_.buffer_names().drop_handle(*buffer);
    }
  }
  if (!buffer) return unknown(handle, "buffer");
  return {};
}

Result<std::uint32_t> File::add_syncobj(Ref<Syncobj> syncobj) {
  MutexLock lock(mutex_);
  return put(syncobjs_, std::move(syncobj), *account_, Resource::kSyncobjs, kNoIdLeft);
}

Ref<Syncobj> File::syncobj(std::uint32_t handle) {
  MutexLock lock(mutex_);
  return find(syncobjs_, handle);
}

Result<> File::destroy_syncobj(std::uint32_t handle) {
  Ref<Syncobj> syncobj;
  {
    MutexLock lock(mutex_);
    syncobj = take(syncobjs_, handle);
  }
  if (!syncobj) return unknown(handle, "syncobj");
  return {};
}

Result<std::uint32_t> File::add_vm(Ref<Vm> vm) {
  MutexLock lock(mutex_);
  return put(vms_, std::move(vm), *account_, Resource::kVms, Errno::kBusy);
}

Ref<Vm> File::vm(std::uint32_t id) {
  MutexLock lock(mutex_);
  return find(vms_, id);
}

std::vector<Ref<Vm>> File::vms() {
  std::vector<Ref<Vm>> vms;
  MutexLock lock(mutex_);
  vms.reserve(vms_.size());
  vms_.for_each([&](std::uint32_t, const Held<Ref<Vm>>& vm) { vms.push_back(vm.object); });
  return vms;
}

Result<> File::destroy_vm(std::uint32_t id) {
  Ref<Vm> vm;
  {
    MutexLock lock(mutex_);
    vm = take(vms_, id);
  }
  if (!vm) return unknown(id, "VM");
  destroy(*vm);
  return {};
}

// Groups that were destroyed before are off their slots when the memory goes.
void File::destroy(Vm& vm) {
  device_.scheduler().settle(vm);
  vm.destroy();
}

Result<std::uint32_t> File::add_group(Ref<Group> group) {
  MutexLock lock(mutex_);
  return put(groups_, std::move(group), *account_, Resource::kGroups, Errno::kBusy);
}

Ref<Group> File::group(std::uint32_t handle) {
  MutexLock lock(mutex_);
  return find(groups_, handle);
}

Result<> File::destroy_group(std::uint32_t handle) {
  Ref<Group> group;
  {
    MutexLock lock(mutex_);
    group = take(groups_, handle);
  }
  if (!group) return unknown(handle, "group");
  group->destroy();
  return {};
}

}  // namespace pantry::driver
