// SPDX-License-Identifier: MIT
//
// The device's address-space slots and who sits in them. This room is the only code that writes AS
// registers.
//
// A VM (AsOwner) becomes active when a group of it is bound to a CSG slot, once per bound group. It
// keeps a slot it still owns; else takes the lowest free one; else evicts the VM that has been idle
// longest; else EBUSY. When its count drops to 0 it stays programmed at the tail of the idle list,
// so its page-table updates still need flushes. AS 0 is the MCU's.
//
// A slot changes hands in the order of Linux 6.12: LOCK of the whole space, FLUSH_MEM, new values,
// UPDATE; a slot that is taken from its owner is disabled in between, so that nothing of the old
// tables can be cached for the new owner. Only page-table edits use the newer LOCK, edit, flush,
// UNLOCK (region_lock.h). A command that does not finish in 100 ms asks for a reset, and the caller
// goes on as if it had finished: the reset drops everything that the device has cached.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "base/result.h"
#include "base/signalling.h"
#include "base/types.h"
#include "driver/kernel/clock.h"
#include "driver/kernel/reset_request.h"
#include "driver/mmu/as_registers.h"
#include "driver/mmu/cache_flusher.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class AddressSpaces;

// The part of a VM that the slots know. Must have been removed (AddressSpaces::remove) when it
// dies.
class AsOwner {
 public:
  // The same for the owner's whole life. Called under the lock of AddressSpaces.
  virtual AsConfig as_config() const noexcept = 0;
  // On the interrupt lane, after the address space was disabled; no lock held. The owner is alive
  // during the call, but its last reference may be gone already: take none.
  virtual void on_mmu_fault(const MmuFault& fault) noexcept = 0;

 protected:
  ~AsOwner() = default;

 private:
  friend class AddressSpaces;
  // Guarded by the lock of AddressSpaces.
  std::optional<std::uint32_t> slot_;
  std::uint32_t active_ = 0;
  bool faulted_ = false;
  AsOwner* idle_next_ = nullptr;
  AsOwner* idle_previous_ = nullptr;

  // Bits: a RegionLock is alive; the owner has a slot, or is about to get one; somebody waits for
  // the end of the RegionLock. Changed without the lock only from 0 to kUpdating and back: updates
  // of an owner that no slot knows meet nobody.
  static constexpr std::uint32_t kUpdating = 1;
  static constexpr std::uint32_t kSlotted = 2;
  static constexpr std::uint32_t kAwaited = 4;
  std::atomic<std::uint32_t> update_{0};
  bool updating() const { return update_.load(std::memory_order_acquire) & kUpdating; }
};

class AddressSpaces {
 public:
  static constexpr std::uint32_t kMaxSlots = AsRegisters::kMaxCount;

  // `present`: AS_PRESENT, bit 0 and at least one more.
  AddressSpaces(emu::Mmio& mmio, Clock& clock, std::uint32_t present, CacheFlusher& caches,
                ResetRequest& reset);

  // The slot number that the firmware is to use. The first activation after an idle time clears an
  // earlier fault of `owner` and enables the slot again. EBUSY when every slot is active, ETIMEDOUT
  // when the device does not answer. Device polls; waits for a RegionLock that stands in the way;
  // so not from the interrupt lane.
  Result<std::uint32_t> activate(AsOwner& owner);
  void deactivate(AsOwner& owner);
  // The MCU's address space: always slot 0, never idle.
  Result<> activate_mcu(AsOwner& owner);
  // Takes the slot away, if any, and disables it. `owner` is not active. On return no call to
  // on_mmu_fault is under way or will come. Not from the interrupt lane.
  void remove(AsOwner& owner);
  // A fault since the last activation from idle.
  bool faulted(const AsOwner& owner) const;

  // Slots usable by groups at once, AS 0 not counted: 7 on the G610.
  std::uint32_t user_slots() const;

