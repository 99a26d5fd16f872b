// SPDX-License-Identifier: MIT
//
// A file that says it is a trace of VM_BIND. It is refused with a place inside the file, or is a
// trace that is written and read again as the same one. A short one is replayed, too: whatever it
// asks for, the machine is as it was.
#include <memory>

#include "base/check.h"
#include "driver/kernel/sim_executor.h"
#include "fuzz/input.h"
#include "fuzz/quiet_start.h"
#include "tools/trace/replay.h"
#include "tools/trace/trace_file.h"
#include "uapi/machine/machine.h"

namespace {

using namespace pantry;

constexpr std::size_t kReplayed = 24;  // events

void replay(const trace::Trace& events) {
  driver::SimExecutor executor(events.size(), 1);
  uapi::MachineConfig config;
  config.dram_bytes = 32 * kMiB;
  config.memory = uapi::MachineConfig::Memory::kArena;
  const std::unique_ptr<uapi::Machine> machine = uapi::Machine::create(executor, config).value();
  const uapi::Machine::Baseline before = machine->baseline();
  if (const auto replayed = trace::replay(*machine, events, trace::Slots::kOwned))
    PANTRY_CHECK(!trace::text_of(*replayed).empty());
  PANTRY_CHECK(machine->baseline() == before);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto events = trace::parse(std::as_bytes(std::span(data, size)));
  if (!events) {
    PANTRY_CHECK(events.error().at <= size && !events.error().what.empty());
    return 0;
  }
  trace::Writer writer;
  for (const trace::Event& event : *events) writer.add(event);
  const auto again = trace::parse(writer.finish());
  PANTRY_CHECK(again && *again == *events);
  if (events->size() <= kReplayed) replay(*events);
  return 0;
}
