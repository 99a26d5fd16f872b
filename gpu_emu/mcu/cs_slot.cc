// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/cs_slot.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "base/log.h"
#include "gpu_emu/datasheet/cs_interface.h"
#include "gpu_emu/mcu/cs_status.h"

namespace pantry::emu {
namespace {

namespace in = datasheet::cs::input;
namespace out = datasheet::cs::output;
using datasheet::Exception;
using datasheet::cs::ExceptionWord;
using datasheet::cs::Request;
using datasheet::cs::State;

constexpr std::uint64_t kMinRingBytes = 4 * kKiB;
constexpr std::uint64_t kMaxRingBytes = 64 * kKiB;
// How far INSERT may run over a full ring. A host that takes a job's place back when the job's sync
// object was counted up, as Linux does, is ahead of EXTRACT by what follows SYNC_ADD64 in the job:
// ERROR_BARRIER and padding, less than 64 bytes.
constexpr std::uint64_t kJobTailBytes = 64;

// What the acknowledge copies. More than today's drivers use: a request bit that is neither state
// nor event and stays different would make them ring again and again.
constexpr std::uint32_t kMirrored = ~(Request::kEventMask | Request::StateField::kMask);

constexpr std::array<EndpointKind, kEndpointKinds> kAllEndpoints = {
    EndpointKind::kCompute, EndpointKind::kFragment, EndpointKind::kTiler};

const char* name_of(EndpointKind kind) {
  switch (kind) {
    case EndpointKind::kCompute:
      return "compute";
    case EndpointKind::kFragment:
      return "fragment";
    case EndpointKind::kTiler:
      return "tiler";
  }
  return "unknown";
}

StreamPlace place_of_block(datasheet::cs::BlockedReason reason) {
  using datasheet::cs::BlockedReason;
  switch (reason) {
    case BlockedReason::kProgressWait:
      return StreamPlace::kProgressWait;
    case BlockedReason::kSyncWait:
      return StreamPlace::kSyncWait;
    case BlockedReason::kResource:
      return StreamPlace::kHeapWait;
    case BlockedReason::kUnblocked:
    case BlockedReason::kScoreboardWait:
    case BlockedReason::kDeferred:
    case BlockedReason::kFlush:
      break;
  }
  return StreamPlace::kScoreboardWait;
}

}  // namespace

CsSlot::CsSlot(FirmwareEnv& env, StreamId id)
    : env_(env),
      id_(id),
      input_(env.section, layout::cs_input(id.group(), id.stream())),
      output_(env.section, layout::cs_output(id.group(), id.stream())) {}

std::uint32_t CsSlot::load_request() const { return input_.load(in::kReq); }

void CsSlot::store_ack(std::uint32_t ack) {
  ack_ = ack;
  output_.store(out::kAck, ack);
}

void CsSlot::mirror(std::uint32_t request) {
  const std::uint32_t ack = (ack_ & ~kMirrored) | (request & kMirrored);
  if (ack != ack_) store_ack(ack);
}

void CsSlot::boot() {
  forget();
  store_ack(load_request() & ~Request::StateField::kMask);
}

bool CsSlot::is_wanted() const { return Request::StateField::get(load_request()) == State::kStart; }

bool CsSlot::is_configured() const {
  return stream_.ring_bytes >= kMinRingBytes && stream_.ring_bytes <= kMaxRingBytes &&
         std::has_single_bit(stream_.ring_bytes) &&
         is_aligned(stream_.ring_base.value, kPageSize) && pages_.are_valid();
}

Progress CsSlot::prepare() {
  const std::uint32_t config = input_.load(in::kConfig);
  priority_ = static_cast<std::uint8_t>(datasheet::cs::Config::Priority::get(config));
  doorbell_page_ = static_cast<std::uint8_t>(datasheet::cs::Config::DoorbellPage::get(config));
  stream_ = Stream{};
  stream_.ring_base = GpuVa{input_.load64(in::kRingbufBase)};
  stream_.ring_bytes = input_.load(in::kRingbufSize);
  pages_ =
      QueuePages(GpuVa{input_.load64(in::kRingbufInput)}, GpuVa{input_.load64(in::kRingbufOutput)});
  return is_configured() ? open_pages() : Progress::kDone;  // begin() reports it
}

// Common to all ways of starting. Leftovers of a former group count neither as state nor as events.
void CsSlot::begin(AsIndex as) {
  started_ = true;
  events_.forget();
  stream_.address_space = as;
  store_ack(load_request());
  if (!is_configured()) {
    log_client("gpu_emu/mcu",
               "CSG {} CS {}: ring of {:#x} bytes at {:#x}, or its pages, cannot be used",
               id_.group(), id_.stream(), stream_.ring_bytes, stream_.ring_base.value);
    stream_.state.dead = 1;
    stream_.exception = {Exception::kCsConfigFault, stream_.ring_base.value};
    report_fatal();
    return;
  }
  if (input_.load(in::kInstrbufSize) != 0) {
    log_gap("gpu_emu/mcu", "CSG {} CS {}: no instruction trace is written to the buffer at {:#x}",
            id_.group(), id_.stream(), input_.load64(in::kInstrbufBase));
  }
  insert_is_stale_ = true;
  pages_.store_activity(QueuePages::Activity::kActive);
}

void CsSlot::start(AsIndex as) {
  stream_.state.registers.fill(env_.quirks.initial_register);
  stream_.state.endpoint_entry = env_.quirks.initial_scoreboard;
  stream_.state.other_entry = env_.quirks.initial_scoreboard;
  if (is_configured()) {
    stream_.state.extract = pages_.load_extract_init();
    pages_.store_extract(stream_.state.extract);
  }
  begin(as);
  requeue();
}

void CsSlot::resume(AsIndex as, const StreamState& state) {
  stream_.state = state;
  begin(as);
  // Both words were made equal, so answer() will find a fault acknowledged. An unanswered TILER_OOM
  // comes again: the host drops its answer when the group has left its slot.
  if (state.heap_request == HeapRequest::kAsked) stream_.state.heap_request = HeapRequest::kNone;
  requeue();
}

void CsSlot::start_corrupted(AsIndex as) {
  begin(as);
  stream_.state.dead = 1;
  stream_.exception = {Exception::kCsfFwInternalError, 0};
  report_fatal();
  requeue();
}

void CsSlot::stay_off() { store_ack(load_request()); }

Progress CsSlot::open_pages() {
  if (!pages_.are_valid()) return Progress::kDone;
  return pages_.open(env_.memory, env_.slice) == MemoryStatus::kOk ? Progress::kDone
                                                                   : Progress::kStalled;
}

void CsSlot::retire() {
  if (started_ && pages_.are_valid() && pages_.open(env_.memory, env_.slice) == MemoryStatus::kOk) {
    pages_.store_activity(QueuePages::Activity::kInactive);
  }
  forget();
}

void CsSlot::forget() {
  stream_ = Stream{};
  pages_ = QueuePages{};
  events_.forget();
  started_ = false;
  insert_is_stale_ = false;
  env_.endpoints.withdraw(id_, env_.now);
  env_.queue.put(id_, StreamPlace::kOff);
}

void CsSlot::requeue() { env_.queue.put(id_, may_run() ? StreamPlace::kReady : StreamPlace::kOff); }

bool CsSlot::is_fault_answered(std::uint32_t request) const {
  const std::uint32_t pending = (request ^ ack_) | events_.waiting();
  return started_ && stream_.state.faulted != 0 && !Request::Fault::get(pending);
}

bool CsSlot::is_heap_request_answered(std::uint32_t request) const {
  const std::uint32_t pending = (request ^ ack_) | events_.waiting();
  return started_ && stream_.state.heap_request == HeapRequest::kAsked &&
         !Request::TilerOom::get(pending);
}

bool CsSlot::has_unanswered_request() const {
  const std::uint32_t request = load_request();
  return ((request ^ ack_) & ~Request::kEventMask) != 0 || is_fault_answered(request) ||
         is_heap_request_answered(request);
}

Progress CsSlot::answer(AsIndex as) {
  const std::uint32_t request = load_request();
  const State wanted = Request::StateField::get(request);
  if (wanted == State::kStart && !started_) {
    if (prepare() == Progress::kStalled) return Progress::kStalled;
    start(as);
    return Progress::kDone;
  }
  if (wanted == State::kStop) {
    publish_status();
    retire();
    store_ack((ack_ & ~Request::StateField::kMask) | Request::StateField::of(State::kStop));
  }
  mirror(request);
  if (!started_) return Progress::kDone;

  StreamState& state = stream_.state;
  if (is_fault_answered(request)) state.faulted = 0;
  if (is_heap_request_answered(request)) {
    state.heap_granted_first = input_.load64(in::kHeapStart);
    state.heap_granted_last = input_.load64(in::kHeapEnd);
    const bool granted = state.heap_granted_first != 0 && state.heap_granted_last != 0;
    state.heap_request = granted ? HeapRequest::kGranted : HeapRequest::kRefused;
  }
  ring();
  return Progress::kDone;
}

void CsSlot::ring() {
  insert_is_stale_ = true;
  requeue();
}

Progress CsSlot::refresh() {
  if (pages_.open(env_.memory, env_.slice) != MemoryStatus::kOk) return Progress::kStalled;
  if (!insert_is_stale_) return Progress::kDone;
  insert_is_stale_ = false;
  const std::uint64_t insert = pages_.load_insert();
  const std::uint64_t extract = stream_.state.extract;
  if (insert - extract > stream_.ring_bytes + kJobTailBytes ||
      !is_aligned(insert | extract, datasheet::isa::kInstructionBytes)) {
    log_client("gpu_emu/mcu", "CSG {} CS {}: INSERT {:#x} is not in the ring behind EXTRACT {:#x}",
               id_.group(), id_.stream(), insert, extract);
    stream_.state.dead = 1;
    stream_.exception = {Exception::kCsConfigFault, insert};
    after_run(StreamStop::kFatal);
    return Progress::kDone;
  }
  stream_.insert = insert;
  return Progress::kDone;
}

void CsSlot::after_run(StreamStop stop) {
  StreamPlace place = StreamPlace::kOff;
  switch (stop) {
    case StreamStop::kLimit:
      place = StreamPlace::kReady;
      break;
    case StreamStop::kRingEmpty:
      break;
    case StreamStop::kBlocked:
      place = place_of_block(stream_.blocked);
      break;
    case StreamStop::kStalled:
      place = StreamPlace::kStalled;
      break;
    case StreamStop::kFault:
      report_fault();
      break;
    case StreamStop::kFatal:
      report_fatal();
      break;
    case StreamStop::kAborted:
      log_info("gpu_emu/mcu", "CSG {} CS {}: access to {:#x} aborted", id_.group(), id_.stream(),
               stream_.exception.info);
      if (env_.quirks.abort_report == Quirks::AbortReport::kCsFault) report_fault();
      break;
  }
  if (stream_.events.heap_exhausted) {
    const HeapReport& report = stream_.heap_report;
    output_.store(out::kHeapVtStart, report.vt_start);
    output_.store(out::kHeapVtEnd, report.vt_end);
    output_.store(out::kHeapFragEnd, report.frag_end);
    output_.store64(out::kHeapAddress, report.context.value);
    events_.post(Request::TilerOom::kMask);
  }
  if (stream_.state.dead != 0) env_.endpoints.withdraw(id_, env_.now);
  env_.queue.put(id_, place);
}

void CsSlot::claim_endpoints(TimePoint at) {
  if (!started_ || stream_.state.dead != 0) return;
  const InFlightOps& ops = stream_.state.in_flight;
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    const EndpointArbiter::Claimant claimant = {id_, ops[i].endpoint};
    if (!ops[i].waits_for_endpoint() || env_.endpoints.has_claim(claimant)) continue;
    if (!env_.endpoints.may_hold_any(claimant)) {
      log_client("gpu_emu/mcu",
                 "CSG {} CS {}: {} work of a group that may use no such endpoint waits for ever",
                 id_.group(), id_.stream(), name_of(ops[i].endpoint));
    }
    env_.endpoints.claim(claimant, {{ops[i].work_ns}, {ops[i].held_ns}}, at);
  }
}

