// SPDX-License-Identifier: MIT
//
// One CS slot of a group: reads what the host configured, starts and stops the stream, publishes
// its status and its events.
//
// Invariants: the acknowledge word is ours alone, so `ack_` is always what the shared section says;
// payload words are stored before the acknowledge that announces them. A slot that is not started
// keeps nothing of a former stream. Called with the device's lock held; only log lines allocate.
#pragma once

#include <cstdint>

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/cs/stream.h"
#include "gpu_emu/mcu/firmware_env.h"
#include "gpu_emu/mcu/queue_pages.h"
#include "gpu_emu/mcu/toggle_events.h"

namespace pantry::emu {

class CsSlot {
 public:
  CsSlot(FirmwareEnv& env, StreamId id);

  // At boot: nothing runs, nothing is pending.
  void boot();

  bool is_wanted() const;  // req.state is START
  // Reads the configuration and translates the queue's pages. kStalled: nothing happened. Pre: not
  // started.
  Progress prepare();
  // After prepare() in the same run: begins at EXTRACT_INIT.
  void start(AsIndex as);
  // The same with the state of a suspended stream.
  void resume(AsIndex as, const StreamState& state);
  // The same when the saved state cannot be trusted: the stream is dead from the beginning.
  void start_corrupted(AsIndex as);
  // The group starts without this stream.
  void stay_off();
  // Translates the queue's pages, for retire(). Pre: started.
  Progress open_pages();
  // Forgets the stream; the host sees it as not active when its pages can be reached.
  void retire();
  // The same without touching memory: power was cut.
  void forget();

  // A bit of the group's doorbell_req: state changes, acknowledged faults, answers to TILER_OOM,
  // and new work.
  Progress answer(AsIndex as);
  bool has_unanswered_request() const;
  // A doorbell of the queue itself.
  void ring();

  // Reads what doorbells announced. kStalled: later. Pre: started.
  Progress refresh();
  // Claims endpoints, from `at` on, for the oldest work of each kind that has no claim yet.
  void claim_endpoints(TimePoint at);
  // The oldest work of that kind is done since `at`; claims for the next.
  void finish_endpoint_work(EndpointKind kind, TimePoint at);
  // Writes down in the stream's state how far its endpoint work has come.
  void settle_endpoint_work();
  // When endpoint work of the stream will have had endpoints for `timer`; see EndpointArbiter.
  TimePoint endpoints_held_for(Duration timer) const;

  // Says why the stream stopped, when that is the host's business, and how the stream stands.
  void after_run(StreamStop stop);
  void publish_status();

  bool is_started() const { return started_; }
  // Nothing to do now, by the conditions that the host accepts as idle.
  bool is_idle() const;
  bool may_run() const { return started_ && stream_.state.faulted == 0 && stream_.state.dead == 0; }
  std::uint32_t doorbell_page() const { return doorbell_page_; }
  std::uint8_t priority() const { return priority_; }
  StreamId id() const { return id_; }
  Stream& stream() { return stream_; }
  const Stream& stream() const { return stream_; }
  std::uint64_t* extract_word() const { return pages_.extract(); }

  // Toggles the events that the host can take now. True when the host wants to hear of one.
  bool raise_events();

 private:
  std::uint32_t load_request() const;
  void store_ack(std::uint32_t ack);
  void mirror(std::uint32_t request);
  void begin(AsIndex as);
  void report_fault();
  void report_fatal();
  bool is_configured() const;
  bool is_fault_answered(std::uint32_t request) const;
  bool is_heap_request_answered(std::uint32_t request) const;
  void requeue();
  InFlightOp* oldest_endpoint_work(EndpointKind kind);

  FirmwareEnv& env_;
  StreamId id_;
  SharedBlock input_;
  SharedBlock output_;
  Stream stream_;
  QueuePages pages_;
  ToggleEvents events_;
  std::uint32_t ack_ = 0;
  std::uint8_t priority_ = 0;
  std::uint8_t doorbell_page_ = 0;
  bool started_ = false;
  bool insert_is_stale_ = false;
};

}  // namespace pantry::emu
