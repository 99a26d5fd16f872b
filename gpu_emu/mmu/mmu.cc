// SPDX-License-Identifier: MIT
#include "gpu_emu/mmu/mmu.h"

#include <algorithm>
#include <atomic>

#include "base/check.h"
#include "base/log.h"
#include "gpu_emu/datasheet/aarch64_pte.h"
#include "gpu_emu/datasheet/mmu_int.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::address_space;
namespace pte = datasheet::aarch64_pte;
using datasheet::Exception;

constexpr const char* kRoom = "gpu_emu/mmu";
constexpr GpuRange kEverywhere = {{0}, {~std::uint64_t{0}}};

// The bit in Block::cached_levels: pages first, since they are looked for first.
constexpr std::uint8_t level_bit(unsigned level) {
  return static_cast<std::uint8_t>(1u << (3 - level));
}

constexpr std::uint32_t fault_bit(AsIndex as) { return 1u << as.value; }
constexpr std::uint32_t completion_bit(AsIndex as) { return 1u << (16 + as.value); }

constexpr std::uint64_t leaf_bytes(unsigned level) {
  return std::uint64_t{1} << level_shift(level);
}

}  // namespace

Mmu::Mmu(const Quirks& quirks, const Config& config, RegisterFile& file, IrqBlock& irq,
         BusFaults& bus_faults, DeviceClock& clock)
    : quirks_(quirks),
      config_(config),
      irq_(irq),
      bus_faults_(bus_faults),
      clock_(clock),
      tlb_(quirks.tlb_sets, quirks.tlb_ways),
      walker_(config.dram, quirks) {
  // The two pages of an instruction must not drive each other out (gpu_memory.h).
  PANTRY_CHECK(quirks.tlb_ways >= 2);
  for (std::uint32_t as = 0; as < regs::kMaxCount; ++as) {
    if (!(config.present >> as & 1)) continue;
    const std::uint32_t base = regs::kFirstBlock + regs::kBlockBytes * as;
    for (const datasheet::Register& reg :
         {regs::kTranstab, regs::kMemattr, regs::kLockaddr, regs::kCommand, regs::kFaultStatus,
          regs::kFaultAddress, regs::kStatus, regs::kTranscfg}) {
      file.declare_handled(at_base(reg, base), *this);
    }
    file.declare_constant(at_base(regs::kFaultExtra, base), 0);
  }
}

// --- Registers and commands
// ---------------------------------------------------------------------------------------

std::uint32_t Mmu::read_register(std::uint32_t offset) {
  const std::uint32_t inside = offset - regs::kFirstBlock;
  return blocks_[inside / regs::kBlockBytes].space.read(inside % regs::kBlockBytes);
}

void Mmu::write_register(std::uint32_t offset, std::uint32_t value) {
  const std::uint32_t inside = offset - regs::kFirstBlock;
  const AsIndex as{static_cast<std::uint8_t>(inside / regs::kBlockBytes)};
  const std::uint32_t reg = inside % regs::kBlockBytes;
  if (reg == regs::kCommand) {
    start_command(as, value);
  } else {
    blocks_[as.value].space.write(reg, value);
  }
}

void Mmu::start_command(AsIndex as, std::uint32_t value) {
  AddressSpace& space = blocks_[as.value].space;
  if (value > static_cast<std::uint32_t>(Command::kFlushMem)) {
    ++counters_.mistakes;
    log_client(kRoom, "AS {}: command {:#x} does not exist", as.value, value);
    return;
  }
  if (space.in_progress()) {
    ++counters_.mistakes;
    log_client(kRoom, "AS {}: command {} while {} is in progress: lost", as.value, value,
               static_cast<std::uint32_t>(space.in_progress()->command));
    return;
  }
  const auto command = static_cast<Command>(value);
  if (command == Command::kNop) return;
  if (quirks_.as_command_time.ns == 0) {
    space.issue(command, TimePoint{});
    finish_command(as);
  } else {
    space.issue(command, clock_.now() + quirks_.as_command_time);
    clock_.work_arrived();
  }
}

void Mmu::finish_command(AsIndex as) {
  Block& block = blocks_[as.value];
  const AddressSpace::Issued issued = block.space.finish();
  switch (issued.command) {
    case Command::kUpdate:
      block.space.commit(issued.config,
                         TranslationConfig::decode(issued.config, config_.widths, quirks_));
      drop_cached(as, kEverywhere);
      break;
    case Command::kLock:
      block.space.lock(issued.region);
      break;
    case Command::kUnlock:
      release(as, issued.region, "UNLOCK");
      break;
    case Command::kFlushPt:
      release(as, issued.region, "FLUSH_PT");
      break;
    case Command::kFlushMem:
      release(as, issued.region, "FLUSH_MEM");
      break;
    case Command::kNop:
      break;
  }
  if (block.stalled) {
    block.stalled = false;
    clock_.work_arrived();
  }
  if (quirks_.mmu_completion_irq == Quirks::MmuCompletionIrq::kRaise)
    irq_.raise(completion_bit(as));
}

