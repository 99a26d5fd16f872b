// SPDX-License-Identifier: MIT
//
// The two halves of a bind: plan() lays everything in, run() uses it.
#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "base/check.h"
#include "driver/mmu/region_lock.h"
#include "driver/vm/map_leaves.h"
#include "driver/vm/vm.h"
#include "driver/vm/vm_state.h"

namespace pantry::driver {
namespace {

// Performs the steps of one bind, and keeps one reference for each mapping; that of a new one is
// the plan's. Of the page table, a map is done here: what was mapped in its range is unmapped as a
// whole, if there was anything. An unmap has been done by then.
class Edit final : public StepVisitor {
 public:
  Edit(ArmLpaeS1Table& table, BindPlan& plan)
      : table_(table), plan_(plan), collect_(plan.retired) {}

  Done<UnmapStep> unmap(UnmapStep step) noexcept override {
    clear_for_map();
    Mapping(step.old()).kept().release();
    return std::move(step).remove();
  }
  Done<KeepLeftStep> keep_left(KeepLeftStep step) noexcept override {
    clear_for_map();
    return std::move(step).keep();
  }
  Done<KeepRightStep> keep_right(KeepRightStep step) noexcept override {
    clear_for_map();
    return std::move(step).keep();
  }
  Done<KeepBothStep> keep_both(KeepBothStep step) noexcept override {
    clear_for_map();
    Mapping(step.old()).kept().acquire();
    return std::move(step).keep();
  }
  Done<MapStep> map(MapStep step) noexcept override {
    map_leaves(table_, step.mapping(), plan_);
    // From here on an eviction finds the mapping, once it gets the operation lock.
    plan_.pin.release();
    static_cast<void>(plan_.link ? static_cast<RefCounted*>(plan_.link.detach())
                                 : static_cast<RefCounted*>(plan_.op.buffer.detach()));
    return std::move(step).insert();
  }

 private:
  void clear_for_map() noexcept {
    if (plan_.op.type != BindType::kMap || std::exchange(cleared_, true)) return;
    PANTRY_CHECK(table_.clear(*plan_.op.range, plan_.provision.tables()).has_value());
  }

  ArmLpaeS1Table& table_;
  BindPlan& plan_;
  const RetiredObjects::Collect collect_;
  bool cleared_ = false;
};

// Whether there is anything to lay in for it.
bool touches_table(const BindOp& op) { return op.range && !op.fails_with; }

// Of a map: nobody evicts its buffer until that is mapped.
Result<FramePin> pin_of(const BindOp& op) PANTRY_MAY_ALLOCATE {
  if (!touches_table(op) || op.type != BindType::kMap) return FramePin();
  return op.buffer->pin_frames();
}

// Pre: it has a range.
BindShape shape_of(const BindOp& op) {
  BindShape shape;
  shape.range = *op.range;
  if (op.among == BindOp::Among::kRepeated) shape.cuts = BindShape::Cuts::kRepeats;
  if (op.type != BindType::kMap) return shape;
  if (op.content == BindOp::Content::kRepeated) {
    PANTRY_CHECK(op.buffer->size() == RepeatedFrames::kBytes &&
                 op.among == BindOp::Among::kRepeated);
    shape.kind = BindShape::Kind::kRepeat;
    shape.repeated = RepeatedFrames(op.buffer->frames());
  } else {
    shape.kind = BindShape::Kind::kMap;
    shape.frames = ExtentCursor(op.buffer->frames(), op.buffer_offset);
  }
  return shape;
}

// Of a map.
Mapping mapping_of(const BindPlan& plan) {
  const BindOp& op = plan.op;
  if (op.content == BindOp::Content::kRepeated)
    return Mapping::repeated(*op.range, *op.buffer, plan.link.get(), op.prot);
  return Mapping(*op.range, *op.buffer, plan.link.get(), op.buffer_offset, op.prot, plan.owner);
}

// Of a bind that has run for so long, or not at all. Once its provisioner has finished.
BindStatistics statistics_of(const BindPlan& plan, Duration run) {
  const TableReserve& tables = plan.provision.tables();
  const ReserveStatistics& pages = tables.statistics();
  return {.pages_reserved = pages.reserved,
          .pages_used = pages.used,
          .pages_returned = std::uint64_t{pages.returned} + tables.available(),
          .pages_emptied = pages.retired,
          .prepare = plan.prepared_in,
          .run = run};
}

}  // namespace

class Vm::BindJob final : public Job {
 public:
  // Takes `plan` only if it does not throw.
  BindJob(Ref<Vm> vm, BindPlan&& plan)
      : Job("panthor-vm-bind", 0), vm_(std::move(vm)), plan_(std::move(plan)) {}
  ~BindJob() override PANTRY_MAY_ALLOCATE { vm_->give_up(plan_); }
  BindPlan& plan() { return plan_; }

