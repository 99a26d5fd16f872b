// SPDX-License-Identifier: MIT
#include "tools/trace/recorder.h"

#include <drm/panthor_drm.h>

#include <utility>

#include "uapi/ioctl_table.h"

namespace pantry::trace {
namespace {

enum Kind : std::size_t { kClients, kVms, kBuffers, kSyncobjs };

uapi::UserArray user_array(const drm_panthor_obj_array& array) {
  return {array.stride, array.count, {array.array}};
}

std::optional<std::uint32_t> find(const std::map<std::uint32_t, std::uint32_t>& numbers,
                                  std::uint32_t name) {
  const auto found = numbers.find(name);
  if (found == numbers.end()) return std::nullopt;
  return found->second;
}

}  // namespace

Recorder::Client& Recorder::client_of(uapi::Session& session) {
  const auto [at, is_new] = clients_.try_emplace(&session);
  if (is_new) at->second.number = told_[kClients]++;
  return at->second;
}

std::optional<std::uint32_t> Recorder::buffer_of(uapi::Session& session, std::uint32_t handle) {
  Client& client = client_of(session);
  if (const auto known = find(client.buffers, handle)) return known;
  const Ref<driver::Buffer> buffer = session.file().buffer(handle);
  if (!buffer) return std::nullopt;
  // Its frames must not go while they are read. If they have gone, and none are left, none are
  // told.
  const Result<driver::BufferPin> pin = buffer->pin();
  NewBuffer told{client.number, buffer->size(), buffer->create_flags(), std::nullopt, {}};
  if (pin) told.extents.assign(buffer->frames().begin(), buffer->frames().end());
  if (buffer->exclusive())
    session.file().for_each_vm([&](std::uint32_t id, const driver::Vm& vm) {
      if (vm.reservation() == buffer->reservation()) told.exclusive_vm = find(client.vms, id);
    });
  writer_.add(told);
  return client.buffers[handle] = told_[kBuffers]++;
}

std::optional<std::uint32_t> Recorder::syncobj_of(uapi::Session& session, std::uint32_t handle) {
  Client& client = client_of(session);
  if (const auto known = find(client.syncobjs, handle)) return known;
  if (!session.file().syncobj(handle)) return std::nullopt;
  writer_.add(NewSyncobj{client.number});
  return client.syncobjs[handle] = told_[kSyncobjs]++;
}

std::optional<Bind> Recorder::read_bind(uapi::Session& session, const uapi::IoctlRequest& request,
                                        uapi::UserMemory& memory) {
  const auto args = memory.get<drm_panthor_vm_bind>(request.argument);
  if (!args) return std::nullopt;
  const Ref<driver::Vm> vm = session.file().vm(args->vm_id);
  if (!vm) return std::nullopt;
  const auto ops = uapi::read_array<drm_panthor_vm_bind_op>(memory, user_array(args->ops), 48);
  if (!ops) return std::nullopt;
  std::vector<std::vector<drm_panthor_sync_op>> syncs;
  for (const drm_panthor_vm_bind_op& op : *ops) {
    auto of_op = uapi::read_array<drm_panthor_sync_op>(memory, user_array(op.syncs), 16);
    if (!of_op) return std::nullopt;
    syncs.push_back(*std::move(of_op));
  }

  // All is readable: only now is anything told.
  Client& client = client_of(session);
  Bind bind;
  if (const auto known = find(client.vms, args->vm_id)) {
    bind.vm = *known;
  } else {
    writer_.add(NewVm{client.number, vm->split().user_size});
    bind.vm = client.vms[args->vm_id] = told_[kVms]++;
  }
  bind.flags = args->flags;
  for (std::size_t i = 0; i < ops->size(); ++i) {
    const drm_panthor_vm_bind_op& op = (*ops)[i];
    Op& told = bind.ops.emplace_back();
    told.flags = op.flags;
    if (op.bo_handle != 0) told.buffer = buffer_of(session, op.bo_handle);
    told.buffer_offset = op.bo_offset;
    told.va = op.va;
    told.size = op.size;
    for (const drm_panthor_sync_op& sync : syncs[i]) {
      const auto number = syncobj_of(session, sync.handle);
      if (!number) continue;
      const bool signals =
          (sync.flags & static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL)) != 0;
      const bool timeline = (sync.flags & DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_MASK) ==
                            DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;
      told.syncs.push_back({signals ? SyncOp::Kind::kSignal : SyncOp::Kind::kWait, *number,
                            timeline ? std::optional(sync.timeline_value) : std::nullopt});
    }
  }
  return bind;
}

