// SPDX-License-Identifier: MIT
#include "driver/vm/vm.h"

#include <new>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "driver/provision/make_provisioner.h"
#include "driver/vm/shrinker.h"
#include "driver/vm/vm_state.h"

namespace pantry::driver {
namespace {

constexpr const char* kRoom = "driver/vm";

constexpr std::uint64_t kMcuSpace = 4 * kGiB;
constexpr GpuRange kMcuKernelArea = GpuRange::of_size({0x0400'0000}, 64 * kMiB);

}  // namespace

Vm::Vm(std::unique_ptr<State> state) : state_(std::move(state)) {}

// The last reference is gone, so no job is queued and no group is left.
Vm::~Vm() {
  State& s = *state_;
  if (s.device.shrinker) s.device.shrinker->remove(*this);
  // From here on no fault is told and no update needs a flush.
  s.device.spaces.remove(*this);
  {
    MutexLock lock(s.operation);
    if (!s.table) return;  // creation failed before there was one
  }
  unmap_whole(s.whole);
  s.provisioner.reset();
  TableReserve tables(s.pages);
  {
    MutexLock lock(s.operation);
    s.table->destroy(tables);
  }
  tables.release_after_flush();
}

Result<Ref<Vm>> Vm::create(VmDevice& device, std::uint64_t requested_user_size) {
  return create(device, requested_user_size, device.provisioning);
}

Result<Ref<Vm>> Vm::create(VmDevice& device, std::uint64_t requested_user_size,
                           Provisioning provisioning) {
  PANTRY_TRY_ASSIGN(const VaSplit split, split_va(device.va_bits, requested_user_size));
  return make(device, Kind::kClient, split,
              GpuRange::of_size({0}, std::uint64_t{1} << device.va_bits), provisioning, nullptr);
}

Result<Ref<Vm>> Vm::create(VmDevice& device, std::uint64_t requested_user_size,
                           Ref<Account> payer) {
  PANTRY_TRY_ASSIGN(const VaSplit split, split_va(device.va_bits, requested_user_size));
  return make(device, Kind::kClient, split,
              GpuRange::of_size({0}, std::uint64_t{1} << device.va_bits), device.provisioning,
              std::move(payer));
}

Result<Ref<Vm>> Vm::create_mcu(VmDevice& device) {
  return make(device, Kind::kMcu, VaSplit{0, kMcuKernelArea}, GpuRange::of_size({0}, kMcuSpace),
              device.provisioning, nullptr);
}

Result<Ref<Vm>> Vm::make(VmDevice& device, Kind kind, const VaSplit& split, GpuRange whole,
                         Provisioning provisioning, Ref<Account> payer) {
  Ref<Vm> vm;
  if (device.pages.faults().should_fail()) return Error(Errno::kNoMem);
  try {
    auto state = std::make_unique<State>(device, kind, split, whole, std::move(payer));
    state->reservation = make_ref<Reservation>();
    vm = Ref<Vm>::adopt(new Vm(std::move(state)));
    if (kind == Kind::kClient)
      vm->state_->queue = std::make_unique<JobQueue>(device.executor, device.cleanup, Lane::kBind,
                                                     static_cast<BatchStarter&>(*vm));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  State& s = *vm->state_;
  TableReserve root(s.pages);
  PANTRY_TRY(root.grow(1));
  PANTRY_TRY_ASSIGN(ArmLpaeS1Table table,
                    ArmLpaeS1Table::create(s.table_config, device.pages.metadata(), root));
  s.as_config = make_as_config(table.root(), device.va_bits, device.coherency);
  ArmLpaeS1Table* stays = nullptr;
  {
    MutexLock lock(s.operation);
    stays = &s.table.emplace(std::move(table));
  }
  if (!s.faults().should_fail())
    s.provisioner = make_provisioner(provisioning, *stays, device.pages);
  if (s.provisioner) {
    // Whatever it has now, its destructor takes back.
    if (!device.shrinker || kind == Kind::kMcu) return vm;
    if (s.faults().should_fail()) return Error(Errno::kNoMem);
    try {
      device.shrinker->add(*vm);
      return vm;
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
  }
  {
    MutexLock lock(s.operation);
    s.table->destroy(root);
    s.table.reset();
  }
  root.release_after_flush();
  return Error(Errno::kNoMem);
}

const VaSplit& Vm::split() const { return state_->split; }
GpuRange Vm::whole() const { return state_->whole; }
bool Vm::is_mcu() const { return state_->kind == Kind::kMcu; }
const Ref<Reservation>& Vm::reservation() const { return state_->reservation; }
bool Vm::unusable() const noexcept { return state_->unusable; }
bool Vm::destroyed() const noexcept { return state_->destroyed; }

AsConfig Vm::as_config() const noexcept { return state_->as_config; }

void Vm::on_mmu_fault(const MmuFault& fault) noexcept {
  state_->device.fault_listener.on_vm_fault(*this, fault);
}

Result<std::uint32_t> Vm::activate() {
  if (state_->kind == Kind::kClient) return state_->device.spaces.activate(*this);
  PANTRY_TRY(state_->device.spaces.activate_mcu(*this));
  return 0;
}

void Vm::deactivate() { state_->device.spaces.deactivate(*this); }

bool Vm::faulted() const noexcept { return state_->device.spaces.faulted(*this); }

Result<FenceRooms> Vm::reserve_fences(std::uint32_t count) {
  PANTRY_TRY_ASSIGN(std::vector<Ref<Reservation>> reservations, state_->shared.reservations());
  reservations.push_back(state_->reservation);
  return FenceRooms::reserve(std::move(reservations), count);
}

void Vm::destroy() {
  log_debug(kRoom, "VM destroyed with {} shared buffers", state_->shared.size());
  Ref<VmAttachment> attached;
  {
    MutexLock lock(state_->attachment_mutex);
    state_->destroyed = true;
    attached = std::move(state_->attachment);
  }
  if (attached) attached->on_vm_destroyed();
  unmap_whole(state_->whole);
}

Ref<VmAttachment> Vm::attachment() const {
  MutexLock lock(state_->attachment_mutex);
  return state_->attachment;
}

Result<Ref<VmAttachment>> Vm::attach(Ref<VmAttachment> fresh) {
  MutexLock lock(state_->attachment_mutex);
  if (destroyed()) return Error(Errno::kInval);
  if (!state_->attachment) state_->attachment = std::move(fresh);
  return state_->attachment;
}

}  // namespace pantry::driver
