// SPDX-License-Identifier: MIT
#include "driver/csf/firmware_interface.h"

#include <algorithm>
#include <array>

#include "base/types.h"
#include "driver/csf/job_stream.h"
#include "gpu_emu/datasheet/cs_operand.h"
#include "gpu_emu/datasheet/firmware_interface.h"

namespace pantry::driver {
namespace {

namespace glb = datasheet::glb;
namespace csg = datasheet::csg;
namespace cs = datasheet::cs;
namespace layout = datasheet::firmware_interface;
using Offset = datasheet::Offset;

}  // namespace

// Goes through the control blocks; `fault` is the first thing that is wrong with them.
class FirmwareInterface::Reader {
 public:
  explicit Reader(std::span<std::byte> section) : section_(section) {}

  const char* read(FirmwareInterface& into) {
    read_global(into);
    for (std::uint32_t slot = 0; fault_ == nullptr && slot < group_num_; ++slot)
      read_group(into, slot);
    return fault_;
  }

 private:
  void refuse(const char* why) {
    if (fault_ == nullptr) fault_ = why;
  }

  // [offset, offset + bytes) of the section, or a block that must not be used.
  InterfaceBlock block(std::uint64_t offset, std::uint64_t bytes, std::uint64_t alignment) {
    if (offset > section_.size() || bytes > section_.size() - offset) {
      refuse("a block lies outside of the shared section");
      return {};
    }
    if (!is_aligned(offset, alignment)) {
      refuse("a block is not aligned");
      return {};
    }
    return InterfaceBlock(section_.data() + offset);
  }
  InterfaceBlock control(std::uint64_t offset, std::uint64_t bytes) {
    return block(offset, bytes, 4);
  }
  // The block at an address that the firmware gave; it has fields of 64 bits.
  InterfaceBlock block_at(std::uint32_t va, std::uint64_t bytes) {
    if (va < layout::kSharedSectionVa) {
      refuse("a block lies outside of the shared section");
      return {};
    }
    return block(va - layout::kSharedSectionVa, bytes, 8);
  }

  void read_global(FirmwareInterface& into) {
    const InterfaceBlock block = control(0, glb::control::kBytes);
    if (fault_ != nullptr) return;
    into.version_ = block.load(glb::control::kVersion);
    if (into.version_ == 0) return refuse("the version is 0");
    group_num_ = block.load(glb::control::kGroupNum);
    group_stride_ = block.load(glb::control::kGroupStride);
    if (group_num_ < layout::kMinGroups || group_num_ > layout::kMaxGroups)
      return refuse("the number of group slots is out of range");
    into.group_slots_ = std::min(group_num_, layout::kMaxUsedGroups);
    into.global_.input = block_at(block.load(glb::control::kInputVa), glb::input::kBytes);
    into.global_.output = block_at(block.load(glb::control::kOutputVa), glb::output::kBytes);
    if (fault_ != nullptr) return;
    GlobalInterface& global = into.global_;
    global.request = {global.input, glb::input::kReq, global.output, glb::output::kAck};
    global.doorbells = {global.input, glb::input::kDoorbellReq, global.output,
                        glb::output::kDoorbellAck};
  }

  void read_group(FirmwareInterface& into, std::uint32_t slot) {
    const std::uint64_t offset = layout::kGroupControls + std::uint64_t{slot} * group_stride_;
    const InterfaceBlock block = control(offset, csg::control::kBytes);
    if (fault_ != nullptr) return;
    const std::array<std::uint32_t, 4> numbers = {
        block.load(csg::control::kFeatures), block.load(csg::control::kSuspendSize),
        block.load(csg::control::kProtmSuspendSize), block.load(csg::control::kStreamNum)};
    if (slot == 0) {
      group_numbers_ = numbers;
      into.suspend_bytes_ = numbers[1];
      into.protected_suspend_bytes_ = numbers[2];
      into.stream_slots_ = numbers[3];
      if (numbers[1] == 0 || numbers[2] == 0) return refuse("a suspend buffer has no bytes");
      if (numbers[3] < layout::kMinStreams || numbers[3] > layout::kMaxStreams)
        return refuse("the number of streams is out of range");
    } else if (numbers != group_numbers_) {
      return refuse("the group slots are not alike");
    }

    GroupInterface group;
    group.input = block_at(block.load(csg::control::kInputVa), csg::input::kBytes);
    group.output = block_at(block.load(csg::control::kOutputVa), csg::output::kBytes);
    if (fault_ != nullptr) return;
    group.request = {group.input, csg::input::kReq, group.output, csg::output::kAck};
    group.doorbells = {group.input, csg::input::kDoorbellReq, group.output,
                       csg::output::kDoorbellAck};
    into.groups_.push_back(group);
    const std::uint32_t stream_stride = block.load(csg::control::kStreamStride);
    for (std::uint32_t i = 0; fault_ == nullptr && i < into.stream_slots_; ++i)
      read_stream(into, offset + layout::kStreamControls + std::uint64_t{i} * stream_stride);
  }

  void read_stream(FirmwareInterface& into, std::uint64_t offset) {
    const InterfaceBlock block = control(offset, cs::control::kBytes);
    if (fault_ != nullptr) return;
    const std::uint32_t features = block.load(cs::control::kFeatures);
    if (into.streams_.empty()) {
      features_ = features;
      into.stream_registers_ = cs::Features::WorkRegistersMinus1::get(features) + 1;
      into.scoreboards_ = cs::Features::Scoreboards::get(features);
      // The last four registers are the driver's, in two pairs.
      if (into.stream_registers_ < kOwnRegisters || into.stream_registers_ % 2 != 0 ||
          into.stream_registers_ > datasheet::isa::kRegisterCount)
        return refuse("the number of registers of a stream is out of range");
      if (into.scoreboards_ == 0 || into.scoreboards_ > datasheet::isa::kScoreboardCount)
        return refuse("the number of scoreboard entries is out of range");
    } else if (features != features_) {
      return refuse("the streams are not alike");
    }
    StreamInterface stream;
    stream.input = block_at(block.load(cs::control::kInputVa), cs::input::kBytes);
    stream.output = block_at(block.load(cs::control::kOutputVa), cs::output::kBytes);
    if (fault_ != nullptr) return;
    stream.request = {stream.input, cs::input::kReq, stream.output, cs::output::kAck};
    into.streams_.push_back(stream);
  }

  const std::span<std::byte> section_;
  const char* fault_ = nullptr;
  std::uint32_t group_num_ = 0;
  std::uint32_t group_stride_ = 0;
  std::array<std::uint32_t, 4> group_numbers_{};
  std::uint32_t features_ = 0;
};

std::expected<FirmwareInterface, const char*> FirmwareInterface::read(
    std::span<std::byte> section) {
  FirmwareInterface result;
  if (const char* why = Reader(section).read(result)) return std::unexpected(why);
  return result;
}

}  // namespace pantry::driver
