// SPDX-License-Identifier: MIT
#include "gpu_emu/checker/checker.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace pantry::emu {
namespace {

namespace regs = datasheet::address_space;
using Kind = CachedTranslation::Kind;
using Fault = AddressSpaceDump::Fault;

// The word that a cached entry was made of.
std::uint64_t own_word(const Origin& origin) {
  return origin.path().empty() ? 0 : origin.path().back().word;
}

bool is_wrong(Difference difference) {
  return difference != Difference::kNone && difference != Difference::kWayOnly;
}

// While the region around an entry is locked, the driver is at work on it.
bool is_locked(const WatchedSpace& space, const CachedTranslation& cached) {
  return space.locked && space.locked->intersects(cached.tag.covers());
}

bool has_tables(const ConfigWords& words) {
  switch (regs::Transcfg::Mode::get(words.transcfg)) {
    case regs::AddressMode::kAarch64_4k:
      return true;
    case regs::AddressMode::kLegacy:
      return regs::LegacyTranstab::Mode::get(words.transtab) == 3;
    default:
      return false;
  }
}

}  // namespace

Checker::Checker(const Dram& dram, const Config& config) : dram_(dram), config_(config) {
  reports_.reserve(kMaxReports);
}

// --- Commands
// ----------------------------------------------------------------------------------------------------

void Checker::on_command(const WatchedSpace& space, const WatchedCommand& command) {
  check_command(space, command);
  history_.add(space.as, command.command, command.region);
  current_ = {{history_.now(), space.as, command.command, command.region}, 0, 0, next_drop_};
  Space& mine = spaces_[space.as.value];
  if (command.command == Command::kLock) mine.lock_number = history_.now();
  if (current_.record.releases()) mine.release_number = history_.now();
  if (command.command == Command::kUpdate && config_.ledger) {
    // Bits 11:0 are no address, in either format.
    const PhysAddr root{align_down(command.config.transtab, kPageSize)};
    mine.root_stamp = config_.ledger->now();
    mine.root_owner = config_.ledger->at(root).owner;
  }
}

void Checker::check_command(const WatchedSpace& space, const WatchedCommand& command) {
  const auto value = static_cast<std::uint32_t>(command.command);
  switch (command.command) {
    case Command::kLock:
      if (space.locked && !command.region.contains(*space.locked))
        report_command(Mistake::kMissingUnlock, space, value);
      if (space.written != space.committed) report_command(Mistake::kMissingUpdate, space, value);
      return;
    case Command::kUnlock:
    case Command::kFlushPt:
    case Command::kFlushMem:
      if (!space.locked) report_command(Mistake::kFlushWithoutLock, space, value);
      return;
    case Command::kUpdate: {
      if (space.locked) report_command(Mistake::kUpdateWhileLocked, space, value);
      // After a fault it is the driver's to stop what runs by taking the tables away.
      const bool in_use = (command.in_use >> space.as.value & 1) != 0;
      if (in_use && space.fault == Fault::kNone && command.config != space.committed)
        report_command(Mistake::kSpaceChangedInUse, space, value);
      return;
    }
    case Command::kNop:
      return;
  }
}

void Checker::examine(const WatchedSpace& space, const CachedTranslation& cached) {
  if (current_.record.command == Command::kLock) examine_lock(space, cached);
  if (current_.record.releases()) examine_release(space, cached);
}

void Checker::examine_lock(const WatchedSpace& space, const CachedTranslation& cached) {
  if (is_unchanged(dram_, cached.origin)) {
    cached.origin.found_same_at = current_.record.number;
    return;
  }
  if (config_.order != EditOrder::kLockEditUnlock || space.as != current_.record.as) return;
  if (!current_.record.region.intersects(cached.tag.covers()) || is_locked(space, cached)) return;
  const Comparison comparison = compare(dram_, space.config, cached);
  if (is_wrong(comparison.difference))
    report_entry(Mistake::kEditBeforeLock, cached.tag.covers().first, cached, comparison);
}

void Checker::examine_release(const WatchedSpace& space, const CachedTranslation& cached) {
  const CommandRecord& flush = current_.record;
  const bool mine = space.as == flush.as;
  const bool covered = flush.region.intersects(cached.tag.covers());
  const bool unchanged = is_unchanged(dram_, cached.origin);
  if (mine && covered) {
    ++(unchanged ? current_.unchanged_dropped : current_.changed_dropped);
    if (unchanged)
      drops_[next_drop_++ % drops_.size()] = {cached.tag, own_word(cached.origin), flush.number};
    return;
  }
  if (unchanged) {
    cached.origin.found_same_at = flush.number;
    return;
  }
  if (is_locked(space, cached)) return;
  const bool was_same_at_lock = cached.origin.found_same_at >= spaces_[flush.as.value].lock_number;
  const bool edits_under_lock = config_.order == EditOrder::kLockEditUnlock;
  // What this flush was made for has been edited since its LOCK, or before it.
  if (!mine || was_same_at_lock != edits_under_lock) return;
  const Comparison comparison = compare(dram_, space.config, cached);
  if (!is_wrong(comparison.difference)) return;
  report_entry(name_of_uncovered(cached, comparison.difference), cached.tag.covers().first, cached,
               comparison);
}

