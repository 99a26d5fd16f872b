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

constexpr std::uint8_t kAllLevels = 0xf;

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
      tlb_(quirks.tlb_sets, quirks.tlb_ways, when_full(quirks.caching)),
      walker_(config.dram, quirks),
      random_(quirks.speculation_seed) {
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

void Mmu::attach(MmuWatch& watch, AddressSpaceUsers& users) {
  PANTRY_CHECK(!watch_);
  watch_ = &watch;
  users_ = &users;
  tlb_.remember_origins();
  walker_.remember_origins();
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
    if (watch_ && blocks_[as.value].space.in_progress())
      watch_->on_disturbed_command(watched(as), reg);
    blocks_[as.value].space.write(reg, value);
  }
  speculate();
}

void Mmu::start_command(AsIndex as, std::uint32_t value) {
  AddressSpace& space = blocks_[as.value].space;
  if (value > static_cast<std::uint32_t>(Command::kFlushMem)) {
    ++counters_.mistakes;
    if (watch_) watch_->on_lost_command(watched(as), value);
    log_client(kRoom, "AS {}: command {:#x} does not exist", as.value, value);
    return;
  }
  if (space.in_progress()) {
    ++counters_.mistakes;
    if (watch_) watch_->on_lost_command(watched(as), value);
    log_client(kRoom, "AS {}: command {} while {} is in progress: lost", as.value, value,
               static_cast<std::uint32_t>(space.in_progress()->command));
    return;
  }
  const auto command = static_cast<Command>(value);
  if (command == Command::kNop) return;
  const TimePoint end = end_of_command(as, command);
  space.issue(command, end);
  if (end == TimePoint{})
    finish_command(as);
  else
    clock_.work_arrived();
}

// TimePoint{}: at once.
TimePoint Mmu::end_of_command(AsIndex as, Command command) {
  Duration time = quirks_.as_command_time;
  if (misbehaviour_) {
    if (misbehaviour_->as_command_sticks(as.value)) {
      log_info(kRoom, "AS {}: command {} never ends", as.value,
               static_cast<std::uint32_t>(command));
      return TimePoint::never();
    }
    if (command == Command::kFlushPt || command == Command::kFlushMem)
      time = time + misbehaviour_->extra_flush_time();
  }
  return time.ns == 0 ? TimePoint{} : clock_.now() + time;
}

void Mmu::finish_command(AsIndex as) {
  Block& block = blocks_[as.value];
  const AddressSpace::Issued issued = block.space.finish();
  begin_epoch();
  if (watch_) tell_watch(as, issued);
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
  speculate();
}

WatchedSpace Mmu::watched(AsIndex as) {
  const AddressSpace& space = blocks_[as.value].space;
  return {as, space.written(), space.committed(), space.config(), space.locked(), space.fault()};
}

void Mmu::tell_watch(AsIndex as, const AddressSpace::Issued& issued) {
  const WatchedSpace space = watched(as);
  const bool locks = issued.command == Command::kLock;
  watch_->on_command(space,
                     {issued.command, locks ? issued.region : space.locked.value_or(issued.region),
                      issued.config, users_->address_spaces_in_use()});
  const auto examine = [&](const CachedTranslation& cached) {
    watch_->examine(watched(cached.tag.as()), cached);
  };
  tlb_.for_each([&](TlbEntry& entry) { examine(described(entry)); });
  walker_.for_each_cached(examine);
  watch_->examined();
}

