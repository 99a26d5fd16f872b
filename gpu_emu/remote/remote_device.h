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

#include "base/result.h"
#include "gpu_emu/cs/stream_policy.h"
#include "gpu_emu/datasheet/model.h"
#include "gpu_emu/misbehaviour.h"
#include "gpu_emu/quirks.h"
#include "gpu_emu/remote/descriptor.h"

namespace pantry::emu {

struct RemoteDeviceConfig {
  datasheet::GpuModel model = datasheet::kMaliG610;
  Quirks quirks;
  StreamPolicy streams = StreamPolicy::kAll;
  Misbehaviour* misbehaviour = nullptr;  // of each device; outlives them
};

// What a connection amounted to.
struct RemoteDeviceTotals {
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;
  std::uint64_t edges = 0;
  std::uint64_t resets = 0;
};

// Returns when the host has hung up, or when `stop` (a pipe or eventfd) becomes readable. The errno
// of a handshake that failed; EFAULT when the host took its memory away. Blocks.
Result<RemoteDeviceTotals> serve_remote_device(Descriptor socket, int stop,
                                               const RemoteDeviceConfig& config);

}  // namespace pantry::emu
