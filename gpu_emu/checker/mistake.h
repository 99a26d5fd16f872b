// SPDX-License-Identifier: MIT
//
// What a driver can get wrong with an MMU, as far as the device and the allocator of frames can
// tell. The names are what reports, catalogues and campaigns use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pantry::emu {

enum class Mistake : std::uint8_t {
  // A cached entry that memory no longer has was used, or outlived the flush that should have
  // covered it. The names differ in what the driver did about it.
  kMissingFlush,        // nothing
  kEarlyFlush,          // flushed the address before it changed the entry
  kEditBeforeLock,      // changed the entry, and locked and flushed only then
  kFlushTooSmall,       // the region did not cover the address
  kFlushOfOtherSpace,   // flushed the address, but of another address space
  kSwapWithoutBreak,    // as missing, and a block became a table or a table a block
  kOverlappingEntries,  // a block was cached over smaller leaves that are still cached

  // Frames, as the allocator reports them.
  kFreedTableWalk,     // a walk through a table that was given back
  kReusedTableWalk,    // ... and that somebody else has now
  kFreedFrameAccess,   // an access by a cached translation to a frame that was given back
  kReusedFrameAccess,  // ... and that somebody else has now
  kFreeFrameMapped,    // a walk found a frame that nobody owns

  // Commands and registers.
  kFlushWithoutLock,
  kMissingUnlock,  // LOCK while a region is locked that the new one does not cover
  kUpdateWhileLocked,
  kMissingUpdate,       // the configuration was written, and used without UPDATE
  kSpaceChangedInUse,   // UPDATE changed the address space of what runs, and nothing had faulted
  kCommandWhileActive,  // lost
  kRegisterWriteWhileActive,
  kUnknownCommand,
};
inline constexpr std::size_t kMistakes = 20;

// "missing-flush".
std::string_view name_of(Mistake mistake);
// One sentence for a person.
std::string_view explain(Mistake mistake);

// How memory differs from what is cached.
enum class Difference : std::uint8_t {
  kNone,
  kWayOnly,      // other tables lead to the same
  kUnmapped,     // there is nothing now
  kMapped,       // there was nothing
  kRemapped,     // another frame
  kPermissions,  // the same frame, other rights
  kOtherSize,    // a block instead of a table or smaller leaves, or the reverse
  kOtherTable,   // another table
};
std::string_view name_of(Difference difference);

}  // namespace pantry::emu
