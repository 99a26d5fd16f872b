// SPDX-License-Identifier: MIT
//
// One address-space block: its registers as the driver wrote them, the configuration that UPDATE
// committed, the locked region, the command in progress and the fault latch. What a command does to
// the caches is the Mmu's business (mmu.h).
//
// A fault goes through three states. Raised: the latch holds it, and the offender stalls. Then the
// driver disables the address space (UPDATE with UNMAPPED): what was stalled is aborted without a
// new fault. Then it commits tables again: as new. While a fault is unanswered the latch keeps the
// first one (quirk).
//
// Called with the device's lock held. Nothing here allocates.
#pragma once

#include <cstdint>
#include <optional>

#include "base/types.h"
#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/mmu/gpu_memory.h"
#include "gpu_emu/mmu/translation_config.h"

namespace pantry::emu {

// A read-only picture of one address space, for the report and for tests.
struct AddressSpaceDump {
  AsIndex as;
  ConfigWords committed;
  ConfigWords written;  // differs from `committed` between a register write and UPDATE
  std::optional<GpuRange> locked;
  enum class Fault : std::uint8_t { kNone, kUnanswered, kAborting } fault = Fault::kNone;
  std::uint32_t fault_status = 0;  // the latch; keeps the last fault
  GpuVa fault_address;
};

class AddressSpace {
 public:
  using Command = datasheet::address_space::Command;
  using Fault = AddressSpaceDump::Fault;

  // A command with the registers it works on, as they were when it was issued.
  struct Issued {
    Command command = Command::kNop;
    ConfigWords config;
    GpuRange region;
    TimePoint done;
  };

  // By offset within the block. COMMAND goes to issue() instead.
  std::uint32_t read(std::uint32_t offset) const;
  void write(std::uint32_t offset, std::uint32_t value);

  // STATUS.Active is set between issue and finish. Pre for issue: no command is in progress.
  void issue(Command command, TimePoint done);
  const std::optional<Issued>& in_progress() const { return in_progress_; }
  Issued finish();

  // UPDATE. Answers a fault.
  void commit(const ConfigWords& words, const TranslationConfig& config);
  const TranslationConfig& config() const { return config_; }
  const ConfigWords& committed() const { return committed_; }
  const ConfigWords& written() const { return written_; }

  void lock(GpuRange region);
  void unlock();
  const std::optional<GpuRange>& locked() const { return locked_; }

  // Latches a fault. False when an unanswered one keeps its place, or is the same one met again.
  enum class WhenLatched : std::uint8_t { kKeep, kOverwrite };
  bool latch_fault(std::uint32_t status, GpuVa address, WhenLatched when_latched);
  Fault fault() const { return fault_; }

  // Tables are committed, nothing is locked, no fault is unanswered: an access need not look at any
  // of these.
  bool open() const { return open_; }

  AddressSpaceDump dump(AsIndex as) const;

 private:
  void refresh_open();

  ConfigWords written_;
  ConfigWords committed_;
  std::uint64_t lockaddr_ = 0;
  std::optional<Issued> in_progress_;
  TranslationConfig config_;
  std::optional<GpuRange> locked_;
  Fault fault_ = Fault::kNone;
  std::uint32_t fault_status_ = 0;
  GpuVa fault_address_;
  bool open_ = false;
};

}  // namespace pantry::emu
