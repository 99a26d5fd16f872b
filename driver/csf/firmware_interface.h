// SPDX-License-Identifier: MIT
//
// The interface that a booted firmware has published in the shared section: views of its global,
// group and stream blocks, and the numbers that it states. The firmware is not trusted: read()
// refuses, with a reason, what a driver could not work with or what points outside of the section.
//
// Read once, after the first boot; every later boot publishes the same. Views, no lock.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "driver/csf/interface_block.h"

namespace pantry::driver {

struct GlobalInterface {
  InterfaceBlock input;
  InterfaceBlock output;
  RequestWord request;
  RequestWord doorbells;  // bit per group slot
};

struct GroupInterface {
  InterfaceBlock input;
  InterfaceBlock output;
  RequestWord request;
  RequestWord doorbells;  // bit per stream
};

struct StreamInterface {
  InterfaceBlock input;
  InterfaceBlock output;
  RequestWord request;
};

class FirmwareInterface {
 public:
  // The reason, a static string, when it is refused. Throws std::bad_alloc.
  static std::expected<FirmwareInterface, const char*> read(std::span<std::byte> section);

  // Group slots that are used: the firmware's, at most 16, since each needs a priority of its own.
  std::uint32_t group_slots() const { return group_slots_; }
  std::uint32_t stream_slots() const { return stream_slots_; }
  std::uint32_t stream_registers() const { return stream_registers_; }
  std::uint32_t scoreboards() const { return scoreboards_; }
  std::uint32_t suspend_bytes() const { return suspend_bytes_; }
  std::uint32_t protected_suspend_bytes() const { return protected_suspend_bytes_; }
  std::uint32_t version() const { return version_; }  // datasheet::glb::Version

  GlobalInterface& global() { return global_; }
  GroupInterface& group(std::uint32_t slot) { return groups_[slot]; }
  StreamInterface& stream(std::uint32_t slot, std::uint32_t stream) {
    return streams_[slot * stream_slots_ + stream];
  }

 private:
  class Reader;

  std::uint32_t version_ = 0;
  std::uint32_t group_slots_ = 0;
  std::uint32_t stream_slots_ = 0;
  std::uint32_t stream_registers_ = 0;
  std::uint32_t scoreboards_ = 0;
  std::uint32_t suspend_bytes_ = 0;
  std::uint32_t protected_suspend_bytes_ = 0;
  GlobalInterface global_;
  std::vector<GroupInterface> groups_;
  std::vector<StreamInterface> streams_;
};

}  // namespace pantry::driver