// Drops what is cached of the locked region, which is the one that LOCK was given, and releases it.
void Mmu::release(AsIndex as, GpuRange region, const char* command) {
  AddressSpace& space = blocks_[as.value].space;
  if (!space.locked()) {
    ++counters_.mistakes;
    log_client(kRoom, "AS {}: {} without a locked region: works on LOCKADDR, {:#x} to {:#x}",
               as.value, command, region.first.value, region.last.value);
  }
  drop_cached(as, space.locked().value_or(region));
  space.unlock();
}

void Mmu::drop_cached(AsIndex as, GpuRange region) {
  tlb_.drop(as, region);
  walker_.drop(as, region);
  if (region == kEverywhere) blocks_[as.value].cached_levels = 0;
}

TimePoint Mmu::advance(TimePoint now) {
  TimePoint next = TimePoint::never();
  if (quirks_.as_command_time.ns == 0) return next;
  for (std::uint8_t as = 0; as < blocks_.size(); ++as) {
    const auto& issued = blocks_[as].space.in_progress();
    if (!issued) continue;
    if (issued->done <= now) {
      finish_command({as});
    } else {
      next = std::min(next, issued->done);
    }
  }
  return next;
}

void Mmu::reset() {
  blocks_ = {};
  tlb_.drop_all();
  walker_.drop_all();
}

bool Mmu::fault_unanswered() const {
  return std::ranges::any_of(blocks_, [](const Block& block) {
    return block.space.fault() == AddressSpace::Fault::kUnanswered;
  });
}

// --- Translation
// --------------------------------------------------------------------------------------------------

Mmu::TlbEntry* Mmu::find_cached(AsIndex as, const Block& block, GpuVa va) {
  for (unsigned levels = block.cached_levels; levels != 0; levels &= levels - 1) {
    const unsigned level = 3 - static_cast<unsigned>(std::countr_zero(levels));
    if (TlbEntry* entry = tlb_.find(CacheTag::of(as, level, va))) return entry;
  }
  return nullptr;
}

Translation Mmu::translate(AsIndex as, GpuVa va, Access access) {
  PANTRY_CHECK(as.value < regs::kMaxCount);
  Block& block = blocks_[as.value];
  if (block.space.open()) [[likely]] {
    const TlbEntry* entry = find_cached(as, block, va);
    if (entry && (entry->allows & permission(access))) [[likely]] {
      const std::uint64_t bytes = leaf_bytes(entry->tag.level());
      const std::uint64_t inside = va.value & (bytes - 1);
      const PhysAddr pa = entry->base + inside;
      if (void* host = config_.dram.at(pa, bytes - inside)) [[likely]] {
        ++counters_.hits;
        return {MemoryStatus::kOk, static_cast<std::uint8_t*>(host), bytes - inside};
      }
    }
  }
  return translate_slowly(as, va, access);
}

Translation Mmu::translate_slowly(AsIndex as, GpuVa va, Access access) {
  AddressSpace& space = blocks_[as.value].space;
  if (space.fault() == AddressSpace::Fault::kUnanswered &&
      quirks_.fault_stalls == Quirks::FaultStalls::kAddressSpace)
    return stall(as);
  if (space.locked() && space.locked()->contains(va)) return stall(as);
  switch (space.config().mode) {
    case TranslationConfig::Mode::kUnmapped:
      if (space.fault() == AddressSpace::Fault::kAborting) return {};
      return fault(as, va, access,
                   static_cast<Exception>(static_cast<unsigned>(Exception::kTranslationFault0) +
                                          quirks_.unmapped_fault_level));
    case TranslationConfig::Mode::kIdentity: {
      const std::uint64_t end = std::uint64_t{1} << space.config().pa_bits;
      if (va.value >= end) return fault(as, va, access, Exception::kAddressSizeFaultOut0);
      return reach(as, va, access, {va.value}, end - va.value);
    }
    case TranslationConfig::Mode::kLegacy:
    case TranslationConfig::Mode::kAarch64:
      break;
  }
  return translate_by_tables(as, va, access);
}

