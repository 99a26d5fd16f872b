// SPDX-License-Identifier: MIT
//
// A fault that is to be injected: what goes wrong, when and how often. As text it is
//
//   WHAT[:PARAMETER=VALUE[,PARAMETER=VALUE...]]         stuck-as:after=20,times=3,every=100
//
//   stuck-as        an AS command that never ends                             as
//   lost-irq        an event that does not raise its interrupt line           line
//   late-ack        requests that the firmware looks at late                  delay
//   firmware-hang   a firmware that does nothing more
//   bad-suspend     a suspend buffer that is not what SUSPEND wrote
//   pte-flip        a bit that flips in a page-table entry                    as, bit
//   slow-flush      a cache flush that takes longer                           delay
//
// Each is met at its occasions: AS commands, rises of the line, rings of doorbell 0 (late-ack)
// or of any (firmware-hang), suspended groups, page-table walks, flushes. `after` of them pass
// first; then every `every`-th is hit, `times` times.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "gpu_emu/misbehaviour.h"

namespace pantry::emu {

enum class FaultKind : std::uint8_t {
  kStuckAsCommand,
  kLostInterrupt,
  kLateAcknowledge,
  kFirmwareHang,
  kCorruptedSuspendBuffer,
  kPteBitFlip,
  kSlowFlush,
};
inline constexpr FaultKind kFaultKinds[] = {
    FaultKind::kStuckAsCommand, FaultKind::kLostInterrupt,          FaultKind::kLateAcknowledge,
    FaultKind::kFirmwareHang,   FaultKind::kCorruptedSuspendBuffer, FaultKind::kPteBitFlip,
    FaultKind::kSlowFlush};
// As in the text form.
std::string_view name_of(FaultKind kind);

struct FaultPlan {
  FaultKind kind = FaultKind::kStuckAsCommand;
  std::uint64_t after = 0;
  std::uint64_t every = 1;  // at least 1
  std::uint64_t times = 1;  // 0: without end
  // kLateAcknowledge and kSlowFlush. Drivers give up after 100 ms.
  Duration delay = milliseconds(150);
  // kLostInterrupt.
  Misbehaviour::Line line = Misbehaviour::Line::kJob;
  // kStuckAsCommand and kPteBitFlip: only this address space; otherwise any but the MCU's, 0.
  std::optional<std::uint32_t> as = std::nullopt;
  // kPteBitFlip, 0..63. Bit 6 is AP[1]: the page can no longer be accessed. Bit 0 makes a page's
  // entry reserved, which Linux 6.12 takes for a table when it unmaps the page, and frees.
  std::uint32_t bit = 6;
};

// The plan, or what is wrong with the text.
std::expected<FaultPlan, std::string> parse_fault(std::string_view text);

}  // namespace pantry::emu