// A flush has not covered an entry that was changed.
Mistake Checker::name_of_uncovered(const CachedTranslation& cached, Difference difference) const {
  // What was used with the change in place before this flush was begun is older than the edit that
  // the flush is for: for that one there was none.
  const auto use = std::ranges::find_if(uses_, [&](const CachedWord& one) {
    return one.number >= cached.origin.found_same_at && one.tag == cached.tag &&
           one.word == own_word(cached.origin);
  });
  const std::uint64_t lock = spaces_[cached.tag.as().value].lock_number;
  if (use == uses_.end() || use->number >= lock) return Mistake::kFlushTooSmall;
  return diagnose(cached, difference);
}

void Checker::note_use(const CachedTranslation& cached) {
  const std::uint64_t word = own_word(cached.origin);
  for (const CachedWord& use : uses_)
    if (use.number >= cached.origin.found_same_at && use.tag == cached.tag && use.word == word)
      return;
  uses_[next_use_++ % uses_.size()] = {cached.tag, word, history_.now()};
}

void Checker::examined() {
  // Whoever flushes more than it has changed drops unchanged neighbours, which says nothing.
  if (current_.changed_dropped == 0 || next_drop_ - current_.first_drop > drops_.size()) return;
  for (std::size_t n = current_.first_drop; n != next_drop_; ++n) drops_[n % drops_.size()] = {};
}

void Checker::on_lost_command(const WatchedSpace& space, std::uint32_t command) {
  report_command(command > static_cast<std::uint32_t>(Command::kFlushMem)
                     ? Mistake::kUnknownCommand
                     : Mistake::kCommandWhileActive,
                 space, command);
}

void Checker::on_disturbed_command(const WatchedSpace& space, std::uint32_t offset) {
  report_command(Mistake::kRegisterWriteWhileActive, space, offset);
}

void Checker::on_fault(const WatchedSpace& space, GpuVa va) {
  // No driver uses an address space that it has not switched on, and this one meant to.
  if (space.config.mode != TranslationConfig::Mode::kUnmapped || !has_tables(space.written)) return;
  CheckerReport found;
  found.mistake = Mistake::kMissingUpdate;
  found.as = space.as;
  found.va = va;
  report(found);
}

void Checker::on_reset() { spaces_ = {}; }

// --- Entries
// ----------------------------------------------------------------------------------------------------

void Checker::on_fetch(const WatchedSpace& space, GpuVa va, FetchedEntry entry) {
  if (!config_.ledger) return;
  const PhysAddr table{align_down(entry.place.value, kPageSize)};
  const FrameLedger::Entry frame = config_.ledger->at(table);
  const Space& mine = spaces_[space.as.value];
  const bool is_root = table.value == align_down(space.config.root.value, kPageSize);
  const bool replaced = is_root && frame.changed_at > mine.root_stamp;
  if (frame.owner != 0 && !replaced) return;
  CheckerReport found;
  found.mistake = frame.owner == 0 ? Mistake::kFreedTableWalk : Mistake::kReusedTableWalk;
  found.as = space.as;
  found.va = GpuVa{align_down(va.value, kPageSize)};
  found.frame = table;
  found.owner_then = is_root ? mine.root_owner : 0;
  found.owner_now = frame.owner;
  report(found);
}

void Checker::on_cached(const WatchedSpace& space, GpuVa va, const CachedTranslation& cached) {
  cached.origin.found_same_at = history_.now();
  if (!config_.ledger) return;
  // After the entry was read: what the driver allocated before it wrote the entry is not newer.
  cached.origin.owner_stamp = config_.ledger->now();
  cached.origin.target_owner = config_.ledger->at(cached.target).owner;
  if (cached.kind != Kind::kLeaf) return;
  const PhysAddr page = cached.target + (va.value & (cached.tag.covers().size() - 1));
  if (!dram_.contains(page, 1) || config_.ledger->at(page).owner != 0) return;
  CheckerReport found = describe(Mistake::kFreeFrameMapped, va, cached, {});
  found.as = space.as;
  found.frame = PhysAddr{align_down(page.value, kPageSize)};
  report(found);
}

void Checker::on_overlap(const WatchedSpace& space, const CachedTranslation& cached) {
  // A driver that edits first is at work until its flush.
  if (is_locked(space, cached) || config_.order == EditOrder::kEditLockFlush) return;
  report_entry(Mistake::kOverlappingEntries, cached.tag.covers().first, cached,
               compare(dram_, space.config, cached));
}

