// SPDX-License-Identifier: MIT
#include "driver/csf/job_stream.h"

#include "base/check.h"
#include "gpu_emu/datasheet/builder.h"
#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::driver {

namespace isa = datasheet::isa;
using datasheet::CacheFlush;

namespace {

// The counters of `profiling` into the slot, each through a register pair that is free there.
void note(datasheet::CsBuilder& stream, const JobStreamArgs& args, isa::Reg64 address,
          isa::Reg64 value, datasheet::Offset cycles, datasheet::Offset time) {
  if (notes_cycles(args.profiling)) {
    stream.add(isa::Move48{.dst = address, .imm = args.profile.value + cycles});
    stream.add(isa::StoreState{.address = address, .state = isa::StateKind::kCycleCount});
  }
  if (notes_time(args.profiling)) {
    stream.add(isa::Move48{.dst = value, .imm = args.profile.value + time});
    stream.add(isa::StoreState{.address = value, .state = isa::StateKind::kTimestamp});
  }
}

}  // namespace

JobStream::JobStream(const JobStreamArgs& args) {
  constexpr isa::Scoreboard kFlushDone{0};
  constexpr isa::ScoreboardMask kFlushDoneMask{1};
  const isa::Reg64 address = isa::d(args.registers - kOwnRegisters);
  const isa::Reg64 value = isa::d(args.registers - kOwnRegisters + 2);
  const isa::ScoreboardMask everything{static_cast<std::uint16_t>((1u << args.scoreboards) - 1)};

  datasheet::CsBuilder stream(words_);
  stream.add(isa::Move32{.dst = value.low(), .imm = args.flush_id});
  stream.add(isa::FlushCache2{.l2 = CacheFlush::kCleanInvalidate,
                              .load_store = CacheFlush::kCleanInvalidate,
                              .other = CacheFlush::kInvalidate,
                              .flush_id = value.low(),
                              .wait = isa::kNoScoreboards,
                              .signal = kFlushDone});
  note(stream, args, address, value, profile_slot::kCyclesBefore, profile_slot::kTimeBefore);
  // As it comes: what a client puts above bit 47 lands in the register and the opcode, as with
  // Linux.
  stream.add_word(isa::encode(isa::Move48{.dst = address, .imm = 0}) | args.stream.value);
  stream.add(isa::Move32{.dst = value.low(), .imm = args.bytes});
  stream.add(isa::Wait{.mask = kFlushDoneMask});
  stream.add(isa::Call{.address = address, .length = value.low()});
  note(stream, args, address, value, profile_slot::kCyclesAfter, profile_slot::kTimeAfter);
  stream.add(isa::Move48{.dst = address, .imm = args.sync_object.value});
  stream.add(isa::Move48{.dst = value, .imm = 1});
  // What the client's stream started must be over before the job is.
  stream.add(isa::Wait{.mask = everything});
  stream.add(isa::SyncAdd64{.address = address,
                            .data = value,
                            .error_propagate = true,
                            .scope = isa::SyncScope::kSystem});
  stream.add(isa::ErrorBarrier{});
  stream.pad_to_multiple_of(8);
  size_ = stream.size();
  PANTRY_CHECK(size_ == job_instructions(args.profiling));
}

}  // namespace pantry::driver
