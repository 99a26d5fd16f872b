// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/csg_slot.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/log.h"

namespace pantry::emu {
namespace {

namespace in = datasheet::csg::input;
namespace out = datasheet::csg::output;
using datasheet::csg::Request;
using datasheet::csg::State;

// See cs_slot.cc: all that is neither state nor event.
constexpr std::uint32_t kMirrored = ~(Request::kEventMask | Request::StateField::kMask);

template <std::size_t... kIndex>
std::array<CsSlot, sizeof...(kIndex)> make_streams(FirmwareEnv& env, std::uint32_t group,
                                                   std::index_sequence<kIndex...>) {
  return {CsSlot(env, StreamId::of(group, kIndex))...};
}

}  // namespace

CsgSlot::CsgSlot(FirmwareEnv& env, std::uint32_t group)
    : env_(env),
      group_(group),
      input_(env.section, layout::csg_input(group)),
      output_(env.section, layout::csg_output(group)),
      streams_(make_streams(env, group, std::make_index_sequence<kStreamSlots>{})) {
  for (std::uint32_t i = 0; i < kStreamSlots; ++i) peers_[i] = &streams_[i].stream();
}

void CsgSlot::store_ack(std::uint32_t ack) {
  ack_ = ack;
  output_.store(out::kAck, ack);
}

void CsgSlot::forget() {
  for (CsSlot& stream : streams_) stream.forget();
  events_.forget();
  stream_interrupts_.forget();
  idle_.busy();
  is_running_ = false;
  has_progress_timeout_ = false;
}

void CsgSlot::boot() {
  forget();
  for (CsSlot& stream : streams_) stream.boot();
  doorbell_ack_ = input_.load(in::kDoorbellReq);
  output_.store(out::kDoorbellAck, doorbell_ack_);
  stream_interrupt_req_ = input_.load(in::kCsIrqAck);
  output_.store(out::kCsIrqReq, stream_interrupt_req_);
  // Nothing runs, so a group that is said to be suspended or gone is, and any other is gone.
  const std::uint32_t request = input_.load(in::kReq);
  seen_request_ = request;
  const bool is_suspended = Request::StateField::get(request) == State::kSuspend;
  store_ack(Request::StateField::set(request, is_suspended ? State::kSuspend : State::kTerminate));
}

bool CsgSlot::has_unanswered_request() const {
  if (((input_.load(in::kReq) ^ seen_request_) & ~Request::kEventMask) != 0) return true;
  return is_running_ && std::any_of(streams_.begin(), streams_.end(), [](const CsSlot& stream) {
           return stream.has_unanswered_request();
         });
}

Progress CsgSlot::answer() {
  const std::uint32_t request = input_.load(in::kReq);
  const State wanted = Request::StateField::get(request);
  if (change_state(wanted) == Progress::kStalled) return Progress::kStalled;
  if (((request ^ ack_) & Request::EndpointConfig::kMask) != 0) take_endpoint_config();

  const std::uint32_t bells = input_.load(in::kDoorbellReq) ^ doorbell_ack_;
  for (std::uint32_t i = 0; is_running_ && i < kStreamSlots; ++i) {
    if ((bells >> i & 1) == 0 && !streams_[i].has_unanswered_request()) continue;
    if (streams_[i].answer(address_space_) == Progress::kStalled) return Progress::kStalled;
    take_endpoint_config();  // a stream may have brought its priority
  }
  update_idleness();
  if (((request ^ ack_) & Request::StatusUpdate::kMask) != 0) publish_status();
  seen_request_ = request;
  doorbell_ack_ ^= bells;
  output_.store(out::kDoorbellAck, doorbell_ack_);

  std::uint32_t ack = (ack_ & ~kMirrored) | (request & kMirrored);
  if (wanted <= State::kResume) ack = Request::StateField::set(ack, wanted);
  const std::uint32_t changed = ack ^ ack_;
  if (changed != 0) {
    store_ack(ack);
    if ((changed & input_.load(in::kAckIrqMask)) != 0) {
      env_.interrupts |= 1u << group_;
    }
  }
  raise_events();
  return Progress::kDone;
}

Progress CsgSlot::change_state(State wanted) {
  switch (wanted) {
    case State::kTerminate:
      if (is_running_) terminate();
      return Progress::kDone;
    case State::kStart:
    case State::kResume:
      return is_running_ ? Progress::kDone : start(wanted);
    case State::kSuspend:
      return is_running_ ? suspend() : Progress::kDone;
  }
  log_client("gpu_emu/mcu", "CSG {}: state {} requested, which does not exist", group_,
             static_cast<unsigned>(wanted));
  return Progress::kDone;
}

void CsgSlot::take_endpoint_config() {
  using datasheet::csg::EndpointReq;
  const std::uint32_t endpoints = input_.load(in::kEndpointReq);
  priority_ = static_cast<std::uint8_t>(EndpointReq::Priority::get(endpoints));
  constexpr std::uint32_t kExclusive =
      EndpointReq::ExclusiveCompute::kMask | EndpointReq::ExclusiveFragment::kMask;
  if ((endpoints & kExclusive) != 0 && !has_logged_exclusive_) {
    has_logged_exclusive_ = true;
    log_gap("gpu_emu/mcu", "CSG {}: endpoints for it alone ({:#x}) are shared like all others",
            group_, endpoints);
  }
  EndpointRights rights;
  rights.shares = {{{input_.load64(in::kAllowCompute), EndpointReq::Compute::get(endpoints)},
                    {input_.load64(in::kAllowFragment), EndpointReq::Fragment::get(endpoints)},
                    {input_.load(in::kAllowOther), EndpointReq::Tiler::get(endpoints)}}};
  for (const CsSlot& stream : streams_) {
    rights.priority = RunQueue::priority_of(priority_, stream.priority());
    env_.queue.set_priority(stream.id(), priority_, stream.priority());
    env_.endpoints.set_rights(stream.id(), rights, env_.now);
  }
  output_.store(out::kStatusEndpointReq, endpoints);
}

// Exactly the streams whose request says START, whatever the acknowledges say: the host changes
// them without a doorbell while the slot is not in use.
Progress CsgSlot::start(State wanted) {
  SavedStreams& saved = env_.saved;
  SuspendBuffer::Loaded loaded = {MemoryStatus::kOk, SuspendBuffer::Content::kIntact};
  saved.mask = 0;
  if (wanted == State::kResume) {
    loaded = env_.suspend_buffer.load(env_.memory, GpuVa{input_.load64(in::kSuspendBuf)}, saved,
                                      env_.now);
    if (loaded.status != MemoryStatus::kOk) return Progress::kStalled;
  }
  for (CsSlot& stream : streams_) {
    stream.forget();
    if (stream.is_wanted() && stream.prepare() == Progress::kStalled) return Progress::kStalled;
  }

  address_space_ = AsIndex{
      static_cast<std::uint8_t>(datasheet::csg::Config::Jasid::get(input_.load(in::kConfig)))};
  is_running_ = true;
  idle_.busy();
  events_.forget();
  stream_interrupts_.forget();
  has_progress_timeout_ = false;
  if (loaded.content == SuspendBuffer::Content::kCorrupted) {
    log_error("gpu_emu/mcu", "CSG {}: the suspend buffer at {:#x} is not what SUSPEND wrote",
              group_, input_.load64(in::kSuspendBuf));
  }
  for (std::uint32_t i = 0; i < kStreamSlots; ++i) {
    if (!streams_[i].is_wanted()) {
      streams_[i].stay_off();
    } else if (loaded.content == SuspendBuffer::Content::kCorrupted) {
      streams_[i].start_corrupted(address_space_);
    } else if ((saved.mask >> i & 1) != 0) {
      streams_[i].resume(address_space_, saved.streams[i]);
    } else {
      streams_[i].start(address_space_);
    }
  }
  take_endpoint_config();
  return Progress::kDone;
}

Progress CsgSlot::halt() { return is_running_ ? suspend() : Progress::kDone; }

Progress CsgSlot::suspend() {
  SavedStreams& saved = env_.saved;
  saved.mask = 0;
  for (std::uint32_t i = 0; i < kStreamSlots; ++i) {
    if (!streams_[i].is_started()) continue;
    if (streams_[i].open_pages() == Progress::kStalled) return Progress::kStalled;
    streams_[i].settle_endpoint_work();
    saved.mask |= 1u << i;
    saved.streams[i] = streams_[i].stream().state;
  }
  const GpuVa buffer{input_.load64(in::kSuspendBuf)};
  if (env_.suspend_buffer.save(env_.memory, buffer, saved, env_.now) != MemoryStatus::kOk)
    return Progress::kStalled;
  if (env_.misbehaviour && env_.misbehaviour->corrupts_suspend_buffer())
    env_.suspend_buffer.corrupt(env_.memory, buffer);
  publish_status();
  leave();
  return Progress::kDone;
}

void CsgSlot::terminate() {
  publish_status();
  leave();
}

// SYNC_UPDATE still counts: the host looks at the fences of the group that has left.
void CsgSlot::leave() {
  for (CsSlot& stream : streams_) stream.retire();
  events_.drop(Request::Idle::kMask | Request::ProgressTimerEvent::kMask);
  is_running_ = false;
  has_progress_timeout_ = false;
  idle_.busy();
  publish_endpoints();
}

void CsgSlot::publish_status() {
  for (CsSlot& stream : streams_) stream.publish_status();
  publish_endpoints();
  output_.store(out::kStatusState, datasheet::csg::StatusState::Idle::of(is_idle()));
}

// What the group has of each, not what it asked for.
void CsgSlot::publish_endpoints() {
  using datasheet::csg::EndpointReq;
  const auto held = [this](EndpointKind kind) {
    int count = 0;
    for (const CsSlot& stream : streams_) {
      count += std::popcount(env_.endpoints.held_by({stream.id(), kind}));
    }
    return static_cast<std::uint32_t>(count);
  };
  output_.store(out::kStatusEndpointCurrent,
                EndpointReq::Compute::of(held(EndpointKind::kCompute)) |
                    EndpointReq::Fragment::of(held(EndpointKind::kFragment)) |
                    EndpointReq::Tiler::of(held(EndpointKind::kTiler)));
}

bool CsgSlot::is_idle() const {
  return std::all_of(streams_.begin(), streams_.end(),
                     [](const CsSlot& stream) { return stream.is_idle(); });
}

void CsgSlot::update_idleness() {
  if (is_running_ && is_idle()) {
    idle_.idle(env_.now);
  } else {
    idle_.busy();
  }
}

void CsgSlot::ring(std::uint32_t page) {
  if (!is_running_) return;
  for (CsSlot& stream : streams_) {
    if (stream.is_started() && stream.doorbell_page() == page) stream.ring();
  }
}

std::uint32_t CsgSlot::run(Interpreter& interpreter, std::uint32_t index, std::uint32_t limit) {
  CsSlot& slot = streams_[index];
  if (slot.refresh() == Progress::kStalled) {
    env_.queue.put(slot.id(), StreamPlace::kStalled);
    return 0;
  }
  if (!slot.may_run()) {  // refresh() found nonsense
    raise_events();
    return 0;
  }
  Stream& stream = slot.stream();
  const Interpreter::Result result =
      interpreter.run(stream, peers_, slot.extract_word(), limit, env_.now);
  slot.after_run(result.stop);
  slot.claim_endpoints(env_.now);
  const StreamEvents events = std::exchange(stream.events, {});
  if (events.sync_written) env_.queue.wake(StreamPlace::kSyncWait);
  if (events.progress_changed) env_.queue.wake_group(StreamPlace::kProgressWait, group_);
  if (events.heap_changed) env_.queue.wake_group(StreamPlace::kHeapWait, group_);
  if (events.sync_update) events_.post(Request::SyncUpdate::kMask);
  if (result.executed != 0) idle_.busy();  // even if it is idle again: the period starts anew
  update_idleness();
  raise_events();
  return result.executed;
}

void CsgSlot::post_idle() {
  events_.post(Request::Idle::kMask);
  idle_.reported();
}

void CsgSlot::post_progress_timeout() {
  events_.post(Request::ProgressTimerEvent::kMask);
  has_progress_timeout_ = true;
}

void CsgSlot::raise_events() {
  bool tell = false;
  for (std::uint32_t i = 0; i < kStreamSlots; ++i) {
    if (streams_[i].raise_events()) stream_interrupts_.post(1u << i);
  }
  if (stream_interrupts_.waiting() != 0) {
    const std::uint32_t toggled =
        stream_interrupts_.take(input_.load(in::kCsIrqAck), stream_interrupt_req_);
    if (toggled != 0) {
      stream_interrupt_req_ ^= toggled;
      output_.store(out::kCsIrqReq, stream_interrupt_req_);
      tell = true;
    }
  }
  if (events_.waiting() != 0) {
    const std::uint32_t toggled = events_.take(input_.load(in::kReq), ack_);
    if (toggled != 0) {
      store_ack(ack_ ^ toggled);
      tell |= (toggled & input_.load(in::kAckIrqMask)) != 0;
    }
  }
  if (tell) env_.interrupts |= 1u << group_;
}

}  // namespace pantry::emu
