// SPDX-License-Identifier: MIT
//
// For tests only: the address-space blocks and the MMU interrupt as the data sheet describes them,
// without a table walk. Keeps what was committed and locked, records every command in order, and
// counts what a correct driver never does. Also stands in for the GPU-wide cache flush and for the
// one who resets, so that their place in the order of things is recorded too.
//
// Any thread, also inside a SignallingSection: allocates in the constructor and in take_events
// only. The lock inside is a leaf that no simulated thread can lose the baton under.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "driver/kernel/reset_request.h"
#include "driver/mmu/address_spaces.h"
#include "gpu_emu/datasheet/lock_region.h"
#include "gpu_emu/datasheet/mmu_int.h"

namespace pantry::driver {

class FakeAsBlock final : public emu::Mmio, public CacheFlusher, public ResetRequest {
  template <class Body>
  auto guarded(Body body) {
    std::lock_guard lock(mutex_);
    return body();
  }

 public:
  using Command = datasheet::address_space::Command;

  struct Event {
    enum class Kind { kCommand, kCacheFlush, kReset } kind = Kind::kCommand;
    std::uint32_t as = 0;
    Command command = Command::kNop;
    std::uint64_t lockaddr = 0;  // when the command was given
    AsConfig config;             // the registers when the command was given
  };
  struct Space {
    std::array<std::uint32_t, 16> words{};
    AsConfig committed{{0}, 0, 1};
    bool locked = false;
    std::uint64_t locked_region = 0;
    std::uint32_t busy_reads = 0;
    bool stuck = false;
  };

  FakeAsBlock() { events_.reserve(kMaxEvents); }

  // Each command shows as active for `reads` reads of STATUS.
  void set_busy_reads(std::uint32_t reads) { busy_reads_ = reads; }
  void set_stuck(std::uint32_t as) {
    guarded([&] { spaces_[as].stuck = true; });
  }
  // Called during each cache flush, with no lock held; may be null.
  class FlushObserver {
   public:
    virtual void on_flush() noexcept = 0;

   protected:
    ~FlushObserver() = default;
  };
  void set_flush_observer(FlushObserver* observer) { observer_ = observer; }
  void set_flush_outcome(Outcome outcome) { flush_outcome_ = outcome; }

  void raise_fault(std::uint32_t as, std::uint32_t status, std::uint64_t address) {
    guarded([&] {
      word(as, datasheet::address_space::kFaultStatus) = status;
      word(as, datasheet::address_space::kFaultAddress) = static_cast<std::uint32_t>(address);
      spaces_[as].words[datasheet::address_space::kFaultAddress.offset / 4 + 1] =
          static_cast<std::uint32_t>(address >> 32);
      rawstat_ |= 1u << as;
    });
  }

  Space space(std::uint32_t as) {
    return guarded([&] { return spaces_[as]; });
  }
  std::uint32_t mask() {
    return guarded([&] { return mask_; });
  }
  std::uint32_t rawstat() {
    return guarded([&] { return rawstat_; });
  }
  // Since the last call; only the first kMaxEvents are kept.
  static constexpr std::size_t kMaxEvents = 4096;
  std::vector<Event> take_events() {
    std::vector<Event> events;
    events.reserve(kMaxEvents);
    guarded([&] { events_.swap(events); });
    return events;
  }
  // Register accesses of any kind.
  std::uint64_t accesses() {
    return guarded([&] { return accesses_; });
  }
  std::uint32_t resets() {
    return guarded([&] { return resets_; });
  }
  // The first of what a correct driver never does, or null: a command while one is active, a flush
  // or UNLOCK of a region that is not locked, a change of a register while a command is active.
  const char* mistake() {
    return guarded([&] { return mistake_; });
  }

