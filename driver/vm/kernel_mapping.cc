// SPDX-License-Identifier: MIT
#include "driver/vm/kernel_mapping.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "driver/gem/buffer_store.h"
#include "driver/kernel/signalling.h"
#include "driver/vm/vm.h"
#include "driver/vm/vm_state.h"

namespace pantry::driver {

KernelMapping::KernelMapping() noexcept = default;
KernelMapping::KernelMapping(Ref<Vm> vm, Ref<Buffer> buffer, GpuRange range) noexcept
    : vm_(std::move(vm)), buffer_(std::move(buffer)), range_(range) {}
KernelMapping::KernelMapping(KernelMapping&& other) noexcept = default;

KernelMapping& KernelMapping::operator=(KernelMapping&& other) noexcept {
  if (this != &other) {
    reset();
    vm_ = std::move(other.vm_);
    buffer_ = std::move(other.buffer_);
    range_ = other.range_;
  }
  return *this;
}

KernelMapping::~KernelMapping() { reset(); }

void KernelMapping::reset() noexcept {
  if (!vm_) return;
  PANTRY_CHECK(!SignallingSection::active());
  // A destroyed VM has nothing there any more.
  vm_->unmap_whole(range_);
  buffer_ = nullptr;
  vm_ = nullptr;
}

// Maps the whole of `buffer`, if `range` is still free: else EEXIST.
Result<KernelMapping> Vm::map_fresh(Ref<Buffer> buffer, GpuRange range, Prot prot) {
  BindOp op;
  op.type = BindType::kMap;
  op.range = range;
  op.buffer = buffer;
  op.prot = prot;
  // A kernel buffer needs no pin to stay.
  BindPlan plan = plan_at_once(std::move(op), FramePin());
  plan.owner = MappingOwner::kKernel;
  plan.overlap = BindPlan::Overlap::kRefuse;
  PANTRY_TRY(run_at_once(plan));
  return KernelMapping(Ref<Vm>::share(*this), std::move(buffer), range);
}

Result<KernelMapping> Vm::map_kernel(std::uint64_t size, Prot prot) {
  State& s = *state_;
  if (destroyed()) return Error(Errno::kInval);
  PANTRY_TRY_ASSIGN(Ref<Buffer> buffer, s.device.buffers.create_kernel(size, s.pages.payer()));
  const std::uint64_t alignment = buffer->size() >= 2 * kMiB ? 2 * kMiB : kPageSize;
  // How many table pages it takes depends on the place, and getting them may not happen under the
  // lock; so the place is looked up again when somebody else has taken it.
  for (;;) {
    std::optional<GpuRange> range;
    {
      MutexLock lock(s.operation);
      range = s.space.best_fit(buffer->size(), alignment, s.split.kernel);
    }
    if (!range) {
      log_info("driver/vm", "no {:#x} bytes free in the kernel's part of the VM", buffer->size());
      return Error(Errno::kNoSpc);
    }
    Result<KernelMapping> mapping = map_fresh(buffer, *range, prot);
    if (mapping || mapping.error() != Errno::kExist) return mapping;
  }
}

Result<KernelMapping> Vm::map_kernel_at(GpuVa va, std::uint64_t size, Prot prot) {
  State& s = *state_;
  if (destroyed()) return Error(Errno::kInval);
  const GpuRange whole = s.whole;
  const std::uint64_t rounded = align_up(size, kPageSize);
  if (rounded == 0 || !is_aligned(va.value, kPageSize) || !whole.contains(va) ||
      rounded - 1 > whole.last - va)
    return Error(Errno::kInval);
  PANTRY_TRY_ASSIGN(Ref<Buffer> buffer, s.device.buffers.create_kernel(size, s.pages.payer()));
  return map_fresh(std::move(buffer), GpuRange::of_size(va, rounded), prot);
}

}  // namespace pantry::driver
