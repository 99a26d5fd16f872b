// SPDX-License-Identifier: MIT
//
// Every fact about the device that no public source settles, and every figure that differs between
// parts, as one field with its default. The emulator asks here instead of deciding in the code, so
// that a finding on hardware changes one line, and a test can run a driver against the other
// answer. A default is what the documented drivers need, or the simpler reading where they need
// neither.
//
// A value: copied into the device when it is built, never changed afterwards. No lock, no
// allocation.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace pantry::emu {

struct Quirks {
  // --- Address spaces
  // -------------------------------------------------------------------------------------------

  // TRANSCFG.INA_BITS: Panthor writes 55 - va_bits, kbase leaves 0. kFiftyFiveMinus reads 0 as "all
  // VA bits of the model"; kIgnored always walks with all of them.
  enum class InaBits : std::uint8_t { kFiftyFiveMinus, kIgnored };
  InaBits ina_bits = InaBits::kFiftyFiveMinus;

  // MMU_INT bits 31:16, "operation complete on AS n". Panthor leaves them unmasked after a fault
  // and has no handler for them, so raising them costs it unhandled interrupts.
  enum class MmuCompletionIrq : std::uint8_t { kNever, kRaise };
  MmuCompletionIrq mmu_completion_irq = MmuCompletionIrq::kNever;

  // FAULTSTATUS 31:16: which unit faulted. Drivers only print it.
  std::uint16_t fault_source_id = 0;

  // A second fault before the driver has answered the first one with UPDATE.
  enum class FaultLatch : std::uint8_t { kKeepsFirst, kTakesLast };
  FaultLatch fault_latch = FaultLatch::kKeepsFirst;

  // Who waits between a fault and the moment the driver disables the address space.
  enum class FaultStalls : std::uint8_t {
    kAddressSpace,  // every access through it
    kOffender,      // accesses that fault; the others go on
  };
  FaultStalls fault_stalls = FaultStalls::kAddressSpace;

  // The level that a fault in an UNMAPPED address space reports: 0 gives 0xC0. 0xC4 exists without
  // a known use.
  std::uint8_t unmapped_fault_level = 0;

  // A table entry that lies outside DRAM.
  enum class TableFetchAbort : std::uint8_t {
    kTranslationFault,  // 0xC0 + level in FAULTSTATUS, and GPU_BUS_FAULT latched in
                        // GPU_FAULT_STATUS
    kBusFault,          // 0x80 in FAULTSTATUS itself, and the same GPU fault
  };
  TableFetchAbort table_fetch_abort = TableFetchAbort::kTranslationFault;

  // Bits 63:59 of table descriptors (APTable, XNTable) while TRANSCFG.DISABLE_HIER_AP is 0. No
  // driver sets them.
  enum class HierarchicalAttributes : std::uint8_t { kIgnored, kHonoured };
  HierarchicalAttributes hierarchical_attributes = HierarchicalAttributes::kIgnored;

  // Whether a walk that ended at an invalid entry is remembered, so that a new mapping needs a
  // flush as well.
  enum class InvalidEntries : std::uint8_t { kNotCached, kCached };
  InvalidEntries invalid_entries = InvalidEntries::kNotCached;

  // What the MMU caches. All four are legal for hardware: a driver must be right on each.
  enum class Caching : std::uint8_t {
    kCoherent,     // nothing: every access walks
    kReal,         // as much as fits, least recently used first out
    kSticky,       // everything that was ever walked, until it is invalidated
    kSpeculative,  // as kReal, and walks of its own to random valid addresses at random moments
  };
  Caching caching = Caching::kReal;
  std::uint64_t speculation_seed = 1;  // of kSpeculative

  // Translations and table descriptors that the MMU keeps, shared by all address spaces: sets (a
  // power of two) times ways, least recently used within a set. The real sizes are not public.
  // kSticky starts with these and grows.
  std::uint32_t tlb_sets = 64;
  std::uint32_t tlb_ways = 4;
  std::uint32_t walk_cache_sets = 16;
  std::uint32_t walk_cache_ways = 4;

  // How long AS_STATUS shows a command as active. With zero it is complete when the register write
  // returns.
  Duration as_command_time = nanoseconds(0);

  // --- GPU control
  // ----------------------------------------------------------------------------------------------

  // JOB_INT_MASK and MMU_INT_MASK after a soft reset. GPU_INT_MASK always survives: Panthor waits
  // for RESET_COMPLETED by interrupt and does not write the mask again. RAWSTAT is left with
  // RESET_COMPLETED alone in any case.
  enum class ResetIrqMasks : std::uint8_t { kCleared, kKept };
  ResetIrqMasks reset_job_and_mmu_masks = ResetIrqMasks::kCleared;

  // L2_PWRON of an L2 that is on: READY stays set, or drops for one power transition.
  enum class RedundantPowerOn : std::uint8_t { kNoEffect, kPowerCycles };
  RedundantPowerOn redundant_power_on = RedundantPowerOn::kNoEffect;

  // Time from a command to its interrupt or READY bit. The driver's limits are 20 ms for power and
  // 100 ms for the rest.
  Duration power_transition_time = microseconds(10);
  Duration cache_flush_time = nanoseconds(0);
  Duration reset_time = microseconds(10);

  // The rate of CYCLE_COUNT and of the firmware's cycle timers. That of TIMESTAMP is the model's.
  std::uint64_t core_clock_hz = 800'000'000;

