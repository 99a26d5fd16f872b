// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/cs_status.h"

#include "gpu_emu/datasheet/cs_interface.h"

namespace pantry::emu {

void store_cs_status(const Stream& stream, SharedBlock& output) {
  namespace out = datasheet::cs::output;
  using datasheet::cs::StatusWait;
  using datasheet::cs::WaitSource;

  const StreamWait& wait = stream.wait;
  const std::uint32_t wait_word =
      StatusWait::ScoreboardMask::of(wait.scoreboards) |
      StatusWait::ScoreboardSource::of(wait.for_wait_instruction ? WaitSource::kWait
                                                                 : WaitSource::kNone) |
      StatusWait::SyncCondition::of(wait.sync_condition) |
      StatusWait::Progress::of(wait.for_progress) | StatusWait::Sync64::of(wait.sync_is_64_bit) |
      StatusWait::Sync::of(wait.for_sync);
  output.store64(out::kStatusCmdPtr, stream.pc().value);
  output.store(out::kStatusWait, wait_word);
  output.store(out::kStatusReqResource, stream.state.resources);
  output.store64(out::kStatusWaitSyncPtr, wait.sync_address.value);
  output.store(out::kStatusWaitSyncValue, static_cast<std::uint32_t>(wait.sync_value));
  output.store(out::kStatusWaitSyncValueHi, static_cast<std::uint32_t>(wait.sync_value >> 32));
  output.store(out::kStatusScoreboards, stream.state.scoreboard.busy());
  output.store(out::kStatusBlockedReason, datasheet::cs::BlockedReasonField::of(stream.blocked));
}

}  // namespace pantry::emu
