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

// Performs the steps of one bind, and keeps one reference for each mapping. Of the page table only
// the new mapping is left to do: whatever was mapped in the range has been unmapped as a whole.
class Edit final : public StepVisitor {
 public:
  Edit(ArmLpaeS1Table& table, BindPlan& plan)
      : table_(table), plan_(plan), collect_(plan.retired) {}

  Done<UnmapStep> unmap(UnmapStep step) noexcept override {
    Mapping(step.old()).kept().release();
    return std::move(step).remove();
  }
  Done<KeepLeftStep> keep_left(KeepLeftStep step) noexcept override {
    return std::move(step).keep();
  }
  Done<KeepRightStep> keep_right(KeepRightStep step) noexcept override {
    return std::move(step).keep();
  }
  Done<KeepBothStep> keep_both(KeepBothStep step) noexcept override {
    Mapping(step.old()).kept().acquire();
    return std::move(step).keep();
  }
  Done<MapStep> map(MapStep step) noexcept override {
    map_leaves(table_, step.mapping(), plan_);
    Mapping(step.mapping()).kept().acquire();
    return std::move(step).insert();
  }

 private:
  ArmLpaeS1Table& table_;
  BindPlan& plan_;
  const RetiredObjects::Collect collect_;
};

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

// Once its provisioner has finished.
void note_pages(BindPlan& plan) {
  const TableReserve& tables = plan.provision.tables();
  const ReserveStatistics& pages = tables.statistics();
  plan.statistics.pages_reserved = pages.reserved;
  plan.statistics.pages_used = pages.used;
  plan.statistics.pages_returned = pages.returned + tables.available();
  plan.statistics.pages_emptied = pages.retired;
}

}  // namespace

class Vm::BindJob final : public Job {
 public:
  // Takes `plan` only if it does not throw.
  BindJob(Ref<Vm> vm, BindPlan&& plan)
      : Job("panthor-vm-bind", 0), vm_(std::move(vm)), plan_(std::move(plan)) {}
  ~BindJob() override { vm_->give_up(plan_); }
  BindPlan& plan() { return plan_; }

 private:
  const Ref<Vm> vm_;  // outlives the plan
  BindPlan plan_;
};

Result<BindPlan> Vm::plan(BindOp op, TableReserve tables) {
  State& s = *state_;
  const TimePoint start = s.clock().now();
  BindPlan plan;
  plan.op = std::move(op);
  if (!plan.op.range || plan.op.fails_with) return plan;

  const bool map = plan.op.type == BindType::kMap;
  if (map) {
    PANTRY_TRY_ASSIGN(plan.pin, plan.op.buffer->pin());
  }
  if (map && plan.op.buffer->reservation() && !plan.op.buffer->exclusive()) {
    PANTRY_TRY_ASSIGN(plan.link, s.shared.link(plan.op.buffer));
  }
  plan.tree_nodes = VaReserve::for_operation(s.tree_nodes);
  while (plan.tree_nodes.incomplete())
    if (s.faults().should_fail() || !s.tree_nodes.grow()) return Error(Errno::kNoMem);
  // Last, since what it claims must be taken back.
  PANTRY_TRY_ASSIGN(plan.provision,
                    s.provisioner->prepare(shape_of(plan.op), std::move(tables), s.operation));
  plan.statistics.prepare = s.clock().now() - start;
  return plan;
}

Result<> Vm::run(BindPlan& plan, BindMode mode) noexcept {
  State& s = *state_;
  const SignallingSection section(s.device.cleanup);
  BindPlan* const plans[] = {&plan};
  Result<> results[1];
  {
    MutexLock lock(s.operation);
    s.apply(plans, mode, *this, results);
  }
  // apply has flushed, or touched nothing.
  plan.provision.tables().release_after_flush();
  return results[0];
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
    s.apply(used, BindMode::kAsync, *this, std::span(results).first(jobs.size()));
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    plans[i]->provision.tables().release_after_flush();
    errors[i] = results[i] ? 0 : static_cast<int>(results[i].error());
  }
}

