// SPDX-License-Identifier: MIT
//
// The VM's part in memory pressure: mappings whose buffer is evicted lose their page-table entries
// and keep their place in the tree, and get the entries again before the next job runs.
#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "driver/mmu/region_lock.h"
#include "driver/vm/map_leaves.h"
#include "driver/vm/shrinker.h"
#include "driver/vm/vm.h"
#include "driver/vm/vm_state.h"

namespace pantry::driver {

Residency::Residency(Ref<Vm> vm) noexcept : vm_(std::move(vm)) {}
Residency::Residency(Residency&& other) noexcept = default;
Residency::~Residency() {
  if (vm_) vm_->leave_residency();
}

void Vm::leave_residency() noexcept { state_->gate.leave(); }

bool Vm::begin_evictions() noexcept { return state_->gate.try_close(); }
void Vm::end_evictions() noexcept { state_->gate.open(); }

bool Vm::may_map(const Buffer& buffer) const noexcept {
  return buffer.exclusive() ? buffer.reservation() == state_->reservation
                            : state_->shared.contains(buffer);
}

void Vm::unbind_leaving() noexcept {
  State& s = *state_;
  Provision provision{TableReserve(s.pages)};
  const SignallingSection section(s.device.cleanup);
  {
    MutexLock lock(s.operation);
    std::optional<GpuRange> edited;
    s.space.for_each(s.whole, [&](const VaMapping& at) {
      if (!Mapping(at).buffer().leaving()) return;
      edited = GpuRange{edited ? edited->first : at.range.first, at.range.last};
    });
    if (!edited) return;
    s.torn = true;
    s.provisioner->begin(provision);
    {
      const RegionLock region(s.device.spaces, *this, *edited);
      ArmLpaeS1Table& table = *s.table;
      s.space.for_each(*edited, [&](const VaMapping& at) {
        if (!Mapping(at).buffer().leaving()) return;
        // Whole mappings: no block is cut, so no page is needed.
        const Result<std::uint64_t> unmapped = table.unmap(at.range, provision.tables());
        PANTRY_CHECK(unmapped.has_value());
      });
    }
    // Flushed.
    s.provisioner->finish(provision);
  }
  provision.tables().release_after_flush();
}

Result<Residency> Vm::make_resident() {
  State& s = *state_;
  PANTRY_CHECK(!SignallingSection::active());
  s.gate.enter();
  if (!s.torn) return Residency(Ref<Vm>::share(*this));
  // One VM at a time, so that it can have what all others can spare.
  s.gate.leave();
  MutexLock one(s.device.shrinker->returning_);
  s.gate.enter();
  Residency inside(Ref<Vm>::share(*this));
  PANTRY_TRY(bind_torn());
  return inside;
}

// Nothing of the VM is evicted meanwhile, but binds of it run.
Result<> Vm::bind_torn() {
  State& s = *state_;
  while (s.torn) {
    PANTRY_TRY_ASSIGN(std::vector<BindOp> all, torn_mappings());
    bool changed = false;
    for (BindOp& op : all) {
      PANTRY_TRY_ASSIGN(FramePin frames, op.buffer->pin_frames());
      BindPlan plan = plan_at_once(std::move(op), std::move(frames));
      plan.owner = MappingOwner::kKernel;  // no bind of the client's
      plan.purpose = BindPlan::Purpose::kRestore;
      const Result<> restored = run_at_once(plan);
      if (restored)
        ++s.device.shrinker->returned_mappings_;
      else if (restored.error() == Errno::kBusy)
        changed = true;
      else
        return restored;
    }
    if (!changed) s.torn = false;
  }
  return {};
}

// As maps of what the mappings show.
Result<std::vector<BindOp>> Vm::torn_mappings() {
  State& s = *state_;
  std::vector<BindOp> all;
  for (std::size_t room = 16;;) {
    if (s.faults().should_fail()) return Error(Errno::kNoMem);
    try {
      all.reserve(room);
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
    std::size_t count = 0;
    {
      MutexLock lock(s.operation);
      const ArmLpaeS1Table& table = *s.table;
      s.space.for_each(s.whole, [&](const VaMapping& at) {
        const Mapping mapping(at);
        if (mapping.owner() == MappingOwner::kKernel || table.walk(at.range.first)) return;
        if (++count > all.capacity()) return;
        BindOp op;
        op.type = BindType::kMap;
        op.range = mapping.range();
        op.buffer = Ref<Buffer>::share(mapping.buffer());
        op.buffer_offset = mapping.offset();
        op.prot = mapping.prot();
        all.push_back(std::move(op));
      });
    }
    if (count <= all.capacity()) return all;
    all.clear();
    room = count + count / 8;
  }
}

// The table half of a map, of a mapping that is in the tree. Fails if that has changed.
Result<> Vm::State::restore(BindPlan& plan) {
  const BindOp& op = plan.op;
  const std::optional<VaMapping> at = space.find(op.range->first);
  if (!at) return Error(Errno::kBusy);
  const Mapping mapping(*at);
  if (!(mapping.range() == *op.range) || &mapping.buffer() != op.buffer.get() ||
      mapping.offset() != op.buffer_offset || mapping.prot() != op.prot ||
      mapping.owner() != MappingOwner::kUser)
    return Error(Errno::kBusy);
  const Result<std::uint64_t> cleared = table->clear(*op.range, plan.provision.tables());
  PANTRY_CHECK(cleared.has_value());
  map_leaves(*table, *at, plan);
  return {};
}

}  // namespace pantry::driver