void Recorder::on_start(uapi::Session& session, const uapi::IoctlRequest& request,
                        uapi::UserMemory& memory) {
  const uapi::IoctlEntry* const entry = uapi::find_ioctl(request.command, features_);
  if (!entry) return;
  MutexLock lock(mutex_);
  if (entry->command == DRM_IOCTL_PANTHOR_VM_BIND) {
    bind_ = read_bind(session, request, memory);
    if (!bind_) ++unreadable_;
  } else if (entry->command == DRM_IOCTL_PANTHOR_VM_DESTROY) {
    if (const auto args = memory.get<drm_panthor_vm_destroy>(request.argument))
      closing_ = Closing{&session, &Client::vms, args->id};
  } else if (entry->command == DRM_IOCTL_GEM_CLOSE) {
    if (const auto args = memory.get<drm_gem_close>(request.argument))
      closing_ = Closing{&session, &Client::buffers, args->handle};
  } else if (entry->command == DRM_IOCTL_SYNCOBJ_DESTROY) {
    if (const auto args = memory.get<drm_syncobj_destroy>(request.argument))
      closing_ = Closing{&session, &Client::syncobjs, args->handle};
  }
}

void Recorder::on_ioctl(const Ioctl& ioctl) {
  const uapi::IoctlEntry* const entry = uapi::find_ioctl(ioctl.command, features_);
  if (!entry) return;
  MutexLock lock(mutex_);
  if (entry->command == DRM_IOCTL_PANTHOR_VM_BIND) {
    if (!bind_) return;
    bind_->start_ns = last_start_ ? (ioctl.start - *last_start_).ns : 0;
    bind_->taken_ns = (ioctl.end - ioctl.start).ns;
    bind_->error = static_cast<std::uint32_t>(-ioctl.result);
    writer_.add(*bind_);
    last_start_ = ioctl.start;
    bind_.reset();
  } else if (entry->command == DRM_IOCTL_PANTHOR_VM_DESTROY ||
             entry->command == DRM_IOCTL_GEM_CLOSE || entry->command == DRM_IOCTL_SYNCOBJ_DESTROY) {
    if (closing_ && ioctl.result == 0) close(*closing_);
    closing_.reset();
  }
}

void Recorder::close(const Closing& closing) {
  const auto client = clients_.find(closing.session);
  if (client == clients_.end()) return;
  auto& numbers = client->second.*closing.kind;
  const auto number = find(numbers, closing.name);
  if (!number) return;
  if (closing.kind == &Client::vms) writer_.add(EndVm{*number});
  if (closing.kind == &Client::buffers) writer_.add(EndBuffer{*number});
  numbers.erase(closing.name);
}

void Recorder::on_release(uapi::Session& session) {
  MutexLock lock(mutex_);
  const auto client = clients_.find(&session);
  if (client == clients_.end()) return;
  for (const auto& [name, number] : client->second.buffers) writer_.add(EndBuffer{number});
  for (const auto& [name, number] : client->second.vms) writer_.add(EndVm{number});
  clients_.erase(client);
}

std::uint64_t Recorder::unreadable() const {
  MutexLock lock(mutex_);
  return unreadable_;
}

std::vector<std::byte> Recorder::finish() {
  MutexLock lock(mutex_);
  return writer_.finish();
}

}  // namespace pantry::trace