// One walk that nobody asked for, to an address that has a translation and is not locked. It cannot
// fault.
void Mmu::walk_at_random() {
  std::array<std::uint8_t, regs::kMaxCount> usable{};
  std::uint32_t count = 0;
  for (std::uint8_t n = 0; n < blocks_.size(); ++n) {
    const AddressSpace& space = blocks_[n].space;
    if (space.config().has_tables() && space.fault() == AddressSpace::Fault::kNone)
      usable[count++] = n;
  }
  if (count == 0) return;
  const AsIndex as{usable[random_() % count]};
  const AddressSpace& space = blocks_[as.value].space;
  const auto va = walker_.random_valid_address(space.config(), random_);
  if (!va || (space.locked() && space.locked()->contains(*va))) return;
  if (find_cached(as, kAllLevels, *va)) return;
  walk(as, *va);
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
  speculate();
  TimePoint next = TimePoint::never();
  if (quirks_.as_command_time.ns == 0 && !misbehaviour_) return next;
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
  begin_epoch();
  blocks_ = {};
  if (watch_) watch_->on_reset();
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

Mmu::TlbEntry* Mmu::find_cached(AsIndex as, std::uint8_t cached_levels, GpuVa va) {
  for (unsigned levels = cached_levels; levels != 0; levels &= levels - 1) {
    const unsigned level = 3 - static_cast<unsigned>(std::countr_zero(levels));
    if (TlbEntry* entry = tlb_.find(CacheTag::of(as, level, va))) return entry;
  }
  return nullptr;
}

Translation Mmu::translate(AsIndex as, GpuVa va, Access access) {
  const CacheTag page = CacheTag::of(as, 3, va);
  const RecentPages::ShortCut& recent = recent_.at(page);
  if (recent.page == page && (recent.allows & permission(access)) != 0 &&
      blocks_[as.value].space.open()) [[likely]] {
    TlbEntry& entry = tlb_.at_place(recent.entry);
    if (entry.tag == recent.leaf) [[likely]] {
      tlb_.touch(entry);
      ++counters_.hits;
      const std::uint64_t inside = va.value & (kPageSize - 1);
      return {MemoryStatus::kOk, recent.host + inside, recent.bytes - inside};
    }
  }
  return search(as, va, access);
}

Translation Mmu::search(AsIndex as, GpuVa va, Access access) {
  PANTRY_CHECK(as.value < regs::kMaxCount);
  Block& block = blocks_[as.value];
  if (block.space.open()) [[likely]] {
    const TlbEntry* entry = find_cached(as, block.cached_levels, va);
    if (entry && (entry->allows & permission(access))) [[likely]] {
      const std::uint64_t bytes = leaf_bytes(entry->tag.level());
      const std::uint64_t inside = va.value & (bytes - 1);
      const PhysAddr pa = entry->base + inside;
      if (void* host = config_.dram.at(pa, bytes - inside)) [[likely]] {
        ++counters_.hits;
        const std::uint64_t in_page = inside & (kPageSize - 1);
        const CacheTag page = CacheTag::of(as, 3, va);
        auto* const at = static_cast<std::uint8_t*>(host);
        recent_.at(page) = {
            page,         entry->tag, at - in_page, bytes - inside + in_page, tlb_.place_of(*entry),
            entry->allows};
        return {MemoryStatus::kOk, at, bytes - inside};
      }
    }
    // The caches were searched, and nothing can have come into them since.
    if (!entry && !watch_ && quirks_.caching != Quirks::Caching::kSpeculative)
      return translate_by_walk(as, va, access);
  }
  return translate_slowly(as, va, access);
}

// A page of the leaf and not all of it: another page of the same block may be cached as a page too,
// which a search finds first.
Translation Mmu::translate_and_hold(AsIndex as, GpuVa va, Access access, HeldPage& held) {
  const Translation t = translate(as, va, access);
  const CacheTag page = CacheTag::of(as, 3, va);
  const RecentPages::ShortCut& recent = recent_.at(page);
  if (t.status != MemoryStatus::kOk || recent.page != page ||
      (recent.allows & permission(access)) == 0 || !blocks_[as.value].space.open())
    return t;
  TlbEntry& entry = tlb_.at_place(recent.entry);
  if (entry.tag != recent.leaf) return t;
  held = {align_down(va.value, kPageSize),
          epoch(),
          recent.host,
          recent.bytes,
          &entry.last_used,
          &tlb_.clock(),
          &counters_.hits};
  return t;
}

Translation Mmu::translate_slowly(AsIndex as, GpuVa va, Access access) {
  AddressSpace& space = blocks_[as.value].space;
  speculate();
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
  if (TlbEntry* entry = find_cached(as, watch_ ? kAllLevels : block.cached_levels, va)) {
    ++counters_.hits;
    if (watch_) watch_->on_used(watched(as), va, described(*entry));
    return use(as, va, access, *entry);
  }
  return translate_by_walk(as, va, access);
}

Translation Mmu::translate_by_walk(AsIndex as, GpuVa va, Access access) {
  ++counters_.walks;
  const auto leaf = walk(as, va);
  if (!leaf) {
    const WalkFailure& failure = leaf.error();
    if (failure.cause == WalkFailure::Cause::kBus)
      bus_faults_.report_bus_fault(failure.entry, access, as);
    return fault(as, va, access, failure.code);
  }
  return use(as, va, access,
             {CacheTag::of(as, leaf->level, va), 0, leaf->base, leaf->allows, false});
}

Translation Mmu::use(AsIndex as, GpuVa va, Access access, const TlbEntry& entry) {
  const unsigned level = entry.tag.level();
  if (entry.invalid)
    return fault(as, va, access, datasheet::at_level(Exception::kTranslationFault0, level));
  if (!(entry.allows & permission(access)))
    return fault(as, va, access, datasheet::at_level(Exception::kPermissionFault0, level));
  const std::uint64_t inside = va.value & (leaf_bytes(level) - 1);
  return reach(as, va, access, entry.base + inside, leaf_bytes(level) - inside);
}

// A walk, and what the TLB remembers of it.
std::expected<Leaf, WalkFailure> Mmu::walk(AsIndex as, GpuVa va) {
  if (misbehaviour_) [[unlikely]]
    flip_entry(as, va);
  if (watch_) return walk_watched(as, va);
  Block& block = blocks_[as.value];
  const auto leaf = walker_.walk(block.space.config(), as, va);
  if (!leaf) {
    if (leaf.error().cause == WalkFailure::Cause::kInvalidEntry)
      remember_invalid(as, leaf.error().level, va, nullptr);
    return leaf;
  }
  if (quirks_.caching == Quirks::Caching::kCoherent) return leaf;
  // In place, since a detour by way of memory costs more than the walk.
  const CacheTag tag = CacheTag::of(as, leaf->level, va);
  begin_epoch();
  recent_.on_inserted(tag);
  tlb_.insert({tag, 0, leaf->base, leaf->allows, false});
  block.cached_levels |= level_bit(leaf->level);
  remember_invalid_neighbours(as, va, *leaf, nullptr);
  return leaf;
}

// What the walk that comes next reads is not what the driver wrote.
void Mmu::flip_entry(AsIndex as, GpuVa va) {
  Origin origin;
  const auto leaf = Walker::walk_memory(config_.dram, blocks_[as.value].space.config(), va, origin);
  if (!leaf || leaf->level != 3) return;
  const std::uint64_t bits = misbehaviour_->flipped_pte_bits(as.value);
  auto* const host = static_cast<std::uint64_t*>(config_.dram.at(leaf->entry, pte::kEntryBytes));
  if (bits != 0) std::atomic_ref<std::uint64_t>(*host).fetch_xor(bits);
}

std::expected<Leaf, WalkFailure> Mmu::walk_watched(AsIndex as, GpuVa va) {
  Walker::WatchedWalk watched_walk{*watch_, watched(as), Origin{}};
  const Origin* const origin = &watched_walk.origin;
  const auto leaf = walker_.walk(watched_walk.space.config, as, va, &watched_walk);
  if (!leaf) {
    if (leaf.error().cause == WalkFailure::Cause::kInvalidEntry)
      remember_invalid(as, leaf.error().level, va, origin);
    return leaf;
  }
  remember(as, va, {CacheTag::of(as, leaf->level, va), 0, leaf->base, leaf->allows, false}, origin);
  remember_invalid_neighbours(as, va, *leaf, origin);
  return leaf;
}

void Mmu::remember(AsIndex as, GpuVa va, const TlbEntry& entry, const Origin* origin) {
  if (quirks_.caching == Quirks::Caching::kCoherent) return;
  begin_epoch();
  recent_.on_inserted(entry.tag);
  TlbEntry& place = tlb_.insert(entry);
  if (!watch_) {
    blocks_[as.value].cached_levels |= level_bit(entry.tag.level());
    return;
  }
  tlb_.origin_of(place) = *origin;
  watch_->on_cached(watched(as), va, described(place));
  // Every walk to a page has looked for the blocks around it first.
  if (entry.invalid || entry.tag.level() == 3) return;
  tlb_.for_each([&](TlbEntry& other) {
    const bool overlaps = !other.invalid && other.tag.as() == as && other.tag != entry.tag &&
                          other.tag.covers().intersects(entry.tag.covers());
    if (overlaps) watch_->on_overlap(watched(as), described(other));
  });
}

CachedTranslation Mmu::described(TlbEntry& entry) {
  using Kind = CachedTranslation::Kind;
  return {entry.invalid ? Kind::kInvalid : Kind::kLeaf, entry.tag, entry.base, entry.allows,
          tlb_.origin_of(entry)};
}

void Mmu::remember_invalid(AsIndex as, unsigned level, GpuVa va, const Origin* origin) {
  if (quirks_.invalid_entries != Quirks::InvalidEntries::kCached) return;
  remember(as, va, {CacheTag::of(as, level, va), 0, {}, 0, true}, origin);
}

// Tables are fetched in lines of 64 bytes, so the seven neighbours of a page's entry have been seen
// as well.
void Mmu::remember_invalid_neighbours(AsIndex as, GpuVa va, const Leaf& leaf,
                                      const Origin* origin) {
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
    if (word != 0) continue;
    Origin theirs;
    if (origin) {
      for (const FetchedEntry& above : origin->path().first(origin->path().size() - 1))
        theirs.add(above);
      theirs.add({line + n * pte::kEntryBytes, word});
    }
    remember_invalid(as, 3, first_va + n * kPageSize, &theirs);
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
  begin_epoch();
  if (blocks_[as.value].space.latch_fault(status, va, when_latched)) {
    ++counters_.faults;
    if (watch_) watch_->on_fault(watched(as), va);
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
