// SPDX-License-Identifier: MIT
//
// What the firmware and the MMU report.
#include <bit>

#include "driver/csf/scheduler_state.h"
#include "gpu_emu/datasheet/cs_interface.h"
#include "gpu_emu/datasheet/job_int.h"

namespace pantry::driver {

namespace csg = datasheet::csg;
namespace cs = datasheet::cs;
namespace job_int = datasheet::job_int;

// Finished jobs are looked for at once: nobody who waits for a fence has to wait for a tick.
void Scheduler::on_firmware_events(std::uint32_t job_interrupts) noexcept {
  State& s = *state_;
  {
    SignallingSection section(s.config.cleanup);
    for (std::uint32_t bits = job_int::Groups::get(job_interrupts); bits != 0; bits &= bits - 1) {
      const auto slot = static_cast<std::uint32_t>(std::countr_zero(bits));
      if (slot >= State::kMaxSlots) break;
      Ref<Group> group;
      {
        MutexLock lock(s.residents_mutex);
        if (s.residents[slot]) group = Ref<Group>::share(*s.residents[slot]);
      }
      if (group) State::finish_jobs(*group);
    }
  }
  s.pending_events.fetch_or(job_interrupts);
  s.lane.queue(s.events_work);
}

// The tick finds out which groups are at fault. Not request_tick, which takes the lock.
void Scheduler::on_vm_fault(Vm& vm, const MmuFault&) noexcept {
  if (&vm == &state_->config.firmware.vm())
    return state_->config.reset.request_reset("the firmware's address space has faulted");
  state_->lane.queue(state_->tick_work);
}

void Scheduler::State::handle_events() {
  Aftermath after;
  {
    SignallingSection section(config.cleanup);
    {
      MutexLock lock(mutex);
      const std::uint32_t bits = pending_events.exchange(0);
      if (suspended || failed) return;
      if (job_int::Global::get(bits)) {
        const std::uint32_t global = config.firmware.answer_global_events();
        if (datasheet::glb::Request::Idle::get(global)) request_tick(clock().now());
      }
      for (std::uint32_t slot = 0; slot < slot_count(); ++slot)
        if ((bits >> slot & 1) != 0) handle_slot_events(slot, after);
    }
    after.signal();
  }
  after.log();
}

void Scheduler::State::handle_slot_events(std::uint32_t slot, Aftermath& after) {
  using csg::Request;
  constexpr std::uint32_t kEvents =
      Request::SyncUpdate::kMask | Request::Idle::kMask | Request::ProgressTimerEvent::kMask;
  GroupInterface& group_slot = interface().group(slot);
  const std::uint32_t acknowledge = group_slot.request.acknowledge();
  const std::uint32_t differing = group_slot.request.request() ^ acknowledge;
  const std::uint32_t stream_request = group_slot.output.load(csg::output::kCsIrqReq);
  const std::uint32_t streams = stream_request ^ group_slot.input.load(csg::input::kCsIrqAck);
  if (differing == 0 && streams == 0) return;

  // Answered before the streams are looked at, so that what they report meanwhile comes anew.
  group_slot.input.store(csg::input::kCsIrqAck, stream_request);
  group_slot.request.answer(acknowledge, differing & kEvents);

  Group* const group = slots[slot].group.get();
  if (Request::Idle::get(differing)) request_tick(clock().now());
  if (Request::ProgressTimerEvent::get(differing) && group) {
    after.note({"no progress for too long", slot, 0, 0, 0});
    group->state_->timed_out = true;
    request_tick(clock().now());
  }
  std::uint32_t told = 0;
  for (std::uint32_t bits = streams; bits != 0; bits &= bits - 1) {
    const auto stream = static_cast<std::uint32_t>(std::countr_zero(bits));
    if (handle_stream_events(slot, stream, after)) told |= 1u << stream;
  }
  if (told != 0) group_slot.doorbells.ask(told);
  config.firmware.ring_groups(1u << slot);

  if (Request::SyncUpdate::get(differing)) {
    if (group) after.finish(*group);
    look_at_blocked(after);
  }
}

// True when the stream is held until the firmware is told that the event was seen.
bool Scheduler::State::handle_stream_events(std::uint32_t slot, std::uint32_t index,
                                            Aftermath& after) {
  using cs::Request;
  if (index >= interface().stream_slots()) return false;
  StreamInterface& stream = interface().stream(slot, index);
  const std::uint32_t acknowledge = stream.request.acknowledge();
  const std::uint32_t events = (stream.request.request() ^ acknowledge) & Request::kEventMask;
  Group* const there = slots[slot].group.get();
  Group::State* const group =
      there && index < there->state_->queues.size() ? there->state_.get() : nullptr;

  if (Request::Fatal::get(events)) {
    const std::uint32_t fatal = stream.output.load(cs::output::kFatal);
    after.note({"CS_FATAL", slot, index, fatal, stream.output.load64(cs::output::kFatalInfo)});
    if (group) group->fatal_queues |= 1u << index;
    if (cs::ExceptionWord::Type::get(fatal) == datasheet::Exception::kCsUnrecoverable)
      config.reset.request_reset("a stream is beyond recovery");
    else
      request_tick(clock().now());
  }
  if (Request::Fault::get(events)) {
    const std::uint32_t fault = stream.output.load(cs::output::kFault);
    after.note({"CS_FAULT", slot, index, fault, stream.output.load64(cs::output::kFaultInfo)});
    const bool counts =
        config.fault_errors == Config::FaultErrors::kEvery ||
        cs::ExceptionWord::Type::get(fault) == datasheet::Exception::kCsInheritFault;
    if (group && counts) group->queues[index]->set_error_at_extract(Errno::kInval);
  }
  if (Request::TilerOom::get(events) && group) group->heap_growth.ask(1u << index);
  stream.request.answer(acknowledge, events & (Request::Fatal::kMask | Request::Fault::kMask));
  return (events & (Request::Fault::kMask | Request::TilerOom::kMask)) != 0;
}

void Scheduler::State::answer_heap(Group::State& group, std::uint32_t queue,
                                   std::uint64_t chunk_word) {
  StreamInterface& stream = interface().stream(*group.slot, queue);
  stream.input.store64(cs::input::kHeapStart, chunk_word);
  stream.input.store64(cs::input::kHeapEnd, chunk_word);
  stream.request.answer(stream.request.acknowledge(), cs::Request::TilerOom::kMask);
  interface().group(*group.slot).doorbells.ask(1u << queue);
  config.firmware.ring_groups(1u << *group.slot);
}

void Scheduler::State::look_at_blocked(Aftermath& after) {
  Schedulable* next = nullptr;
  for (Schedulable* at = waiting.blocked().first(); at; at = next) {
    next = waiting.blocked().next(*at);
    auto& group = static_cast<Group::State&>(*at);
    for (const auto& queue : group.queues) {
      const std::uint32_t bit = 1u << queue->index();
      if ((group.blocked_queues & bit) == 0 || !is_released(*queue, after)) continue;
      group.blocked_queues &= ~bit;
      queue->timer().set_count(JobTimer::Count::kPaused);
    }
    judge_activity(group);
    if (group.activity == Schedulable::Activity::kBlocked) continue;
    put_waiting(group);
    request_tick_for(group);
  }
}

bool Scheduler::State::is_released(Queue& queue, Aftermath& after) {
  const SyncWait& wait = queue.sync_wait();
  const std::uint64_t bytes = wait.width == SyncWait::Width::k64 ? 8 : 4;
  if (const auto page = queue.group().vm->translate(wait.object);
      page && is_aligned(wait.object.value, bytes)) {
    void* const word = config.dram.at(page->frame + wait.object.value % kPageSize, bytes);
    if (word) {
      const InterfaceBlock object(word);
      return wait.is_released_by(bytes == 8 ? object.load64(0) : object.load(0));
    }
  }
  // It will fault when it looks by itself.
  after.note(
      {"waits for a sync object that is not mapped", ~0u, queue.index(), 0, wait.object.value});
  return true;
}

}  // namespace pantry::driver