 private:
  const Ref<Vm> vm_;  // outlives the plan
  BindPlan plan_;
};

Result<> Vm::State::link(BindPlan& plan) {
  const BindOp& op = plan.op;
  if (op.type != BindType::kMap || !op.buffer->reservation() || op.buffer->exclusive()) return {};
  PANTRY_TRY_ASSIGN(plan.link, shared.link(op.buffer));
  return {};
}

bool Vm::State::admit(BindPlan& plan, Lack& lack) {
  plan.tree_nodes.claim(tree_nodes);
  const bool has_nodes = !plan.tree_nodes.incomplete();
  // Last, since it is not as easily taken back.
  if (has_nodes && provisioner->claim(plan.provision, lack.tables)) return true;
  lack.tree_nodes = has_nodes ? 0 : tree_nodes.next_slab_nodes();
  plan.tree_nodes.abandon();
  return false;
}

Result<> Vm::State::lay_in(const Lack& lack, BindPlan& plan) {
  if (lack.tree_nodes == 0) return provisioner->supply(lack.tables, plan.provision);
  if (faults().should_fail()) return Error(Errno::kNoMem);
  VaSlab* const slab = VaSlab::make(lack.tree_nodes);
  if (!slab) return Error(Errno::kNoMem);
  MutexLock lock(operation);
  tree_nodes.add(*slab);
  return {};
}

void Vm::State::trim_after(BindPlan& plan) noexcept {
  if (!plan.tree_nodes.forget_surplus()) return;
  for (;;) {
    VaSlab* slab = nullptr;
    {
      MutexLock lock(operation);
      slab = tree_nodes.take_surplus();
    }
    if (!slab) return;
    VaSlab::destroy(*slab);
  }
}

Result<BindPlan> Vm::plan(BindOp op) {
  State& s = *state_;
  const TimePoint start = s.time();
  PANTRY_TRY_ASSIGN(FramePin frames, pin_of(op));
  BindPlan plan(std::move(op), std::move(frames));
  if (!touches_table(plan.op)) return plan;
  PANTRY_TRY(s.link(plan));
  plan.provision = Provision(TableReserve(s.pages, s.pending_pages), shape_of(plan.op));
  PANTRY_TRY(plan.provision.tables().charge(Provisioner::kLeastCharge));
  for (;;) {
    State::Lack lack;
    {
      MutexLock lock(s.operation);
      if (s.admit(plan, lack)) break;
    }
    if (const Result<> laid_in = s.lay_in(lack, plan); !laid_in) {
      s.trim_after(plan);
      return Error(laid_in.error());
    }
  }
  plan.prepared_in = s.time() - start;
  return plan;
}

BindPlan Vm::plan_at_once(BindOp&& op, FramePin&& frames) {
  if (!touches_table(op)) return BindPlan(std::move(op), std::move(frames));
  return BindPlan(std::move(op), std::move(frames), state_->pages, shape_of);
}

Result<> Vm::run_at_once(BindPlan& plan) {
  State& s = *state_;
  const TimePoint start = s.time();
  const bool touches = touches_table(plan.op);
  TableReserve& tables = plan.provision.tables();
  if (touches) {
    PANTRY_TRY(s.link(plan));
    // For what comes from the magazine: it might have had to be allocated.
    if (s.faults().should_fail()) return Error(Errno::kNoMem);
  }
  Result<> result;
  for (;;) {
    State::Lack lack;
    {
      const SignallingSection section(s.device.cleanup);
      MutexLock lock(s.operation);
      if (touches) tables.draw_on(s.magazine);
      if (!touches || s.admit(plan, lack)) {
        plan.prepared_in = s.time() - start;
        result = s.apply_at_once(plan, *this);
        tables.fill_magazine();
        break;
      }
    }
    if (const Result<> laid_in = s.lay_in(lack, plan); !laid_in) {
      s.trim_after(plan);
      return laid_in;
    }
  }
  // apply_at_once has flushed, or touched nothing.
  tables.release_after_flush();
  s.trim_after(plan);
  return result;
}

void Vm::start(std::span<Job* const> jobs, std::span<int> errors) noexcept {
  State& s = *state_;
  const SignallingSection section(s.device.cleanup);
  std::array<BindPlan*, kMostJobs> plans;
  std::array<Result<>, kMostJobs> results;
  std::ranges::transform(jobs, plans.begin(),
                         [](Job* job) { return &static_cast<BindJob*>(job)->plan(); });
  const auto used = std::span(plans).first(jobs.size());
  {
    MutexLock lock(s.operation);
    s.apply(used, *this, std::span(results).first(jobs.size()));
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    plans[i]->provision.tables().release_after_flush();
    errors[i] = results[i] ? 0 : static_cast<int>(results[i].error());
  }
}

void Vm::give_up(BindPlan& plan) noexcept {
  State& s = *state_;
  if (plan.tree_nodes.open()) {
    MutexLock lock(s.operation);
    plan.tree_nodes.abandon();
    if (plan.provision.claimed()) {
      s.provisioner->begin(plan.provision);
      {
        const RegionLock region(s.device.spaces, *this, *plan.op.range);
        s.prune(plan);
      }
      s.provisioner->finish(plan.provision);
      s.given_up_binds.add(statistics_of(plan, {}));
    }
  }
  plan.provision.tables().release_after_flush();
  s.trim_after(plan);
}

void Vm::State::prune(BindPlan& plan) { table->prune(*plan.op.range, plan.provision.tables()); }

Result<> Vm::State::apply_at_once(BindPlan& plan, AsOwner& owner) {
  const TimePoint start = time();
  Result<> result;
  {
    // Its end flushes and unlocks: after the edit, before any retired table can be used again.
    std::optional<RegionLock> region;
    if (edits(plan))
      region.emplace(device.spaces, owner, [&] {
        operation.assert_held();
        return table->footprint(*plan.op.range);
      });
    result = run(plan);
  }
  provisioner->finish(plan.provision);
  account(plan, BindMode::kSync, result, time() - start);
  return result;
}

void Vm::State::apply(std::span<BindPlan* const> plans, AsOwner& owner,
                      std::span<Result<>> results) {
  const TimePoint start = time();
  {
    // Its end flushes and unlocks: after the last edit, before any retired table can be used again.
    std::optional<RegionLock> region;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      BindPlan& plan = *plans[i];
      // One that has failed can be the last that edits.
      const auto left = plans.subspan(i);
      if (!region && edit_any(left))
        region.emplace(device.spaces, owner, [&] {
          operation.assert_held();
          return footprint(left);
        });
      results[i] = run(plan);
      if (!results[i]) unusable = true;
      if (provisioner->must_flush(plan.provision)) region.reset();
      provisioner->finish(plan.provision);
    }
  }
  // Binds that share a flush share the time.
  Duration run;
  if (device.bind_times == BindTimes::kOn)
    run = {(time() - start).ns / static_cast<std::int64_t>(plans.size())};
  for (std::size_t i = 0; i < plans.size(); ++i)
    account(*plans[i], BindMode::kAsync, results[i], run);
}

