// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/control_blocks.h"

#include "gpu_emu/datasheet/firmware_interface.h"
#include "gpu_emu/mcu/suspend_buffer.h"

namespace pantry::emu {
namespace {

// There is no protected mode, but a size of 0 would be refused.
constexpr std::uint32_t kProtmSuspendBytes = kPageSize;

constexpr std::uint32_t va_of(std::uint32_t offset) {
  return datasheet::firmware_interface::kSharedSectionVa + offset;
}

void publish_stream(SharedSection& section, std::uint32_t group, std::uint32_t stream) {
  namespace field = datasheet::cs::control;
  using datasheet::cs::Features;
  SharedBlock block(section, layout::cs_control(group, stream));
  block.store(field::kFeatures, Features::WorkRegistersMinus1::of(kStreamRegisters - 1) |
                                    Features::Scoreboards::of(Scoreboard::kEntries) |
                                    Features::Compute::of(true) | Features::Fragment::of(true) |
                                    Features::Tiler::of(true));
  block.store(field::kInputVa, va_of(layout::cs_input(group, stream)));
  block.store(field::kOutputVa, va_of(layout::cs_output(group, stream)));
}

void publish_group(SharedSection& section, std::uint32_t group) {
  namespace field = datasheet::csg::control;
  SharedBlock block(section, layout::csg_control(group));
  block.store(field::kFeatures, 0);
  block.store(field::kInputVa, va_of(layout::csg_input(group)));
  block.store(field::kOutputVa, va_of(layout::csg_output(group)));
  block.store(field::kSuspendSize, SuspendBuffer::kBytes);
  block.store(field::kProtmSuspendSize, kProtmSuspendBytes);
  block.store(field::kStreamNum, kStreamSlots);
  block.store(field::kStreamStride, layout::kStreamStride);
  for (std::uint32_t stream = 0; stream < kStreamSlots; ++stream) {
    publish_stream(section, group, stream);
  }
}

}  // namespace

void publish_control_blocks(SharedSection& section, const Quirks& quirks,
                            std::uint32_t group_slots) {
  namespace field = datasheet::glb::control;
  for (std::uint32_t group = 0; group < group_slots; ++group) publish_group(section, group);
  SharedBlock block(section, layout::kGlbControl);
  block.store(field::kFeatures, 0);
  block.store(field::kInputVa, va_of(layout::kGlbInput));
  block.store(field::kOutputVa, va_of(layout::kGlbOutput));
  block.store(field::kGroupNum, group_slots);
  block.store(field::kGroupStride, layout::kGroupStride);
  block.store(field::kPerfcntSize, 0);
  block.store(field::kInstrFeatures, quirks.instr_features);
  // Last: a version other than 0 says that the rest is there.
  block.store(field::kVersion, quirks.firmware_version);
}

}  // namespace pantry::emu
