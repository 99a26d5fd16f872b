// SPDX-License-Identifier: MIT
//
// One group slot: a group is put on it, its state and that of its queues are taken over from the
// firmware, it is taken off.
#include <algorithm>

#include "base/check.h"
#include "driver/csf/scheduler_state.h"
#include "gpu_emu/datasheet/cs_interface.h"
#include "gpu_emu/datasheet/cs_operand.h"

namespace pantry::driver {

namespace csg = datasheet::csg;
namespace cs = datasheet::cs;
using csg::EndpointReq;

// False when the device does not answer. A group that nobody references any more is left out.
bool Scheduler::State::bind(Group::State& group, std::uint32_t slot, std::uint8_t priority) {
  if (!group.self->try_acquire()) {
    waiting.remove(group);
    return true;
  }
  Ref<Group> reference = Ref<Group>::adopt(group.self);
  const Result<std::uint32_t> as = group.vm->activate();
  if (!as) return false;
  waiting.remove(group);
  group.slot = slot;
  ++group.residency;
  slots[slot].group = std::move(reference);
  slots[slot].priority = priority;
  {
    MutexLock lock(residents_mutex);
    residents[slot] = group.self;
  }
  program(group, *as, priority);
  return true;
}

void Scheduler::State::unbind(std::uint32_t slot) {
  const Ref<Group> reference = std::move(slots[slot].group);
  {
    MutexLock lock(residents_mutex);
    residents[slot] = nullptr;
  }
  Group::State& group = *reference->state_;
  group.vm->deactivate();
  group.slot.reset();
  // The firmware asks again when the group is back.
  group.heap_growth.forget();
  judge_activity(group);
  if (group.can_run())
    put_waiting(group);
  else
    kill(group);
}

void Scheduler::State::program(Group::State& group, std::uint32_t as, std::uint8_t priority) {
  const std::uint32_t slot = *group.slot;
  for (const auto& queue : group.queues) {
    StreamInterface& stream = interface().stream(slot, queue->index());
    Ring& ring = queue->ring();
    ring.begin_at_extract();
    stream.input.store64(cs::input::kRingbufBase, ring.base().value);
    stream.input.store(cs::input::kRingbufSize, ring.bytes());
    stream.input.store64(cs::input::kRingbufInput, ring.input_page().value);
    stream.input.store64(cs::input::kRingbufOutput, ring.output_page().value);
    stream.input.store(cs::input::kConfig,
                       cs::Config::Priority::of(queue->priority()) |
                           cs::Config::DoorbellPage::of(Firmware::queue_doorbell(slot)));
    stream.input.store(cs::input::kAckIrqMask, ~std::uint32_t{0});
    constexpr std::uint32_t kStart =
        cs::Request::StateField::of(cs::State::kStart) | cs::Request::ExtractEvent::kMask |
        cs::Request::IdleSyncWait::kMask | cs::Request::IdleEmpty::kMask;
    stream.request.set(kStart, kStart | cs::Request::StateField::kMask);
    queue->timer().set_count(JobTimer::Count::kRunning);
  }

  GroupInterface& interface_of = interface().group(slot);
  InterfaceBlock& input = interface_of.input;
  const GroupArgs& args = group.args;
  input.store64(csg::input::kAllowCompute, args.compute_core_mask);
  input.store64(csg::input::kAllowFragment, args.fragment_core_mask);
  input.store(csg::input::kAllowOther, static_cast<std::uint32_t>(args.tiler_core_mask));
  const auto tilers = std::min<std::uint32_t>(args.max_tiler_cores, EndpointReq::Tiler::kMax);
  input.store(csg::input::kEndpointReq, EndpointReq::Compute::of(args.max_compute_cores) |
                                            EndpointReq::Fragment::of(args.max_fragment_cores) |
                                            EndpointReq::Tiler::of(tilers) |
                                            EndpointReq::Priority::of(priority));
  input.store(csg::input::kConfig, csg::Config::Jasid::of(as));
  input.store64(csg::input::kSuspendBuf, group.suspend_buffer.va().value);
  input.store64(csg::input::kProtmSuspendBuf, group.protected_suspend_buffer.va().value);
  input.store(csg::input::kAckIrqMask, ~std::uint32_t{0});
  interface_of.doorbells.ask(group.all_queues());
}

void Scheduler::State::set_priority(std::uint32_t slot, std::uint8_t priority) {
  InterfaceBlock& input = interface().group(slot).input;
  input.store(
      csg::input::kEndpointReq,
      EndpointReq::Priority::set(input.load(csg::input::kEndpointReq), std::uint32_t{priority}));
}

std::uint32_t Scheduler::State::apply(SlotUpdate& update, Aftermath& after) {
  const std::uint32_t missing = update.apply();
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot) {
    if ((missing >> slot & 1) != 0)
      after.note({"the firmware does not answer for 100 ms", slot, 0, 0,
                  interface().group(slot).request.differing()});
    if (update.answered(slot, csg::Request::EndpointConfig::kMask))
      slots[slot].priority = static_cast<std::uint8_t>(
          EndpointReq::Priority::get(interface().group(slot).input.load(csg::input::kEndpointReq)));
    if (update.answered(slot, csg::Request::StateField::kMask)) take_over_state(slot, after);
    if (update.answered(slot, csg::Request::StatusUpdate::kMask)) take_over_queues(slot);
  }
  return missing;
}

