// SPDX-License-Identifier: MIT
//
// One level-triggered interrupt line as the driver sees it: the device sets the level, a work item
// on Lane::kIrq runs the handler while the level is high. set() never calls the handler, and
// allocates nothing.
#pragma once

#include <atomic>

#include "base/signalling.h"
#include "driver/kernel/executor.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class InterruptHandler {
 public:
  // Brings the level down, by answering or by masking what is pending; else it is called again.
  virtual void handle_interrupt() PANTRY_MAY_ALLOCATE = 0;

 protected:
  ~InterruptHandler() = default;
};

// `MemberInterrupt<Firmware, &Firmware::handle_interrupt> job_handler{firmware};`
template <class Owner, void (Owner::*Method)()>
class MemberInterrupt final : public InterruptHandler {
 public:
  explicit MemberInterrupt(Owner& owner) : owner_(owner) {}
  void handle_interrupt() override PANTRY_MAY_ALLOCATE { (owner_.*Method)(); }

 private:
  Owner& owner_;
};

class InterruptLine final : public emu::IrqLine, private Work {
 public:
  explicit InterruptLine(WorkLane& lane) : lane_(lane) {}
  // Detached by then (CHECK).
  ~InterruptLine() PANTRY_MAY_WAIT;

  // The level from before is seen too. Handlers of one device never run at the same time.
  void attach(InterruptHandler& handler);
  // Returns when the handler no longer runs. Harmless when none is attached.
  void detach() PANTRY_MAY_WAIT;

  void set(bool level) override;

 private:
  void run() override PANTRY_MAY_ALLOCATE;
  WorkLane& lane_;
  std::atomic<bool> level_{false};
  std::atomic<InterruptHandler*> handler_{nullptr};
};

}  // namespace pantry::driver
