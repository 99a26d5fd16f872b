// SPDX-License-Identifier: MIT
#include "campaigns/seeded/seeded_mmio.h"

#include "gpu_emu/datasheet/lock_region.h"

namespace pantry::seeded {
namespace {

namespace regs = datasheet::address_space;
namespace lock_region = datasheet::lock_region;

constexpr std::uint64_t kEverything = 0x3f;  // as LOCKADDR
constexpr std::uint64_t kFarAway = std::uint64_t{1} << 40;
// Writes that change nothing, after each of which a speculative device may walk.
constexpr int kMoments = 400;

// Where accesses to `as` go instead. Not the MCU's.
constexpr std::uint32_t other_than(std::uint32_t as) { return as == 7 ? 6 : as + 1; }

// What a driver lets go of a locked region with after an edit: ours UNLOCK, that of Linux 6.12
// FLUSH_PT.
constexpr bool ends_edit(regs::Command command) {
  return command == regs::Command::kUnlock || command == regs::Command::kFlushPt;
}

}  // namespace

emu::Mmio& SeededMmio::put_before(emu::Mmio& device) {
  device_ = &device;
  return *this;
}

void SeededMmio::disarm() {
  deliver();
  armed_ = false;
}

std::uint32_t SeededMmio::read32(std::uint32_t offset) {
  const std::uint32_t value = device_->read32(offset);
  const std::uint32_t inside = (offset - regs::kFirstBlock) % regs::kBlockBytes;
  const bool status = offset >= regs::offset_of(1, regs::kTranstab) &&
                      offset < regs::kFirstBlock + regs::kMaxCount * regs::kBlockBytes &&
                      inside == regs::kStatus.offset;
  if (!armed_ || seed_ != Seed::kNoWaiting || !status || value == 0) return value;
  ++changed_;
  return 0;
}

void SeededMmio::write32(std::uint32_t offset, std::uint32_t value) {
  const std::uint32_t as = (offset - regs::kFirstBlock) / regs::kBlockBytes;
  const bool user_space =
      offset >= regs::kFirstBlock && as >= 1 && as < regs::kMaxCount && seed_ != Seed::kNone;
  if (!armed_ || !user_space) return device_->write32(offset, value);
  const std::uint32_t inside = (offset - regs::kFirstBlock) % regs::kBlockBytes;
  if (inside == regs::kCommand.offset) return command(as, static_cast<Command>(value));
  if ((inside & ~4u) == regs::kLockaddr.offset) return write_lockaddr(as, inside, value);
  if (seed_ == Seed::kEarlyUpdate && inside == regs::kTranstab.offset) {
    ++changed_;
    give(as, Command::kUpdate);
  }
  device_->write32(offset, value);
}

void SeededMmio::write_lockaddr(std::uint32_t as, std::uint32_t offset, std::uint32_t value) {
  std::uint64_t& word = lockaddr_[as];
  if (offset == regs::kLockaddr.offset) {
    word = (word & ~std::uint64_t{0xffff'ffff}) | value;
    return;  // the other half follows
  }
  word = (word & 0xffff'ffff) | std::uint64_t{value} << 32;
  set64(seed_ == Seed::kOtherSpace ? other_than(as) : as, regs::kLockaddr, region_of_seed(word));
}

std::uint64_t SeededMmio::region_of_seed(std::uint64_t lockaddr) const {
  const GpuRange region = lock_region::decode(lockaddr);
  if (lockaddr == kEverything) return lockaddr;
  const std::uint64_t size = region.size();
  switch (seed_) {
    case Seed::kNextRegion:
      return lock_region::encode(GpuRange::of_size(region.first + size, size));
    case Seed::kFarRegion:
      return lock_region::encode(GpuRange::of_size({region.first.value ^ kFarAway}, size));
    case Seed::kHalfRegion:
      return lock_region::encode(GpuRange::of_size(region.first, size / 2));
    case Seed::kSmallestRegion:
      return lock_region::encode(GpuRange::of_size(region.first, kPageSize));
    case Seed::kLargerRegion:
      return lock_region::encode(
          GpuRange::of_size({align_down(region.first.value, 2 * size)}, 2 * size));
    case Seed::kWholeSpace:
      return kEverything;
    default:
      return lockaddr;
  }
}

void SeededMmio::give(std::uint32_t as, Command command) {
  device_->write32(regs::offset_of(as, regs::kCommand), static_cast<std::uint32_t>(command));
}

void SeededMmio::set64(std::uint32_t as, datasheet::Register reg, std::uint64_t value) {
  device_->write64(regs::offset_of(as, reg), value);
}

void SeededMmio::deliver() {
  for (const Write& write : late_) device_->write32(write.offset, write.value);
  late_.clear();
}

void SeededMmio::steal(std::uint32_t as) {
  const std::uint64_t root = device_->read64(regs::offset_of(as, regs::kTranstab));
  const std::uint64_t mode = device_->read64(regs::offset_of(as, regs::kTranscfg));
  if (seed_ == Seed::kSpaceStolen) set64(as, regs::kTranscfg, 1);
  if (seed_ == Seed::kRootStolen) set64(as, regs::kTranstab, root ^ kPageSize);
  give(as, Command::kUpdate);
  set64(as, regs::kTranscfg, mode);
  set64(as, regs::kTranstab, root);
  give(as, Command::kUpdate);
}

void SeededMmio::command(std::uint32_t as, Command command) {
  const auto late = [&](Command later) {
    late_.push_back({regs::offset_of(as, regs::kCommand), static_cast<std::uint32_t>(later)});
  };
  const std::uint64_t before = changed_++;
  switch (seed_) {
    case Seed::kNoLock:
      if (command == Command::kLock) return;
      break;
    case Seed::kNoUnlock:
      if (ends_edit(command)) return;
      break;
    case Seed::kNoFlush:
      if (command == Command::kLock || ends_edit(command)) return;
      break;
    case Seed::kNoFlushMem:
      if (command == Command::kFlushMem) return;
      break;
    case Seed::kNoUpdate:
    case Seed::kEarlyUpdate:
      if (command == Command::kUpdate) return;
      break;
    case Seed::kEarlyFlush:
      if (ends_edit(command)) return;
      if (command != Command::kLock) break;
      give(as, Command::kLock);
      give(as, Command::kUnlock);
      for (int n = 0; n < kMoments; ++n) {
        const std::uint32_t same = regs::offset_of(as, regs::kMemattr);
        device_->write32(same, device_->read32(same));
      }
      return;
    case Seed::kLateLock:
      if (command == Command::kLock) return;
      if (ends_edit(command)) give(as, Command::kLock);
      break;
    case Seed::kLateFlush:
      if (ends_edit(command)) return late(command);
      if (command != Command::kLock) break;
      deliver();
      return late(command);
    case Seed::kSecondUnlock:
      if (!ends_edit(command)) break;
      give(as, command);
      return give(as, command);
    case Seed::kLateRegister:
      if (command != Command::kLock) break;
      give(as, command);
      return set64(as, regs::kLockaddr, lockaddr_[as]);
    case Seed::kNextRegion:
    case Seed::kFarRegion:
    case Seed::kHalfRegion:
    case Seed::kSmallestRegion:
    case Seed::kLargerRegion:
    case Seed::kWholeSpace:
      return give(as, command);  // write_lockaddr has done it
    case Seed::kOtherSpace:
      if (command != Command::kLock && !ends_edit(command)) break;
      return give(other_than(as), command);
    case Seed::kOtherUpdate:
      if (command != Command::kUpdate) break;
      return give(other_than(as), command);
    case Seed::kUnknown:
      if (ends_edit(command)) return give(as, static_cast<Command>(9));
      break;
    case Seed::kSpaceStolen:
    case Seed::kRootStolen:
      if (command != Command::kLock) break;
      steal(as);
      return give(as, command);
    case Seed::kFlushPt:
    case Seed::kFlushMem:
      if (!ends_edit(command)) break;
      return give(as, seed_ == Seed::kFlushPt ? Command::kFlushPt : Command::kFlushMem);
    case Seed::kLockTwice:
      if (command != Command::kLock) break;
      give(as, command);
      return give(as, command);
    case Seed::kOneFlushTooMany:
      if (!ends_edit(command)) break;
      give(as, command);
      give(as, Command::kLock);
      return give(as, command);
    case Seed::kNone:
    case Seed::kNoWaiting:
    case Seed::kFreedEarly:
    case Seed::kReusedAtOnce:
    case Seed::kHandedOutFree:
    case Seed::kSpuriousInterrupts:
    case Seed::kBouncingLine:
      break;
  }
  changed_ = before;
  give(as, command);
}

}  // namespace pantry::seeded