  std::uint32_t read32(std::uint32_t offset) override {
    return guarded([&]() -> std::uint32_t {
      ++accesses_;
      if (offset == datasheet::mmu_int::kRawstat) return rawstat_;
      if (offset == datasheet::mmu_int::kMask) return mask_;
      if (offset == datasheet::mmu_int::kStatus) return rawstat_ & mask_;
      Space& space = spaces_[as_of(offset)];
      if (in_block(offset) == datasheet::address_space::kStatus) {
        if (space.stuck) return 1;
        return space.busy_reads != 0 && space.busy_reads-- != 0;
      }
      return space.words[in_block(offset) / 4];
    });
  }

  void write32(std::uint32_t offset, std::uint32_t value) override {
    guarded([&] {
      ++accesses_;
      if (offset == datasheet::mmu_int::kClear) {
        rawstat_ &= ~value;
      } else if (offset == datasheet::mmu_int::kMask) {
        mask_ = value;
      } else if (in_block(offset) == datasheet::address_space::kCommand) {
        execute(as_of(offset), static_cast<Command>(value));
      } else {
        Space& space = spaces_[as_of(offset)];
        if (space.busy_reads != 0) note_mistake("a register changes under a command");
        space.words[in_block(offset) / 4] = value;
      }
    });
  }

  Outcome flush_all_caches() noexcept override {
    guarded([&] { note({Event::Kind::kCacheFlush, 0, Command::kNop, 0, {}}); });
    if (observer_) observer_->on_flush();
    return flush_outcome_;
  }
  void request_reset(const char*) noexcept override {
    guarded([&] {
      ++resets_;
      note({Event::Kind::kReset, 0, Command::kNop, 0, {}});
    });
  }

 private:
  static std::uint32_t as_of(std::uint32_t offset) {
    return (offset - datasheet::address_space::kFirstBlock) / datasheet::address_space::kBlockBytes;
  }
  static std::uint32_t in_block(std::uint32_t offset) {
    return (offset - datasheet::address_space::kFirstBlock) % datasheet::address_space::kBlockBytes;
  }
  std::uint32_t& word(std::uint32_t as, datasheet::Register reg) {
    return spaces_[as].words[reg.offset / 4];
  }
  std::uint64_t word64(std::uint32_t as, datasheet::Register reg) {
    return word(as, reg) | std::uint64_t{spaces_[as].words[reg.offset / 4 + 1]} << 32;
  }

  void note(const Event& event) {
    if (events_.size() < kMaxEvents) events_.push_back(event);
  }
  void note_mistake(const char* what) {
    if (!mistake_) mistake_ = what;
  }

  void execute(std::uint32_t as, Command command) {
    namespace regs = datasheet::address_space;
    Space& space = spaces_[as];
    if (space.busy_reads != 0) note_mistake("a command while one is active");
    const AsConfig config{
        {word64(as, regs::kTranstab)}, word64(as, regs::kMemattr), word64(as, regs::kTranscfg)};
    note({Event::Kind::kCommand, as, command, word64(as, regs::kLockaddr), config});
    space.busy_reads = busy_reads_;
    switch (command) {
      case Command::kUpdate:
        space.committed = config;
        break;
      case Command::kLock:
        space.locked = true;
        space.locked_region = word64(as, regs::kLockaddr);
        break;
      case Command::kUnlock:
      case Command::kFlushPt:
      case Command::kFlushMem:
        if (!space.locked) note_mistake("a flush or UNLOCK of what is not locked");
        space.locked = false;
        break;
      case Command::kNop:
        break;
    }
  }

  std::mutex mutex_;
  std::array<Space, AddressSpaces::kMaxSlots> spaces_;
  std::uint32_t rawstat_ = 0;
  std::uint32_t mask_ = 0;
  std::uint32_t busy_reads_ = 0;
  Outcome flush_outcome_ = Outcome::kDone;
  FlushObserver* observer_ = nullptr;
  std::vector<Event> events_;
  const char* mistake_ = nullptr;
  std::uint64_t accesses_ = 0;
  std::uint32_t resets_ = 0;
};

}  // namespace pantry::driver
