// SPDX-License-Identifier: MIT
//
// The device's address-space slots and who sits in them. This room is the only code that writes AS registers.
//
// A VM (AsOwner) becomes active when a group of it is bound to a CSG slot, once per bound group. It keeps a slot it still
// owns; else takes the lowest free one; else evicts the VM that has been idle longest; else EBUSY. When its count drops to
// 0 it stays programmed at the tail of the idle list, so its page-table updates still need flushes. AS 0 is the MCU's.
// Sequences: mali-csf-hw.md §1.5, errata B.3, B.7. A command that does not finish in 100 ms asks for a reset.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "base/result.h"
#include "base/types.h"
#include "driver/kernel/clock.h"
#include "driver/kernel/reset_request.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

// What the registers of an address space hold while its VM is active.
struct AsConfig {
  PhysAddr root;
  std::uint64_t memattr = 0;
  std::uint64_t transcfg = 0;
};

// A decoded MMU fault.
struct MmuFault {
  std::uint32_t as = 0;
  GpuVa address;
  std::uint32_t status = 0;  // FAULTSTATUS as read: exception type 7:0, access 9:8, source 31:16
};

class AddressSpaces;

// The part of a VM that the slots know. Must have been removed (AddressSpaces::remove) when it dies.
class AsOwner {
 public:
  virtual AsConfig as_config() const noexcept = 0;
  // On the interrupt lane, after the address space was disabled; no lock held.
  virtual void on_mmu_fault(const MmuFault& fault) noexcept = 0;

 protected:
  ~AsOwner() = default;

 private:
  friend class AddressSpaces;
  friend class RegionLock;
  // Guarded by the lock of AddressSpaces.
  std::optional<std::uint32_t> slot_;
  std::uint32_t active_ = 0;
  bool faulted_ = false;
  AsOwner* idle_next_ = nullptr;
  AsOwner* idle_previous_ = nullptr;
};

class AddressSpaces {
 public:
  static constexpr std::uint32_t kMaxSlots = 32;

  // `present`: AS_PRESENT, bit 0 and at least one more.
  AddressSpaces(emu::Mmio& mmio, Clock& clock, std::uint32_t present, ResetRequest& reset);

  // The slot number that the firmware is to use. Clears an earlier fault of `owner` and enables the slot again. EBUSY when
  // every slot is active. Device polls; not from the interrupt lane.
  Result<std::uint32_t> activate(AsOwner& owner);
  void deactivate(AsOwner& owner);
  // The MCU's address space: always slot 0.
  Result<> activate_mcu(AsOwner& owner);
  // Takes the slot away, if any, and disables it. `owner` is not active.
  void remove(AsOwner& owner);

  // Slots usable by groups at once, AS 0 not counted: 7 on the G610.
  std::uint32_t user_slots() const;

  // The body of the MMU interrupt: latched faults are read, their address spaces disabled, their owners told.
  void handle_interrupt();
  // Interrupts on, with nothing pending: after power-up. Off: before power-down or reset.
  void unmask_interrupts();
  void mask_interrupts();
  // Runtime suspend: disables every slot in use, 0 first, and forgets the assignments. `kForget` writes no register (the
  // device was reset).
  enum class Registers { kDisable, kForget };
  void drop_all(Registers registers);

  // For the report: visit(slot, owner or null, active count).
  struct SlotView {
    std::uint32_t slot = 0;
    const AsOwner* owner = nullptr;
    std::uint32_t active = 0;
    bool faulted = false;
  };
  template <class Visit>
  void for_each_slot(Visit visit) const;
  struct Counters {
    std::uint64_t assignments = 0;
    std::uint64_t evictions = 0;
    std::uint64_t flushes = 0;
    std::uint64_t faults = 0;
  };
  Counters counters() const;

 private:
  friend class RegionLock;
  emu::Mmio& mmio_;
  Clock& clock_;
  const std::uint32_t present_;
  ResetRequest& reset_;
  // May be held inside a SignallingSection: under it only device polls happen, no allocation and no other wait.
  mutable Mutex mutex_;
  std::array<AsOwner*, kMaxSlots> owners_ PANTRY_GUARDED_BY(mutex_){};
  AsOwner* idle_first_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  AsOwner* idle_last_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  std::uint32_t masked_faults_ PANTRY_GUARDED_BY(mutex_) = 0;
  Counters counters_ PANTRY_GUARDED_BY(mutex_);
};

template <class Visit>
void AddressSpaces::for_each_slot(Visit visit) const {
  MutexLock lock(mutex_);
  for (std::uint32_t slot = 0; slot < kMaxSlots; ++slot) {
    if (!(present_ >> slot & 1)) continue;
    const AsOwner* owner = owners_[slot];
    visit(SlotView{slot, owner, owner ? owner->active_ : 0, owner ? owner->faulted_ : false});
  }
}

}  // namespace pantry::driver
