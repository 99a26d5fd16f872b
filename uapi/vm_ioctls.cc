// SPDX-License-Identifier: MIT
//
// VM_CREATE, VM_DESTROY, VM_BIND, VM_GET_STATE: panthor-uapi.md A.3, A.4.
#include <drm/panthor_drm.h>

#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"
#include "uapi/sync_ops.h"

namespace pantry::uapi {
namespace {

UserArray user_array(const drm_panthor_obj_array& array) {
  return {array.stride, array.count, {array.array}};
}

driver::BindArgs bind_args(const drm_panthor_vm_bind_op& op) {
  return {op.flags, op.bo_handle, op.bo_offset, op.va, op.size, op.syncs.count};
}

Result<> bind_one_now(Call& call, driver::Vm& vm, const drm_panthor_vm_bind_op& op) {
  if (op.syncs.count != 0) return reject(Errno::kInval, "VM_BIND: a synchronous bind has sync-ops");
  if (op.size == 0) return {};
  PANTRY_TRY_ASSIGN(
      driver::BindOp bind,
      driver::validate_bind(bind_args(op), driver::BindMode::kSync, call.features.bind, vm.split(),
                            *vm.reservation(), call.file.buffer_lookup()));
  return vm.bind_now(std::move(bind));
}

Result<> bind_synchronously(Call& call, driver::Vm& vm,
                            const std::vector<drm_panthor_vm_bind_op>& ops) {
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    if (Result<> done = bind_one_now(call, vm, ops[i]); !done) {
      // Tells the client which op failed; those before it stay.
      call.arg<drm_panthor_vm_bind>().ops.count = i;
      return done;
    }
  }
  return {};
}

// `budget`: what the ops have left of that of read_array.
Result<> bind_asynchronously(Call& call, driver::Vm& vm,
                             const std::vector<drm_panthor_vm_bind_op>& ops, std::uint64_t budget) {
  std::vector<Ref<driver::Job>> jobs;
  SyncBatch batch(call.file);
  jobs.reserve(ops.size());
  for (const drm_panthor_vm_bind_op& op : ops) {
    if (vm.destroyed() || vm.unusable())
      return reject(Errno::kInval, "VM_BIND: the VM is {}",
                    vm.destroyed() ? "destroyed" : "unusable");
    PANTRY_TRY_ASSIGN(
        driver::BindOp bind,
        driver::validate_bind(bind_args(op), driver::BindMode::kAsync, call.features.bind,
                              vm.split(), *vm.reservation(), call.file.buffer_lookup()));
    PANTRY_TRY_ASSIGN(driver::Charge charge,
                      call.file.account().charge(driver::Resource::kJobs, 1));
    PANTRY_TRY_ASSIGN(Ref<driver::Job> job, vm.prepare_bind(std::move(bind)));
    job->keep(std::move(charge));
    PANTRY_TRY_ASSIGN(
        const std::vector<drm_panthor_sync_op> syncs,
        read_array<drm_panthor_sync_op>(call.memory, user_array(op.syncs), 16, budget));
    PANTRY_TRY(batch.add(job, syncs));
    jobs.push_back(std::move(job));
  }
  PANTRY_TRY_ASSIGN(driver::FenceRooms rooms,
                    vm.reserve_fences(static_cast<std::uint32_t>(jobs.size())));
  PANTRY_TRY(batch.prepare());
  for (Ref<driver::Job>& job : jobs) {
    rooms.add(job->done());
    vm.push(std::move(job));
  }
  batch.publish();
  return {};
}

}  // namespace

Result<> vm_create(Call& call) {
  auto& args = call.arg<drm_panthor_vm_create>();
  if (args.flags != 0)
    return reject(Errno::kInval, "VM_CREATE: flags {:#x} are unknown", args.flags);
  PANTRY_TRY_ASSIGN(Ref<driver::Vm> vm,
                    driver::Vm::create(call.file.device().vm_device(), args.user_va_range,
                                       Ref<driver::Account>::share(call.file.account())));
  const std::uint64_t user_size = vm->split().user_size;
  PANTRY_TRY_ASSIGN(args.id, call.file.add_vm(std::move(vm)));
  args.user_va_range = user_size;
  return {};
}

Result<> vm_destroy(Call& call) {
  const auto& args = call.arg<drm_panthor_vm_destroy>();
  if (args.pad != 0) return reject(Errno::kInval, "VM_DESTROY: pad is {:#x}", args.pad);
  return call.file.destroy_vm(args.id);
}

Result<> vm_bind(Call& call) {
  auto& args = call.arg<drm_panthor_vm_bind>();
  const Ref<driver::Vm> vm = call.file.vm(args.vm_id);
  if (!vm) return reject(Errno::kInval, "VM_BIND: VM {} is unknown", args.vm_id);
  std::uint64_t budget = kLargestArrays;
  PANTRY_TRY_ASSIGN(
      const std::vector<drm_panthor_vm_bind_op> ops,
      read_array<drm_panthor_vm_bind_op>(call.memory, user_array(args.ops), 48, budget));
  return (args.flags & DRM_PANTHOR_VM_BIND_ASYNC) != 0 ? bind_asynchronously(call, *vm, ops, budget)
                                                       : bind_synchronously(call, *vm, ops);
}

Result<> vm_get_state(Call& call) {
  auto& args = call.arg<drm_panthor_vm_get_state>();
  const Ref<driver::Vm> vm = call.file.vm(args.vm_id);
  if (!vm) return reject(Errno::kInval, "VM_GET_STATE: VM {} is unknown", args.vm_id);
  args.state = vm->unusable() ? DRM_PANTHOR_VM_STATE_UNUSABLE : DRM_PANTHOR_VM_STATE_USABLE;
  return {};
}

}  // namespace pantry::uapi