bool Vm::State::edits(const BindPlan& plan) const {
  if (!touches_table(plan.op)) return false;
  // Else it fails, but may have tables to free that were installed for it.
  return plan.op.type != BindType::kMap || plan.purpose == BindPlan::Purpose::kRestore ||
         !unusable || plan.provision.claimed();
}

bool Vm::State::edit_any(std::span<BindPlan* const> plans) const {
  return std::ranges::any_of(plans, [&](const BindPlan* plan) {
    operation.assert_held();
    return edits(*plan);
  });
}

// What an earlier bind of these maps lies in the footprint of that one, so the footprints of all
// can be asked for before the first runs.
GpuRange Vm::State::footprint(std::span<BindPlan* const> plans) const {
  std::optional<GpuRange> all;
  for (const BindPlan* plan : plans) {
    if (!touches_table(plan->op)) continue;
    const GpuRange one = table->footprint(*plan->op.range);
    all = all ? GpuRange{std::min(all->first, one.first), std::max(all->last, one.last)} : one;
  }
  return *all;
}

Result<> Vm::State::run(BindPlan& plan) {
  const bool claimed = plan.provision.claimed();
  provisioner->begin(plan.provision);
  Result<> result = change(plan);
  // For what changed nothing in the tree.
  plan.tree_nodes.abandon();
  if (!result && claimed) prune(plan);
  return result;
}