  // The body of the MMU interrupt: latched faults are read, their address spaces disabled, their
  // owners told. A slot that faulted stays masked until it is enabled again.
  void handle_interrupt() PANTRY_MAY_ALLOCATE;
  // Interrupts on, with nothing pending: after power-up. Off: before power-down or reset.
  void unmask_interrupts();
  void mask_interrupts();
  // Every owner loses its slot once its page-table update, if any, is through; the counts of
  // activate stay, and an active owner gets a slot again when it is next activated. Updates that
  // start later find no slot and touch no register, so bind queues need not be stopped around a
  // reset if this is called before it. kDisable: runtime suspend, each slot in use is disabled
  // first, in order. kForget writes no register (the device is about to be reset, or was).
  enum class Registers { kDisable, kForget };
  void drop_all(Registers registers);

  // For the report: visit(SlotView) for each slot that is present, from one snapshot; `owner` is
  // for comparing only.
  struct SlotView {
    std::uint32_t slot = 0;
    const AsOwner* owner = nullptr;
    std::uint32_t active = 0;
    bool faulted = false;
  };
  template <class Visit>
  void for_each_slot(Visit visit) const {
    const Snapshot snapshot = slots();
    for (std::uint32_t i = 0; i < snapshot.count; ++i) visit(snapshot.views[i]);
  }
  struct Counters {
    std::uint64_t assignments = 0;
    std::uint64_t evictions = 0;
    std::uint64_t flushes = 0;
    std::uint64_t faults = 0;
  };
  Counters counters() const;

 private:
  friend class RegionLock;
  struct Snapshot {
    std::array<SlotView, kMaxSlots> views;
    std::uint32_t count = 0;
  };
  Snapshot slots() const;
  // False: the owner has a slot, or is getting one; begin_update, which needs the range, sees.
  bool begin_update_without_slot(AsOwner& owner) noexcept {
    std::uint32_t idle = 0;
    return owner.update_.compare_exchange_strong(idle, AsOwner::kUpdating,
                                                 std::memory_order_acquire);
  }
  void begin_update(AsOwner& owner, GpuRange range);
  void end_update(AsOwner& owner) {
    std::uint32_t alone = AsOwner::kUpdating;
    if (!owner.update_.compare_exchange_strong(alone, 0, std::memory_order_release))
      end_update_with_slot(owner);
  }
  // Of an owner that has a slot, or whose end somebody waits for.
  void end_update_with_slot(AsOwner& owner);
  // From now on updates of `owner` take the lock. False: one is under way, whose end is told.
  bool bar_updates(AsOwner& owner) PANTRY_REQUIRES(mutex_);
  // Undoes that, if the owner has no slot after all.
  void unbar_updates(AsOwner& owner) PANTRY_REQUIRES(mutex_);
  // Pre: updates are barred.
  Result<> take_slot(AsOwner& owner, std::uint32_t slot) PANTRY_REQUIRES(mutex_);
  void drop_slot(AsOwner& owner, Registers registers) PANTRY_REQUIRES(mutex_);
  std::optional<std::uint32_t> free_slot() const PANTRY_REQUIRES(mutex_);
  void disable(std::uint32_t slot) PANTRY_REQUIRES(mutex_);
  void write_interrupt_mask() PANTRY_REQUIRES(mutex_);
  void push_idle(AsOwner& owner) PANTRY_REQUIRES(mutex_);
  void unlink_idle(AsOwner& owner) PANTRY_REQUIRES(mutex_);
  void answer_fault(std::uint32_t slot) PANTRY_MAY_ALLOCATE;

  const std::uint32_t present_;
  CacheFlusher& caches_;
  ResetRequest& reset_;
  // May be held inside a SignallingSection: under it only device polls happen, no allocation and no
  // other wait.
  mutable Mutex mutex_;
  CondVar changed_;  // an update ended, or on_mmu_fault returned
  AsRegisters registers_ PANTRY_GUARDED_BY(mutex_);
  std::array<AsOwner*, kMaxSlots> owners_ PANTRY_GUARDED_BY(mutex_){};
  AsOwner* idle_first_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  AsOwner* idle_last_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  const AsOwner* told_ PANTRY_GUARDED_BY(mutex_) = nullptr;  // whose on_mmu_fault runs
  std::uint32_t locked_ PANTRY_GUARDED_BY(mutex_) = 0;       // slots with a locked region
  std::uint32_t masked_ PANTRY_GUARDED_BY(mutex_) = 0;       // slots whose fault interrupt is off
  bool interrupts_on_ PANTRY_GUARDED_BY(mutex_) = false;
  Counters counters_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::driver