void Vm::give_up(BindPlan& plan) noexcept {
  if (!plan.provision.claimed()) return;
  State& s = *state_;
  {
    MutexLock lock(s.operation);
    s.provisioner->begin(plan.provision);
    {
      const RegionLock region(s.device.spaces, *this, *plan.op.range);
      s.prune(plan);
    }
    s.provisioner->finish(plan.provision);
    note_pages(plan);
    s.given_up_binds.add(plan.statistics);
  }
  plan.provision.tables().release_after_flush();
}

void Vm::State::prune(BindPlan& plan) { table->prune(*plan.op.range, plan.provision.tables()); }

void Vm::State::apply(std::span<BindPlan* const> plans, BindMode mode, AsOwner& owner,
                      std::span<Result<>> results) {
  const TimePoint start = clock().now();
  // What an earlier bind of these maps lies in the footprint of that one, so the footprints of all
  // can be asked for before the first runs.
  std::optional<GpuRange> edited;
  for (const BindPlan* plan : plans) {
    const std::optional<GpuRange> one = footprint(*plan);
    if (!one) continue;
    edited = edited
                 ? GpuRange{std::min(edited->first, one->first), std::max(edited->last, one->last)}
                 : *one;
  }
  {
    // Its end flushes and unlocks: after the last edit, before any retired table can be used again.
    std::optional<RegionLock> region;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      BindPlan& plan = *plans[i];
      if (edited && !region) region.emplace(device.spaces, owner, *edited);
      const bool claimed = plan.provision.claimed();
      provisioner->begin(plan.provision);
      results[i] = apply(plan);
      if (!results[i]) {
        if (claimed) prune(plan);
        if (mode == BindMode::kAsync) unusable = true;
      }
      if (provisioner->must_flush(plan.provision)) region.reset();
      provisioner->finish(plan.provision);
    }
  }
  // Binds that share a flush share the time.
  const Duration run{(clock().now() - start).ns / static_cast<std::int64_t>(plans.size())};
  for (std::size_t i = 0; i < plans.size(); ++i) account(*plans[i], mode, results[i], run);
}

std::optional<GpuRange> Vm::State::footprint(const BindPlan& plan) const {
  const BindOp& op = plan.op;
  if (!op.range || op.fails_with) return std::nullopt;
  // Fails, but may have tables to free that were installed for it.
  if (op.type == BindType::kMap && plan.purpose == BindPlan::Purpose::kBind && unusable)
    return plan.provision.claimed() ? op.range : std::nullopt;
  return table->footprint(*op.range);
}

Result<> Vm::State::apply(BindPlan& plan) {
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

  TableReserve& tables = plan.provision.tables();
  const Result<std::uint64_t> unmapped =
      op.type == BindType::kMap ? table->clear(range, tables) : table->unmap(range, tables);
  PANTRY_CHECK(unmapped.has_value());
  Edit edit(*table, plan);
  if (op.type == BindType::kMap)
    space.map(mapping_of(plan).va(), plan.tree_nodes, edit);
  else
    space.unmap(range, plan.tree_nodes, edit);
  return {};
}

void Vm::State::account(BindPlan& plan, BindMode mode, const Result<>& result, Duration run) {
  note_pages(plan);
  plan.statistics.run = run;
  if (plan.owner == MappingOwner::kKernel) return kernel_binds.add(plan.statistics);
  binds.add({plan.op.type, mode, plan.op.range,
             result ? std::nullopt : std::optional(result.error()), plan.statistics});
}

Result<> Vm::bind_now(BindOp op) {
  PANTRY_TRY_ASSIGN(BindPlan plan, this->plan(std::move(op), TableReserve(state_->device.pages)));
  return run(plan, BindMode::kSync);
}

Result<Ref<Job>> Vm::prepare_bind(BindOp op) {
  if (destroyed() || unusable()) return Error(Errno::kInval);
  State& s = *state_;
  PANTRY_TRY_ASSIGN(BindPlan plan,
                    this->plan(std::move(op), TableReserve(s.device.pages, s.pending_pages)));
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
  BindPlan plan;
  plan.op.type = BindType::kUnmap;
  plan.op.range = range;
  plan.owner = MappingOwner::kKernel;
  plan.provision = Provision(TableReserve(state_->device.pages));
  plan.tree_nodes = VaReserve::for_removal(state_->tree_nodes);
  const Result<> unmapped = run(plan, BindMode::kSync);
  PANTRY_CHECK(unmapped.has_value());
}

}  // namespace pantry::driver