Result<> Vm::State::change(BindPlan& plan) {
  const BindOp& op = plan.op;
  if (op.fails_with) return Error(*op.fails_with);
  if (plan.purpose == BindPlan::Purpose::kRestore) return restore(plan);
  if (op.type == BindType::kMap && unusable) return Error(Errno::kInval);
  if (!op.range) return {};
  const GpuRange range = *op.range;
  // Nothing new in the kernel's part once that is unmapped: older mappings still own their places.
  if (op.type == BindType::kMap && plan.owner == MappingOwner::kKernel && destroyed)
    return Error(Errno::kInval);
  if (plan.overlap == BindPlan::Overlap::kRefuse && space.first_in(range))
    return Error(Errno::kExist);

  Edit edit(*table, plan);
  if (op.type == BindType::kMap) {
    space.map(mapping_of(plan).va(), plan.tree_nodes, edit);
  } else {
    PANTRY_CHECK(table->unmap(range, plan.provision.tables()).has_value());
    space.unmap(range, plan.tree_nodes, edit);
  }
  return {};
}

void Vm::State::account(BindPlan& plan, BindMode mode, const Result<>& result, Duration run) {
  const BindStatistics statistics = statistics_of(plan, run);
  if (plan.owner == MappingOwner::kKernel) return kernel_binds.add(statistics);
  binds.add(plan.op, mode, result ? std::nullopt : std::optional(result.error()), statistics);
}

Result<> Vm::bind_now(BindOp&& op) {
  PANTRY_TRY_ASSIGN(FramePin frames, pin_of(op));
  BindPlan plan = plan_at_once(std::move(op), std::move(frames));
  return run_at_once(plan);
}

Result<Ref<Job>> Vm::prepare_bind(BindOp op) {
  if (destroyed() || unusable()) return Error(Errno::kInval);
  PANTRY_TRY_ASSIGN(BindPlan plan, this->plan(std::move(op)));
  try {
    if (!state_->faults().should_fail())
      return make_ref<BindJob>(Ref<Vm>::share(*this), std::move(plan));
  } catch (const std::bad_alloc&) {
  }
  give_up(plan);
  return Error(Errno::kNoMem);
}

void Vm::push(Ref<Job> job) noexcept { state_->queue->push(std::move(job)); }

void Vm::unmap_whole(GpuRange range) noexcept {
  State& s = *state_;
  BindPlan plan;
  plan.op.type = BindType::kUnmap;
  plan.op.range = range;
  plan.owner = MappingOwner::kKernel;
  plan.provision = Provision(TableReserve(s.pages));
  Result<> result;
  {
    const SignallingSection section(s.device.cleanup);
    MutexLock lock(s.operation);
    plan.tree_nodes.take_part_in_removal(s.tree_nodes);
    result = s.apply_at_once(plan, *this);
  }
  PANTRY_CHECK(result.has_value());
  plan.provision.tables().release_after_flush();
  s.trim_after(plan);
}

}  // namespace pantry::driver