  // --- Firmware
  // -------------------------------------------------------------------------------------------------

  // GLB version (major 31:24, minor 23:16, patch 15:0) and instr_features as boot logs of RK3588
  // boards show them.
  std::uint32_t firmware_version = 0x0101'0000;
  std::uint32_t instr_features = 0x71;

  // When the firmware writes EXTRACT besides "before any acknowledge or event". The driver reads it
  // on those only.
  enum class ExtractUpdate : std::uint8_t { kJobBoundary, kEveryInstruction };
  ExtractUpdate extract_update = ExtractUpdate::kJobBoundary;

  // What the firmware adds when an access is aborted because its address space was disabled after a
  // fault.
  enum class AbortReport : std::uint8_t {
    kCsFault,  // CS_FAULT with CS_BUS_FAULT (0x48)
    kNothing,  // the queue just stays where it is until it is terminated
  };
  AbortReport abort_report = AbortReport::kCsFault;

  // --- Command streams
  // ------------------------------------------------------------------------------------------

  // LOAD_MULTIPLE and STORE_MULTIPLE with holes in the register mask: two Mesa components disagree.
  // Word i of memory belongs to mask bit i, or the words are packed. Logged when met.
  enum class SparseMask : std::uint8_t { kWordPerBit, kPacked };
  SparseMask sparse_mask = SparseMask::kWordPerBit;

  // Bits 31:24 of WAIT, SYNC_* and the other wait masks on a device with 8 scoreboard entries: IGT
  // sets them, Mesa's description of v10 has no such bits.
  enum class HighWaitBits : std::uint8_t { kIgnored, kInvalidInstruction };
  HighWaitBits high_wait_bits = HighWaitBits::kIgnored;

  // SYNC_WAIT whose object carries an error: which value of error_reject makes the stream inherit
  // it (CS_FAULT 0x4B). The other value ignores the error.
  enum class ErrorReject : std::uint8_t { kZeroInherits, kOneInherits };
  ErrorReject error_reject = ErrorReject::kZeroInherits;

  // RUN_* between a faulting operation and the next ERROR_BARRIER.
  enum class RunInErrorState : std::uint8_t { kSkipped, kExecuted };
  RunInErrorState run_in_error_state = RunInErrorState::kSkipped;

  // What a START finds: the scoreboard entry selected for endpoint and for other work, and the
  // value of every register.
  std::uint8_t initial_scoreboard = 0;
  std::uint32_t initial_register = 0;

  // PROGRESS_WAIT is released when the other queue's progress has reached the source value, or only
  // when it has passed.
  enum class ProgressWait : std::uint8_t { kAtLeast, kGreater };
  ProgressWait progress_wait = ProgressWait::kAtLeast;

  // Deferred operations of one stream that wait for the same scoreboard entries.
  enum class DeferredOrder : std::uint8_t { kIssueOrder, kReversed };
  DeferredOrder deferred_order = DeferredOrder::kIssueOrder;

  // Whether operations overlap: deferred operations, flushes and endpoint work that count in the
  // scoreboard until they are done, or everything complete before the next instruction, which is
  // legal too. Of loads and stores see transfer_time.
  enum class Overlap : std::uint8_t { kScoreboarded, kInOrder };
  Overlap overlap = Overlap::kScoreboarded;

  // How long LOAD_MULTIPLE and STORE_MULTIPLE hold their scoreboard entry. Until the end of that
  // time a loaded register has its old value, and a store takes what its registers hold at the end:
  // what a stream gets that reads, or writes, them without a WAIT is not documented. With zero, or
  // when overlap is kInOrder, both complete before the next instruction, which is legal too.
  Duration transfer_time = nanoseconds(0);

  // How long all endpoints of a kind (shader cores, tilers) are busy with a RUN_* or FINISH_TILING
  // that the emulator completes without effect: this, and work_time for each workgroup of
  // RUN_COMPUTE, vertex of RUN_TILING and RUN_IDVS (index count times instance count) and tile of
  // 16 by 16 pixels of RUN_FRAGMENT; with fewer of them in proportion longer. What a real one needs
  // depends on its shaders. Not counted when overlap is kInOrder.
  Duration endpoint_time = microseconds(5);
  Duration work_time = nanoseconds(10);

  // How long work of one priority keeps its endpoints while other work of that priority waits for
  // them (mcu/endpoint_arbiter.h). More than 0.
  Duration endpoint_round = milliseconds(1);

  // What RUN_* reads before the stream goes on: the descriptors that its registers certainly name,
  // whose pages may fault then; those of RUN_IDVS's varying and fragment shaders too, where its
  // selects name an entry of their own (a driver that draws without such a shader may leave old
  // pointers there); or nothing, as if all of it came later.
  enum class EndpointReads : std::uint8_t { kDescriptors, kAllSelected, kNothing };
  EndpointReads endpoint_reads = EndpointReads::kDescriptors;

  // RUN_* without the resource that REQ_RESOURCE asks for.
  enum class UnrequestedRun : std::uint8_t { kEndpointFault, kExecuted };
  UnrequestedRun unrequested_run = UnrequestedRun::kEndpointFault;

  // Bytes of the tiler heap that RUN_IDVS and RUN_TILING take for each vertex (index count times
  // instance count). A real tiler's need follows from positions, varyings and the tiles that a
  // primitive touches; the default is one line of the L2. With 0 tiling needs no memory.
  std::uint32_t tiler_bytes_per_vertex = 64;
};

}  // namespace pantry::emu
