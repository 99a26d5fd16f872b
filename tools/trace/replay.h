// SPDX-License-Identifier: MIT
//
// Asks a machine what a trace asked another, through the same ioctls, one after the other and as
// fast as it goes, and measures.
//
// Buffers are new ones of the same size: whose frames lie otherwise is counted, since blocks depend
// on it. What a bind of the trace waited for and no bind of the trace signals (a job's fence, say)
// has happened long ago: such waits are left out and counted. Syncobjs are not reset.
#pragma once

#include <cstdint>
#include <vector>

#include "driver/vm/bind_plan.h"
#include "tools/trace/trace.h"
#include "uapi/machine/machine.h"

namespace pantry::trace {

struct Replayed {
  // How long each VM_BIND took in the caller, in the order of the trace: one that is synchronous,
  // from the call to the bind having run; one that is not, until it was accepted.
  std::vector<Duration> synchronous, asynchronous;
  // The two halves of each operation that ran, in the order in which they did. Those that share a
  // flush share its time.
  std::vector<Duration> prepare, run;
  // Of all binds. Its pages are also those of VM_DESTROY: what that unmaps under binds that still
  // wait, the provisioner may lay in for them once more.
  driver::BindStatistics pages;
  std::uint64_t binds = 0;          // operations that ran
  std::uint64_t peak_tables = 0;    // table pages of one VM in use after a VM_BIND, most ever
  std::uint64_t peak_pending = 0;   // table pages laid in for binds of one VM that had not run
  std::uint64_t flushes = 0;        // VM_DESTROY's too
  std::uint64_t other_results = 0;  // VM_BINDs that failed or succeeded otherwise than recorded
  std::uint64_t foreign_waits = 0;
  std::uint64_t other_frames = 0;  // buffers
};

// kOwned: each VM has an address-space slot while it lives, as if a group of its ran, as long as
// there are slots; its binds lock the region and flush. kNone: no VM has.
enum class Slots { kOwned, kNone };

// The errno of the first ioctl but VM_BIND that fails: ENOMEM when the machine's memory does not
// hold the buffers. `machine` has no other client; times are 0 unless its bind_times are on.
Result<Replayed> replay(uapi::Machine& machine, const Trace& trace, Slots slots) PANTRY_MAY_WAIT;

// For a person to read.
std::string text_of(const Replayed& replayed);
// The same as one JSON object on a line: each time in microseconds, as an object of count, mean,
// p50, p99 and max; counts under the names of Replayed.
std::string json_of(const Replayed& replayed);

}  // namespace pantry::trace