Translation Mmu::translate_by_tables(AsIndex as, GpuVa va, Access access) {
  Block& block = blocks_[as.value];
  const auto use = [&](const TlbEntry& entry) {
    const unsigned level = entry.tag.level();
    if (entry.invalid)
      return fault(as, va, access, datasheet::at_level(Exception::kTranslationFault0, level));
    if (!(entry.allows & permission(access)))
      return fault(as, va, access, datasheet::at_level(Exception::kPermissionFault0, level));
    const std::uint64_t inside = va.value & (leaf_bytes(level) - 1);
    return reach(as, va, access, entry.base + inside, leaf_bytes(level) - inside);
  };
  if (const TlbEntry* entry = find_cached(as, block, va)) {
    ++counters_.hits;
    return use(*entry);
  }

  ++counters_.walks;
  const auto leaf = walker_.walk(block.space.config(), as, va);
  if (!leaf) {
    const WalkFailure& failure = leaf.error();
    if (failure.cause == WalkFailure::Cause::kBus)
      bus_faults_.report_bus_fault(failure.entry, access, as);
    if (failure.cause == WalkFailure::Cause::kInvalidEntry) remember_invalid(as, failure.level, va);
    return fault(as, va, access, failure.code);
  }
  const TlbEntry entry{CacheTag::of(as, leaf->level, va), 0, leaf->base, leaf->allows, false};
  tlb_.insert(entry);
  block.cached_levels |= level_bit(leaf->level);
  remember_invalid_neighbours(as, va, *leaf);
  return use(entry);
}

void Mmu::remember_invalid(AsIndex as, unsigned level, GpuVa va) {
  if (quirks_.invalid_entries != Quirks::InvalidEntries::kCached) return;
  tlb_.insert({CacheTag::of(as, level, va), 0, {}, 0, true});
  blocks_[as.value].cached_levels |= level_bit(level);
}

// Tables are fetched in lines of 64 bytes, so the seven neighbours of a page's entry have been seen
// as well.
void Mmu::remember_invalid_neighbours(AsIndex as, GpuVa va, const Leaf& leaf) {
  if (quirks_.invalid_entries != Quirks::InvalidEntries::kCached || leaf.level != 3) return;
  constexpr std::uint64_t kLineBytes = 64;
  const GpuVa first_va{align_down(va.value, kLineBytes / pte::kEntryBytes * kPageSize)};
  const PhysAddr line{align_down(leaf.entry.value, kLineBytes)};
  for (std::uint64_t n = 0; n < kLineBytes / pte::kEntryBytes; ++n) {
    auto* const host =
        static_cast<std::uint64_t*>(config_.dram.at(line + n * pte::kEntryBytes, pte::kEntryBytes));
    if (!host) continue;
    const std::uint64_t word =
        std::atomic_ref<std::uint64_t>(*host).load(std::memory_order_acquire);
    if (word == 0) remember_invalid(as, 3, first_va + n * kPageSize);
  }
}

Translation Mmu::reach(AsIndex as, GpuVa va, Access access, PhysAddr pa, std::uint64_t bytes) {
  const auto& locked = blocks_[as.value].space.locked();
  if (locked && va < locked->first) bytes = std::min(bytes, locked->first - va);
  auto* const host = static_cast<std::uint8_t*>(config_.dram.at(pa, 1));
  if (!host) {
    bus_faults_.report_bus_fault(pa, access, as);
    log_info(kRoom, "AS {}: {} of {:#x} goes to {:#x}, where there is no memory", as.value,
             datasheet::name_of(access), va.value, pa.value);
    return {};
  }
  return {MemoryStatus::kOk, host, std::min(bytes, config_.dram.size - (pa - config_.dram.base))};
}

Translation Mmu::fault(AsIndex as, GpuVa va, Access access, Exception code) {
  using Status = regs::FaultStatus;
  const std::uint32_t status = Status::Type::of(code) | Status::Access::of(access) |
                               Status::SourceId::of(quirks_.fault_source_id);
  const auto when_latched = quirks_.fault_latch == Quirks::FaultLatch::kKeepsFirst
                                ? AddressSpace::WhenLatched::kKeep
                                : AddressSpace::WhenLatched::kOverwrite;
  if (blocks_[as.value].space.latch_fault(status, va, when_latched)) {
    ++counters_.faults;
    log_info(kRoom, "AS {}: {} on {} of {:#x}", as.value, datasheet::name_of(code),
             datasheet::name_of(access), va.value);
    irq_.raise(fault_bit(as));
  }
  return stall(as);
}

Translation Mmu::stall(AsIndex as) {
  blocks_[as.value].stalled = true;
  ++counters_.stalls;
  return {MemoryStatus::kStall, nullptr, 0};
}

std::vector<AddressSpaceDump> Mmu::dump() const {
  std::vector<AddressSpaceDump> result;
  for (std::uint8_t as = 0; as < blocks_.size(); ++as) {
    if (config_.present >> as & 1) result.push_back(blocks_[as].space.dump({as}));
  }
  return result;
}

Mmu::Counters Mmu::counters() const {
  Counters counters = counters_;
  counters.fetches = walker_.fetches();
  return counters;
}

}  // namespace pantry::emu
