// SPDX-License-Identifier: MIT
#include "campaigns/seeded/catalogue.h"

namespace pantry::seeded {
namespace {

using enum emu::Mistake;

constexpr Entry kCatalogue[] = {
    // Unmapping
    {Scene::kUnmap, Seed::kNoFlush, kMissingFlush},
    {Scene::kUnmap, Seed::kNoLock, kFlushWithoutLock},
    {Scene::kUnmap, Seed::kEarlyFlush, kEarlyFlush, {}, Device::kSpeculative},
    {Scene::kUnmap, Seed::kLateLock, kEditBeforeLock},
    {Scene::kUnmap, Seed::kLateFlush, kEditBeforeLock},
    {Scene::kUnmap, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kUnmap, Seed::kFarRegion, kFlushTooSmall},
    {Scene::kUnmap, Seed::kOtherSpace, kFlushOfOtherSpace},
    {Scene::kUnmap, Seed::kSecondUnlock, kFlushWithoutLock},
    {Scene::kUnmap, Seed::kUnknown, kUnknownCommand},
    {Scene::kUnmap, Seed::kNoWaiting, kCommandWhileActive, {}, Device::kSlowCommands},
    {Scene::kUnmap, Seed::kLateRegister, kRegisterWriteWhileActive, {}, Device::kSlowCommands},
    {Scene::kUnmap, Seed::kSpaceStolen, kSpaceChangedInUse},
    {Scene::kUnmap, Seed::kRootStolen, kSpaceChangedInUse},
    {Scene::kUnmapHalf, Seed::kHalfRegion, kFlushTooSmall},
    {Scene::kUnmapHalf, Seed::kSmallestRegion, kFlushTooSmall},
    {Scene::kUnmapHalf, Seed::kNoFlush, kMissingFlush},
    {Scene::kUnmapHalf, Seed::kOtherSpace, kFlushOfOtherSpace},
    {Scene::kTwoBinds, Seed::kNoUnlock, kMissingUnlock},
    {Scene::kTwoBinds, Seed::kLateFlush, kEditBeforeLock},
    // Mapping over what is mapped
    {Scene::kRemap, Seed::kNoFlush, kMissingFlush},
    {Scene::kRemap, Seed::kNoLock, kFlushWithoutLock},
    {Scene::kRemap, Seed::kEarlyFlush, kEarlyFlush, {}, Device::kSpeculative},
    {Scene::kRemap, Seed::kLateLock, kEditBeforeLock},
    {Scene::kRemap, Seed::kLateFlush, kEditBeforeLock},
    {Scene::kRemap, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kRemap, Seed::kOtherSpace, kFlushOfOtherSpace},
    {Scene::kReadOnly, Seed::kNoFlush, kMissingFlush},
    {Scene::kReadOnly, Seed::kLateFlush, kEditBeforeLock},
    {Scene::kReadOnly, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kReadOnly, Seed::kOtherSpace, kFlushOfOtherSpace},
    // Frames
    {Scene::kClose, Seed::kNoFlush, kFreedFrameAccess, kMissingFlush},
    {Scene::kClose, Seed::kOtherSpace, kFreedFrameAccess, kFlushOfOtherSpace},
    {Scene::kReuse, Seed::kNoFlush, kReusedFrameAccess, kMissingFlush},
    {Scene::kReuse, Seed::kOtherSpace, kReusedFrameAccess, kFlushOfOtherSpace},
    {Scene::kHold, Seed::kFreedEarly, kFreedFrameAccess},
    {Scene::kHold, Seed::kReusedAtOnce, kReusedFrameAccess},
    {Scene::kHold, Seed::kHandedOutFree, kFreeFrameMapped},
    {Scene::kHoldTable, Seed::kFreedEarly, kFreedTableWalk},
    {Scene::kHoldTable, Seed::kReusedAtOnce, kReusedTableWalk},
    {Scene::kHoldTable, Seed::kHandedOutFree, kFreedTableWalk},
    // Blocks and tables
    {Scene::kSplit, Seed::kNoFlush, kSwapWithoutBreak},
    {Scene::kSplit, Seed::kLateFlush, kEditBeforeLock},
    {Scene::kSplit, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kSplit, Seed::kOtherSpace, kFlushOfOtherSpace},
    {Scene::kJoin, Seed::kNoFlush, kSwapWithoutBreak},
    {Scene::kJoin, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kJoin, Seed::kLateFlush, kEditBeforeLock},
    {Scene::kFreeTable, Seed::kNoFlush, kFreedTableWalk, kMissingFlush},
    {Scene::kFreeTable, Seed::kOtherSpace, kFreedTableWalk, kFlushOfOtherSpace},
    {Scene::kFreeTable, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kReuseTable, Seed::kNoFlush, kReusedTableWalk, kMissingFlush},
    // Slots
    {Scene::kStart, Seed::kNoUpdate, kMissingUpdate},
    {Scene::kStart, Seed::kOtherUpdate, kMissingUpdate},
    {Scene::kStart, Seed::kEarlyUpdate, kMissingUpdate},
    {Scene::kStart, Seed::kNoFlushMem, kUpdateWhileLocked},
    {Scene::kStart, Seed::kNoLock, kFlushWithoutLock},
    {Scene::kStart, Seed::kNoWaiting, kCommandWhileActive, {}, Device::kSlowCommands},
    {Scene::kEvict, Seed::kNoUpdate, kMissingUpdate},
    {Scene::kEvict, Seed::kEarlyUpdate, kMissingUpdate},
    {Scene::kEvict, Seed::kNoFlushMem, kUpdateWhileLocked},
    {Scene::kFaultAndBack, Seed::kNoUpdate, kMissingUpdate},
    {Scene::kFaultAndBack, Seed::kNoFlushMem, kUpdateWhileLocked},
    {Scene::kDestroy, Seed::kNoUpdate, kMissingUpdate},
    {Scene::kDestroy, Seed::kNoFlushMem, kUpdateWhileLocked},
};

// Linux 6.12 edits first, then locks and flushes. So of the seeds in time there are fewer: its
// order is what "late" and "early" would make of ours. It never sees a block that it can split, as
// its buffers come in single pages. Whether it waits for a command does not show either: a register
// access of the guest takes longer than the command.
constexpr Entry kLinuxCatalogue[] = {
    // Unmapping
    {Scene::kUnmap, Seed::kNoFlush, kMissingFlush},
    {Scene::kUnmap, Seed::kNoLock, kFlushWithoutLock},
    {Scene::kUnmap, Seed::kNoUnlock, kMissingUnlock},
    {Scene::kUnmap, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kUnmap, Seed::kFarRegion, kFlushTooSmall},
    {Scene::kUnmap, Seed::kOtherSpace, kFlushOfOtherSpace},
    {Scene::kUnmap, Seed::kSecondUnlock, kFlushWithoutLock},
    {Scene::kUnmap, Seed::kUnknown, kUnknownCommand},
    {Scene::kUnmap, Seed::kLateRegister, kRegisterWriteWhileActive, {}, Device::kSlowCommands},
    {Scene::kUnmap, Seed::kSpaceStolen, kSpaceChangedInUse},
    {Scene::kUnmap, Seed::kRootStolen, kSpaceChangedInUse},
    {Scene::kUnmapHalf, Seed::kHalfRegion, kFlushTooSmall},
    {Scene::kUnmapHalf, Seed::kSmallestRegion, kFlushTooSmall},
    {Scene::kUnmapHalf, Seed::kNoFlush, kMissingFlush},
    {Scene::kUnmapHalf, Seed::kOtherSpace, kFlushOfOtherSpace},
    {Scene::kTwoBinds, Seed::kNoUnlock, kMissingUnlock},
    // Mapping over what is mapped
    {Scene::kRemap, Seed::kNoFlush, kMissingFlush},
    {Scene::kRemap, Seed::kNoLock, kFlushWithoutLock},
    {Scene::kRemap, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kRemap, Seed::kOtherSpace, kFlushOfOtherSpace},
    {Scene::kReadOnly, Seed::kNoFlush, kMissingFlush},
    {Scene::kReadOnly, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kReadOnly, Seed::kOtherSpace, kFlushOfOtherSpace},
    // Tables
    {Scene::kFreeTable, Seed::kNoFlush, kFreedTableWalk, kMissingFlush},
    {Scene::kFreeTable, Seed::kOtherSpace, kFreedTableWalk, kFlushOfOtherSpace},
    {Scene::kFreeTable, Seed::kNextRegion, kFlushTooSmall},
    {Scene::kReuseTable, Seed::kNoFlush, kReusedTableWalk, kMissingFlush},
    // Frames
    {Scene::kClose, Seed::kNoFlush, kFreedFrameAccess, kMissingFlush},
    {Scene::kClose, Seed::kOtherSpace, kFreedFrameAccess, kFlushOfOtherSpace},
    {Scene::kReuse, Seed::kNoFlush, kReusedFrameAccess, kMissingFlush},
    {Scene::kReuse, Seed::kOtherSpace, kReusedFrameAccess, kFlushOfOtherSpace},
    // Slots
    {Scene::kStart, Seed::kNoUpdate, kMissingUpdate},
    {Scene::kStart, Seed::kOtherUpdate, kMissingUpdate},
    {Scene::kStart, Seed::kEarlyUpdate, kMissingUpdate},
    {Scene::kStart, Seed::kNoFlushMem, kUpdateWhileLocked},
    {Scene::kStart, Seed::kNoLock, kFlushWithoutLock},
    {Scene::kEvict, Seed::kNoUpdate, kMissingUpdate},
    {Scene::kEvict, Seed::kEarlyUpdate, kMissingUpdate},
    {Scene::kEvict, Seed::kNoFlushMem, kUpdateWhileLocked},
    {Scene::kFaultAndBack, Seed::kNoUpdate, kMissingUpdate},
    {Scene::kFaultAndBack, Seed::kNoFlushMem, kUpdateWhileLocked},
    {Scene::kDestroy, Seed::kNoUpdate, kMissingUpdate},
    {Scene::kDestroy, Seed::kNoFlushMem, kUpdateWhileLocked},
};

constexpr Seed kHarmless[] = {
    Seed::kNone,        Seed::kLargerRegion, Seed::kWholeSpace,      Seed::kFlushPt,
    Seed::kFlushMem,    Seed::kLockTwice,    Seed::kOneFlushTooMany, Seed::kSpuriousInterrupts,
    Seed::kBouncingLine};

}  // namespace

std::span<const Entry> catalogue() { return kCatalogue; }
std::span<const Entry> linux_catalogue() { return kLinuxCatalogue; }
std::span<const Seed> harmless() { return kHarmless; }

emu::Quirks quirks_of(Device device) {
  emu::Quirks quirks;
  if (device == Device::kSpeculative) quirks.caching = emu::Quirks::Caching::kSpeculative;
  if (device == Device::kSlowCommands) quirks.as_command_time = microseconds(5);
  return quirks;
}

std::string_view name_of(Seed seed) {
  constexpr std::string_view kNames[] = {"none",
                                         "no-lock",
                                         "no-unlock",
                                         "no-flush",
                                         "no-flush-mem",
                                         "no-update",
                                         "early-flush",
                                         "late-lock",
                                         "late-flush",
                                         "early-update",
                                         "second-unlock",
                                         "late-register",
                                         "next-region",
                                         "far-region",
                                         "half-region",
                                         "smallest-region",
                                         "other-space",
                                         "other-update",
                                         "unknown-command",
                                         "no-waiting",
                                         "space-stolen",
                                         "root-stolen",
                                         "freed-early",
                                         "reused-at-once",
                                         "handed-out-free",
                                         "larger-region",
                                         "whole-space",
                                         "flush-pt",
                                         "flush-mem",
                                         "lock-twice",
                                         "one-flush-too-many",
                                         "spurious-interrupts",
                                         "bouncing-line"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Seed::kBouncingLine) + 1);
  return kNames[static_cast<std::size_t>(seed)];
}

std::string name_of(const Entry& entry) {
  return std::string(name_of(entry.scene)) + "-" + std::string(name_of(entry.seed));
}

}  // namespace pantry::seeded