// In issue order the first one of its kind is the one that was claimed for.
InFlightOp* CsSlot::oldest_endpoint_work(EndpointKind kind) {
  InFlightOps& ops = stream_.state.in_flight;
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    if (ops[i].waits_for_endpoint() && ops[i].endpoint == kind) return &ops[i];
  }
  return nullptr;
}

void CsSlot::finish_endpoint_work(EndpointKind kind, TimePoint at) {
  InFlightOp* const op = oldest_endpoint_work(kind);
  PANTRY_CHECK(op != nullptr);
  op->done_ns = at.ns;
  claim_endpoints(at);
}

void CsSlot::settle_endpoint_work() {
  for (const EndpointKind kind : kAllEndpoints) {
    if (!env_.endpoints.has_claim({id_, kind})) continue;
    const EndpointArbiter::Account account = env_.endpoints.account({id_, kind}, env_.now);
    InFlightOp* const op = oldest_endpoint_work(kind);
    PANTRY_CHECK(op != nullptr);
    op->work_ns = account.left.ns;
    op->held_ns = account.held.ns;
  }
}

TimePoint CsSlot::endpoints_held_for(Duration timer) const {
  TimePoint first = TimePoint::never();
  for (const EndpointKind kind : kAllEndpoints) {
    first = std::min(first, env_.endpoints.held_for({id_, kind}, timer));
  }
  return first;
}

