// SPDX-License-Identifier: MIT
//
// Writes command streams, word by word, from the published encodings of the v10 instruction set. It
// knows nothing of any driver or emulator, so that a slip on either side shows.
//
// Registers are numbered 0..95; an operand of 64 bits is an even register and the next one. The
// last four belong to the driver's wrapper around a job. Streams are position independent but for
// the addresses the caller puts in. Owns its words; allocates as it grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gpu {

// What a branch looks at: the register as a signed number against 0.
enum class Condition : uint8_t {
  kLessOrEqual,
  kGreater,
  kEqual,
  kNotEqual,
  kLess,
  kGreaterOrEqual,
  kAlways
};

// What releases a SYNC_WAIT: the word in memory against the reference.
enum class WaitUntil : uint8_t { kLessOrEqual = 0, kGreater = 1 };

enum class SyncScope : uint8_t { kSystem = 0, kGroup = 2 };

// What a HEAP_OPERATION counts.
enum class Pass : uint8_t { kBegun = 0, kTiled = 1, kRendered = 3 };

enum class State : uint8_t { kTimestamp = 0, kCycleCount = 1 };

class Assembler {
 public:
  // A branch whose target is still to come.
  using Fixup = size_t;

  const std::vector<uint64_t>& words() const { return words_; }
  uint32_t size_bytes() const { return static_cast<uint32_t>(words_.size() * sizeof(uint64_t)); }
  // Index of the next word, as a target for branches back.
  size_t here() const { return words_.size(); }

  Assembler& word(uint64_t raw);
  Assembler& nop();
  // reg:reg+1 = the low 48 bits of the value; the upper 16 become 0.
  Assembler& move48(unsigned reg, uint64_t value);
  Assembler& move32(unsigned reg, uint32_t value);
  // Two MOVE32, for values that need all 64 bits.
  Assembler& move64(unsigned reg, uint64_t value);
  Assembler& add32(unsigned dst, unsigned src, int32_t value);
  Assembler& add64(unsigned dst, unsigned src, int32_t value);
  Assembler& umin32(unsigned dst, unsigned a, unsigned b);

  // `count` registers from `reg` on, from or to memory at address_reg + offset. Finished only after
  // a wait.
  Assembler& load(unsigned reg, unsigned count, unsigned address_reg, int16_t offset);
  Assembler& store(unsigned reg, unsigned count, unsigned address_reg, int16_t offset);
  Assembler& wait(uint8_t scoreboard_mask);
  Assembler& wait_all() { return wait(0xFF); }
  Assembler& select_scoreboards(unsigned endpoint, unsigned other);

  Assembler& branch_back(Condition condition, unsigned reg, size_t target);
  Fixup branch_forward(Condition condition, unsigned reg);
  // The branch goes to the next word.
  void land(Fixup fixup);
  Assembler& call(unsigned address_reg, unsigned length_reg);
  Assembler& jump(unsigned address_reg, unsigned length_reg);

  // Cleans and invalidates L2 and load/store cache, invalidates the rest; id_reg holds the flush id
  // (0: always).
  Assembler& flush_cache(unsigned id_reg, unsigned signal_scoreboard);
  Assembler& sync_add32(unsigned address_reg, unsigned value_reg, SyncScope scope);
  Assembler& sync_add64(unsigned address_reg, unsigned value_reg, SyncScope scope);
  Assembler& sync_set32(unsigned address_reg, unsigned value_reg, SyncScope scope);
  Assembler& sync_set64(unsigned address_reg, unsigned value_reg, SyncScope scope);
  Assembler& sync_wait32(WaitUntil until, unsigned address_reg, unsigned reference_reg);
  Assembler& sync_wait64(WaitUntil until, unsigned address_reg, unsigned reference_reg);
  Assembler& store_state(State state, unsigned address_reg, int16_t offset);
  Assembler& error_barrier();

  // Asks for the endpoint of RUN_IDVS, and gives all of them up.
  Assembler& request_idvs();
  Assembler& release_endpoints();
  // Draws what its fixed registers say: r33 indices, r34 times, by the tiler context at r40:41.
  Assembler& run_idvs();
  Assembler& finish_tiling();
  Assembler& heap_set(unsigned address_reg);
  Assembler& heap_operation(Pass pass);
  // Gives the chunks from `first_reg` to `last_reg` back to the heap, and counts a pass as
  // rendered.
  Assembler& finish_fragment(unsigned first_reg, unsigned last_reg);
  // Called when the tiler has no memory left.
  Assembler& set_exception_handler(unsigned address_reg, unsigned length_reg);

  // Shorthands; they use r64..r71.
  Assembler& store_value(uint64_t va, uint32_t value);
  Assembler& store_register(uint64_t va, unsigned reg);
  Assembler& copy_word(uint64_t destination, uint64_t source);
  // Everything stored so far is in memory, where the CPU sees it.
  Assembler& publish();

 private:
  Assembler& sync(unsigned opcode, unsigned address_reg, unsigned value_reg, SyncScope scope);
  Assembler& sync_wait(unsigned opcode, WaitUntil until, unsigned address_reg,
                       unsigned reference_reg);

  std::vector<uint64_t> words_;
};

}  // namespace gpu
