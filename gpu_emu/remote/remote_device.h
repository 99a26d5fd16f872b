// SPDX-License-Identifier: MIT
//
// The device for a host in another process: serves one connection of the protocol (wire.h), from
// hello to hang-up.
//
// One thread does everything: it answers requests, clocks the device while there are none, and
// sleeps while both are idle. So the device's lock is never contended, and an access waits for at
// most one slice. A host that does not read its replies is not served any further until it does;
// nothing else waits for it. Whatever a host sends, the worst it gets is an error and the end of
// its connection.
#pragma once

#include <vector>

#include "base/result.h"
#include "gpu_emu/checker/checker.h"
#include "gpu_emu/cs/stream_policy.h"
#include "gpu_emu/datasheet/model.h"
#include "gpu_emu/misbehaviour.h"
#include "gpu_emu/quirks.h"
#include "gpu_emu/remote/descriptor.h"
#include "gpu_emu/seams.h"

namespace pantry::emu {

struct RemoteDeviceConfig {
  datasheet::GpuModel model = datasheet::kMaliG610;
  Quirks quirks;
  StreamPolicy streams = StreamPolicy::kAll;
  Misbehaviour* misbehaviour = nullptr;  // of each device; outlives them
  // Between the requests and each device's registers; outlives them. Only to test tests.
  MmioSeam* seam = nullptr;
  // The host's mistakes with the MMU (gpu_emu/checker), those with the owners of frames as far as
  // the host tells them. Off, it costs nothing; kReport keeps them for the totals; kAbort ends the
  // process with the text.
  enum class Check : std::uint8_t { kOff, kReport, kAbort } checker = Check::kOff;
  Checker::EditOrder order = Checker::EditOrder::kEditLockFlush;  // in which the host edits tables
};

// What a connection amounted to.
struct RemoteDeviceTotals {
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;
  std::uint64_t edges = 0;
  std::uint64_t resets = 0;
  std::uint64_t recoveries = 0;         // see GpuDump
  std::vector<CheckerReport> mistakes;  // none when the checker is off
};

// Returns when the host has hung up, or when `stop` (a pipe or eventfd) becomes readable. The errno
// of a handshake that failed; EFAULT when the host took its memory away. Blocks.
Result<RemoteDeviceTotals> serve_remote_device(Descriptor socket, int stop,
                                               const RemoteDeviceConfig& config);

}  // namespace pantry::emu
