// SPDX-License-Identifier: MIT
//
// What the scheduler finds under its lock and may only do without it: signalling fences of finished
// jobs, and telling the log. Lives on the stack of one work item:
//
//   Aftermath after;
//   {
//     SignallingSection section(cleanup);
//     { MutexLock lock(mutex); ... after.note({...}); after.finish(group); }
//     after.signal();
//   }
//   after.log();
//
// Fixed room, so collecting allocates nothing; notes beyond it are counted.
#pragma once

#include <array>
#include <cstdint>

#include "driver/csf/group.h"

namespace pantry::driver {

class Aftermath {
 public:
  struct Note {
    const char* what = "";  // static storage
    std::uint32_t slot = 0;
    std::uint32_t queue = 0;
    std::uint32_t exception = 0;  // datasheet::cs::ExceptionWord; 0: none
    std::uint64_t info = 0;
  };

  void note(const Note& note) noexcept;
  // Jobs of `group` may have finished.
  void finish(Group& group) noexcept;

  // Inside a SignallingSection, no lock held.
  void signal() noexcept;
  // Outside of any.
  void log() const PANTRY_MAY_ALLOCATE;

 private:
  static constexpr std::size_t kMaxNotes = 32;
  static constexpr std::size_t kMaxGroups = 16;  // one per slot
  std::array<Note, kMaxNotes> notes_;
  std::size_t note_count_ = 0;
  std::size_t lost_notes_ = 0;
  std::array<Ref<Group>, kMaxGroups> finished_;
  std::size_t finished_count_ = 0;
};

}  // namespace pantry::driver