void CsSlot::report_fault() {
  log_info("gpu_emu/mcu", "CSG {} CS {}: CS_FAULT {} ({:#x}) at {:#x}", id_.group(), id_.stream(),
           name_of(stream_.exception.type), stream_.exception.info, stream_.pc().value);
  output_.store(out::kFault, ExceptionWord::Type::of(stream_.exception.type));
  output_.store64(out::kFaultInfo, stream_.exception.info);
  publish_status();
  events_.post(Request::Fault::kMask);
}

void CsSlot::report_fatal() {
  log_info("gpu_emu/mcu", "CSG {} CS {}: CS_FATAL {} ({:#x}) at {:#x}", id_.group(), id_.stream(),
           name_of(stream_.exception.type), stream_.exception.info, stream_.pc().value);
  output_.store(out::kFatal, ExceptionWord::Type::of(stream_.exception.type));
  output_.store64(out::kFatalInfo, stream_.exception.info);
  publish_status();
  events_.post(Request::Fatal::kMask);
}

void CsSlot::publish_status() {
  if (started_) store_cs_status(stream_, output_);
}

bool CsSlot::is_idle() const {
  if (!started_) return true;
  // What a doorbell announced has not been looked at, or the host has to act.
  if (insert_is_stale_ || !may_run()) return false;
  const std::uint32_t request = load_request();
  if (stream_.drained()) return Request::IdleEmpty::get(request);
  return stream_.blocked == datasheet::cs::BlockedReason::kSyncWait &&
         stream_.state.scoreboard.busy() == 0 && Request::IdleSyncWait::get(request);
}

bool CsSlot::raise_events() {
  if (events_.waiting() == 0) return false;
  const std::uint32_t toggled = events_.take(load_request(), ack_);
  if (toggled == 0) return false;
  store_ack(ack_ ^ toggled);
  return (toggled & input_.load(in::kAckIrqMask)) != 0;
}

}  // namespace pantry::emu
