// SPDX-License-Identifier: MIT
#include "driver/csf/aftermath.h"

#include "base/check.h"
#include "base/log.h"
#include "driver/csf/scheduler_state.h"
#include "gpu_emu/datasheet/cs_interface.h"

namespace pantry::driver {

void Aftermath::note(const Note& note) noexcept {
  if (note_count_ == kMaxNotes) {
    ++lost_notes_;
    return;
  }
  notes_[note_count_++] = note;
}

void Aftermath::finish(Group& group) noexcept {
  for (std::size_t i = 0; i < finished_count_; ++i)
    if (finished_[i].get() == &group) return;
  PANTRY_CHECK(finished_count_ < kMaxGroups);
  finished_[finished_count_++] = Ref<Group>::share(group);
}

void Aftermath::signal() noexcept {
  while (finished_count_ != 0) {
    Ref<Group> group = std::move(finished_[--finished_count_]);
    Scheduler::State::finish_jobs(*group);
  }
}

void Aftermath::log() const {
  for (std::size_t i = 0; i < note_count_; ++i) {
    const Note& note = notes_[i];
    using datasheet::cs::ExceptionWord;
    if (note.exception == 0) {
      log_info("driver/csf", "slot {}, queue {}: {}, {:#x}", note.slot, note.queue, note.what,
               note.info);
      continue;
    }
    const datasheet::Exception type = ExceptionWord::Type::get(note.exception);
    log_info("driver/csf", "slot {}, queue {}: {} {} ({:#x}, data {:#x}), info {:#x}", note.slot,
             note.queue, note.what, datasheet::name_of(type), static_cast<unsigned>(type),
             ExceptionWord::Data::get(note.exception), note.info);
  }
  if (lost_notes_ != 0) log_info("driver/csf", "{} more events", lost_notes_);
}

}  // namespace pantry::driver