void Checker::on_used(const WatchedSpace& space, GpuVa va, const CachedTranslation& cached) {
  if (cached.origin.reported) return;
  const PhysAddr target =
      cached.kind == Kind::kLeaf
          ? cached.target + align_down(va.value & (cached.tag.covers().size() - 1), kPageSize)
          : cached.target;
  if (cached.kind != Kind::kInvalid && check_owner(space, va, cached, target)) return;
  if (is_unchanged(dram_, cached.origin)) {
    cached.origin.found_same_at = history_.now();
    return;
  }
  // A driver that edits first is at work until its flush, which examine_release judges.
  if (config_.order == EditOrder::kEditLockFlush) note_use(cached);
  if (is_locked(space, cached) || config_.order == EditOrder::kEditLockFlush) return;
  const Comparison comparison = compare(dram_, space.config, cached);
  if (is_wrong(comparison.difference))
    report_entry(diagnose(cached, comparison.difference), va, cached, comparison);
}

bool Checker::check_owner(const WatchedSpace& space, GpuVa va, const CachedTranslation& cached,
                          PhysAddr pa) {
  if (!config_.ledger) return false;
  const FrameLedger::Entry frame = config_.ledger->at(pa);
  if (frame.changed_at <= cached.origin.owner_stamp) return false;
  const bool table = cached.kind == Kind::kTable;
  const Mistake mistake = frame.owner == 0
                              ? (table ? Mistake::kFreedTableWalk : Mistake::kFreedFrameAccess)
                              : (table ? Mistake::kReusedTableWalk : Mistake::kReusedFrameAccess);
  const Comparison comparison = compare(dram_, space.config, cached);
  CheckerReport found = describe(mistake, va, cached, comparison);
  if (is_wrong(comparison.difference)) found.cause = diagnose(cached, comparison.difference);
  found.frame = pa;
  found.owner_then = cached.origin.target_owner;
  found.owner_now = frame.owner;
  cached.origin.reported = true;
  report(found);
  return true;
}

// What the driver did instead of flushing an entry that was changed with no region locked.
Mistake Checker::diagnose(const CachedTranslation& cached, Difference difference) const {
  const GpuRange covered = cached.tag.covers();
  // The address space's latest flush dropped it, as it is cached again now.
  const std::uint64_t latest = spaces_[cached.tag.as().value].release_number;
  for (const CachedWord& drop : drops_) {
    if (latest != 0 && drop.number == latest && drop.tag == cached.tag &&
        drop.word == own_word(cached.origin))
      return Mistake::kEarlyFlush;
  }
  Mistake name =
      difference == Difference::kOtherSize ? Mistake::kSwapWithoutBreak : Mistake::kMissingFlush;
  history_.back_to(cached.origin.found_same_at, [&](const CommandRecord& record) {
    if (!record.releases() || record.as == cached.tag.as() || !record.region.intersects(covered))
      return true;
    name = Mistake::kFlushOfOtherSpace;
    return false;
  });
  return name;
}

// --- Reports
// ----------------------------------------------------------------------------------------------------

CheckerReport Checker::describe(Mistake mistake, GpuVa va, const CachedTranslation& cached,
                                const Comparison& comparison) const {
  CheckerReport found;
  found.mistake = mistake;
  found.as = cached.tag.as();
  found.va = GpuVa{align_down(va.value, kPageSize)};
  found.level = cached.tag.level();
  found.difference = comparison.difference;
  found.unchanged_at = cached.origin.found_same_at;
  if (!cached.origin.path().empty()) {
    found.was =
        comparison.difference == Difference::kNone ? cached.origin.path().back() : comparison.was;
    found.is = comparison.difference == Difference::kNone ? found.was->word : comparison.is;
  }
  return found;
}

void Checker::report_entry(Mistake mistake, GpuVa va, const CachedTranslation& cached,
                           const Comparison& comparison) {
  if (cached.origin.reported) return;
  cached.origin.reported = true;
  report(describe(mistake, va, cached, comparison));
}

void Checker::report_command(Mistake mistake, const WatchedSpace& space, std::uint32_t value) {
  CheckerReport found;
  found.mistake = mistake;
  found.as = space.as;
  found.value = value;
  report(found);
}

void Checker::report(CheckerReport report) {
  history_.back_to(0, [&](const CommandRecord& record) {
    report.commands[report.command_count++] = record;
    return report.command_count < report.commands.size();
  });
  std::reverse(report.commands.begin(), report.commands.begin() + report.command_count);
  if (config_.on_mistake == OnMistake::kAbort) {
    std::array<char, 4096> text;
    const std::size_t size = write_text(report, text);
    // Nothing can be done about a stderr that takes nothing.
    if (::write(STDERR_FILENO, text.data(), size) < 0) std::abort();
    std::abort();
  }
  const std::lock_guard lock(mutex_);
  ++total_;
  for (CheckerReport& known : reports_) {
    if (!known.is_same(report)) continue;
    ++known.times;
    return;
  }
  if (reports_.size() < kMaxReports) reports_.push_back(report);
}

std::vector<CheckerReport> Checker::reports() const {
  const std::lock_guard lock(mutex_);
  return reports_;
}

std::uint64_t Checker::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace pantry::emu