void Scheduler::State::take_over_state(std::uint32_t slot, Aftermath& after) {
  using Context = Group::State::Context;
  Group::State& group = *slots[slot].group->state_;
  const bool was_on_slot = group.context == Context::kOnSlot;
  const std::uint32_t acknowledge = interface().group(slot).request.acknowledge();
  switch (csg::Request::StateField::get(acknowledge)) {
    case csg::State::kStart:
    case csg::State::kResume:
      group.context = Context::kOnSlot;
      return;
    case csg::State::kSuspend:
      take_over_queues(slot);
      group.context = Context::kSuspended;
      break;
    case csg::State::kTerminate:
      group.context = Context::kNone;
      group.terminated = true;
      break;
    default:
      // Then its context cannot be trusted either.
      after.note({"the firmware reports a state that does not exist", slot, 0, 0, acknowledge});
      group.terminated = true;
      config.reset.request_reset("a group slot is in a state that does not exist");
      break;
  }
  if (was_on_slot) leave_slot(group);
}

// No doorbell: the firmware looks at the streams when the slot is used next.
void Scheduler::State::leave_slot(Group::State& group) {
  for (const auto& queue : group.queues) {
    interface()
        .stream(*group.slot, queue->index())
        .request.set(cs::Request::StateField::of(cs::State::kStop), cs::Request::StateField::kMask);
    // The time that a group waits for a slot is not its fault; an endless wait for a sync object
    // is.
    if ((group.blocked_queues >> queue->index() & 1) == 0)
      queue->timer().set_count(JobTimer::Count::kPaused);
  }
}

void Scheduler::State::take_over_queues(std::uint32_t slot) {
  Group::State& group = *slots[slot].group->state_;
  group.idle_queues = 0;
  group.blocked_queues = 0;
  for (const auto& queue : group.queues) {
    const InterfaceBlock& output = interface().stream(slot, queue->index()).output;
    const std::uint32_t bit = 1u << queue->index();
    const bool drained = output.load(cs::output::kStatusScoreboards) == 0;
    switch (cs::BlockedReasonField::get(output.load(cs::output::kStatusBlockedReason))) {
      case cs::BlockedReason::kUnblocked:
        if (drained && queue->ring().insert() == queue->ring().extract()) group.idle_queues |= bit;
        break;
      case cs::BlockedReason::kSyncWait: {
        // With work of its own still under way the stream is not blocked yet.
        if (drained) group.blocked_queues |= bit;
        const std::uint32_t wait = output.load(cs::output::kStatusWait);
        SyncWait& sync_wait = queue->sync_wait();
        sync_wait.object = {output.load64(cs::output::kStatusWaitSyncPtr)};
        sync_wait.reference = output.load(cs::output::kStatusWaitSyncValue);
        sync_wait.width = SyncWait::Width::k32;
        if (cs::StatusWait::Sync64::get(wait)) {
          sync_wait.width = SyncWait::Width::k64;
          sync_wait.reference |= std::uint64_t{output.load(cs::output::kStatusWaitSyncValueHi)}
                                 << 32;
        }
        constexpr auto kGreater =
            static_cast<std::uint32_t>(datasheet::isa::SyncCondition::kGreater);
        sync_wait.release = cs::StatusWait::SyncCondition::get(wait) == kGreater
                                ? SyncWait::Release::kGreater
                                : SyncWait::Release::kNotGreater;
        break;
      }
      default:
        break;  // it goes on by itself
    }
  }
  judge_activity(group);
}

}  // namespace pantry::driver
