// SPDX-License-Identifier: MIT
#include "driver/mmu/address_spaces.h"

#include <bit>

#include "base/check.h"
#include "base/log.h"

namespace pantry::driver {
namespace {

namespace regs = datasheet::address_space;

constexpr std::uint32_t kMcuSlot = 0;
// MMU_INT bits 15:0; the bits above are completed commands, which nobody waits for.
constexpr std::uint32_t kAllFaults = 0xffff;

constexpr std::uint32_t bit(std::uint32_t slot) { return std::uint32_t{1} << slot; }

void log_fault(const MmuFault& fault) PANTRY_MAY_ALLOCATE {
  const auto access = regs::FaultStatus::Access::get(fault.status);
  const auto type = regs::FaultStatus::Type::get(fault.status);
  log_info("driver/mmu", "AS {}: {} ({:#x}) on {} of {:#x}, source {:#x}: the address space is off",
           fault.as, datasheet::name_of(type), static_cast<unsigned>(type),
           datasheet::name_of(access), fault.address.value,
           regs::FaultStatus::SourceId::get(fault.status));
}

}  // namespace

AddressSpaces::AddressSpaces(emu::Mmio& mmio, Clock& clock, std::uint32_t present,
                             CacheFlusher& caches, ResetRequest& reset)
    : present_(present), caches_(caches), reset_(reset), registers_(mmio, clock, reset) {
  PANTRY_CHECK((present & bit(kMcuSlot)) != 0 && std::popcount(present) >= 2);
  PANTRY_CHECK(present <= kAllFaults);
}

Result<std::uint32_t> AddressSpaces::activate(AsOwner& owner) {
  MutexLock lock(mutex_);
  for (;;) {
    if (owner.slot_ && (owner.active_ != 0 || !owner.faulted_)) {
      if (owner.active_++ == 0) unlink_idle(owner);
      return *owner.slot_;
    }
    // A slot is programmed, which an update under way must not see.
    if (!bar_updates(owner)) {
      changed_.wait(mutex_);
      continue;
    }
    std::optional<std::uint32_t> slot = owner.slot_ ? owner.slot_ : free_slot();
    if (!slot) {
      AsOwner* victim = idle_first_;
      if (!victim) {
        unbar_updates(owner);
        return Error(Errno::kBusy);
      }
      while (victim && victim->updating()) victim = victim->idle_next_;
      if (!victim) {
        unbar_updates(owner);
        changed_.wait(mutex_);
        continue;
      }
      slot = victim->slot_;
      ++counters_.evictions;
      drop_slot(*victim, Registers::kDisable);
    }
    if (owner.slot_) unlink_idle(owner);
    PANTRY_TRY(take_slot(owner, *slot));
    ++owner.active_;
    return *slot;
  }
}

void AddressSpaces::deactivate(AsOwner& owner) {
  MutexLock lock(mutex_);
  PANTRY_CHECK(owner.active_ != 0);
  if (--owner.active_ == 0 && owner.slot_) push_idle(owner);
}

Result<> AddressSpaces::activate_mcu(AsOwner& owner) {
  MutexLock lock(mutex_);
  while (!bar_updates(owner)) changed_.wait(mutex_);
  PANTRY_CHECK(!owners_[kMcuSlot] || owners_[kMcuSlot] == &owner);
  PANTRY_TRY(take_slot(owner, kMcuSlot));
  owner.active_ = 1;
  return {};
}

void AddressSpaces::remove(AsOwner& owner) {
  MutexLock lock(mutex_);
  PANTRY_CHECK(owner.active_ == 0 && !owner.updating());
  while (told_ == &owner) changed_.wait(mutex_);
  if (owner.slot_) drop_slot(owner, Registers::kDisable);
}

bool AddressSpaces::faulted(const AsOwner& owner) const {
  MutexLock lock(mutex_);
  return owner.faulted_;
}

std::uint32_t AddressSpaces::user_slots() const {
  return static_cast<std::uint32_t>(std::popcount(present_)) - 1;
}

bool AddressSpaces::bar_updates(AsOwner& owner) {
  std::uint32_t now = owner.update_.load(std::memory_order_relaxed);
  std::uint32_t next = 0;
  do {
    next = now | ((now & AsOwner::kUpdating) != 0 ? AsOwner::kAwaited : AsOwner::kSlotted);
  } while (!owner.update_.compare_exchange_weak(now, next, std::memory_order_acq_rel));
  return (now & AsOwner::kUpdating) == 0;
}

void AddressSpaces::unbar_updates(AsOwner& owner) {
  if (!owner.slot_) owner.update_.fetch_and(~AsOwner::kSlotted, std::memory_order_release);
}

// Puts `owner` into `slot`, which is free or its own, and switches the slot on.
Result<> AddressSpaces::take_slot(AsOwner& owner, std::uint32_t slot) {
  if (!owner.slot_) ++counters_.assignments;
  owners_[slot] = &owner;
  owner.slot_ = slot;
  owner.faulted_ = false;
  // What its former life left pending, aborted accesses included, must not count against the new.
  registers_.clear_faults(bit(slot));
  locked_ &= ~bit(slot);
  if (registers_.enable(slot, owner.as_config()) == AsRegisters::Outcome::kTimedOut) {
    owners_[slot] = nullptr;
    owner.slot_.reset();
    unbar_updates(owner);
    return Error(Errno::kTimedOut);
  }
  if ((masked_ & bit(slot)) != 0) {
    masked_ &= ~bit(slot);
    write_interrupt_mask();
  }
  return {};
}

// Pre: no update of the owner's is under way.
void AddressSpaces::drop_slot(AsOwner& owner, Registers registers) {
  PANTRY_CHECK(!owner.updating());
  const std::uint32_t slot = *owner.slot_;
  if (registers == Registers::kDisable) disable(slot);
  locked_ &= ~bit(slot);
  if (owner.active_ == 0 && slot != kMcuSlot) unlink_idle(owner);
  owners_[slot] = nullptr;
  owner.slot_.reset();
  unbar_updates(owner);
}

std::optional<std::uint32_t> AddressSpaces::free_slot() const {
  for (std::uint32_t slot = kMcuSlot + 1; slot < kMaxSlots; ++slot)
    if ((present_ & bit(slot)) != 0 && !owners_[slot]) return slot;
  return std::nullopt;
}

void AddressSpaces::disable(std::uint32_t slot) {
  // FLUSH_MEM releases a region that is locked. A timeout has asked for a reset; nothing else
  // helps.
  static_cast<void>(registers_.disable(slot));
  locked_ &= ~bit(slot);
}

void AddressSpaces::write_interrupt_mask() {
  registers_.set_fault_mask(interrupts_on_ ? kAllFaults & ~masked_ : 0);
}

void AddressSpaces::unmask_interrupts() {
  MutexLock lock(mutex_);
  interrupts_on_ = true;
  registers_.clear_faults(kAllFaults);
  write_interrupt_mask();
}

void AddressSpaces::mask_interrupts() {
  MutexLock lock(mutex_);
  interrupts_on_ = false;
  write_interrupt_mask();
}

void AddressSpaces::drop_all(Registers registers) {
  MutexLock lock(mutex_);
  for (std::uint32_t slot = 0; slot < kMaxSlots; ++slot) {
    while (owners_[slot] && owners_[slot]->updating()) changed_.wait(mutex_);
    if (owners_[slot]) drop_slot(*owners_[slot], registers);
  }
  masked_ = 0;
}

void AddressSpaces::push_idle(AsOwner& owner) {
  if (*owner.slot_ == kMcuSlot) return;
  owner.idle_next_ = nullptr;
  owner.idle_previous_ = idle_last_;
  (idle_last_ ? idle_last_->idle_next_ : idle_first_) = &owner;
  idle_last_ = &owner;
}

void AddressSpaces::unlink_idle(AsOwner& owner) {
  (owner.idle_previous_ ? owner.idle_previous_->idle_next_ : idle_first_) = owner.idle_next_;
  (owner.idle_next_ ? owner.idle_next_->idle_previous_ : idle_last_) = owner.idle_previous_;
  owner.idle_next_ = owner.idle_previous_ = nullptr;
}

void AddressSpaces::begin_update(AsOwner& owner, GpuRange range) {
  MutexLock lock(mutex_);
  const std::uint32_t before =
      owner.update_.fetch_or(AsOwner::kUpdating, std::memory_order_acquire);
  PANTRY_CHECK((before & AsOwner::kUpdating) == 0);
  if (owner.slot_ && registers_.lock(*owner.slot_, range) == AsRegisters::Outcome::kDone)
    locked_ |= bit(*owner.slot_);
}

void AddressSpaces::end_update_with_slot(AsOwner& owner) {
  bool locked = false;
  {
    MutexLock lock(mutex_);
    locked = owner.slot_ && (locked_ & bit(*owner.slot_)) != 0;
  }
  // Without the lock: other address spaces may lock and unlock meanwhile. This one keeps its slot.
  if (locked && caches_.flush_all_caches() == CacheFlusher::Outcome::kTimedOut)
    reset_.request_reset("a cache flush did not finish");
  MutexLock lock(mutex_);
  // A fault may have disabled the address space since, which flushed and unlocked it.
  if (owner.slot_ && (locked_ & bit(*owner.slot_)) != 0) {
    static_cast<void>(registers_.unlock(*owner.slot_));
    locked_ &= ~bit(*owner.slot_);
    ++counters_.flushes;
  }
  owner.update_.fetch_and(~(AsOwner::kUpdating | AsOwner::kAwaited), std::memory_order_release);
  changed_.notify_all();
}

void AddressSpaces::handle_interrupt() {
  for (;;) {
    std::uint32_t pending = 0;
    {
      MutexLock lock(mutex_);
      pending = interrupts_on_ ? registers_.pending_faults() & ~masked_ : 0;
    }
    if (pending == 0) return;
    for (; pending != 0; pending &= pending - 1)
      answer_fault(static_cast<std::uint32_t>(std::countr_zero(pending)));
  }
}

void AddressSpaces::answer_fault(std::uint32_t slot) {
  MmuFault fault;
  AsOwner* owner = nullptr;
  {
    MutexLock lock(mutex_);
    // The slot may have been given to another owner, or the interrupts switched off, since.
    if (!interrupts_on_ || (registers_.pending_faults() & bit(slot)) == 0) return;
    fault = registers_.read_fault(slot);
    ++counters_.faults;
    masked_ |= bit(slot);
    write_interrupt_mask();
    owner = owners_[slot];
    if (owner) {
      owner->faulted_ = true;
      disable(slot);
      told_ = owner;
    }
    // After the latch was read, which may be overwritten from now on.
    registers_.clear_faults(bit(slot));
  }
  log_fault(fault);
  if (!owner) return;
  owner->on_mmu_fault(fault);
  MutexLock lock(mutex_);
  told_ = nullptr;
  changed_.notify_all();
}

AddressSpaces::Snapshot AddressSpaces::slots() const {
  MutexLock lock(mutex_);
  Snapshot snapshot;
  for (std::uint32_t slot = 0; slot < kMaxSlots; ++slot) {
    if ((present_ & bit(slot)) == 0) continue;
    const AsOwner* owner = owners_[slot];
    snapshot.views[snapshot.count++] =
        SlotView{slot, owner, owner ? owner->active_ : 0, owner && owner->faulted_};
  }
  return snapshot;
}

AddressSpaces::Counters AddressSpaces::counters() const {
  MutexLock lock(mutex_);
  return counters_;
}

}  // namespace pantry::driver
