// SPDX-License-Identifier: MIT
//
// The firmware file (mali-csf-hw.md §3.1), taken apart: the sections that are to be mapped for the
// MCU, with their content. The image comes from outside and is not trusted: whatever contradicts
// the format is refused with a reason.
//
// A value; allocates while it is parsed.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "base/signalling.h"
#include "driver/vm/bind_op.h"

namespace pantry::driver {

struct FirmwareSection {
  GpuRange range;  // MCU addresses, whole pages
  Prot prot = Prot::kNone;
  // What becomes of the part that `data` does not cover, each time the section is loaded.
  enum class Rest { kLeft, kZeroed } rest = Rest::kLeft;
  enum class Sharing { kFirmwareOnly, kWithHost } sharing = Sharing::kFirmwareOnly;
  std::vector<std::uint8_t> data;
  std::string name;
};

class FirmwareImage {
 public:
  // The reason, a static string, when the image is refused. Throws std::bad_alloc.
  static std::expected<FirmwareImage, const char*> parse(std::span<const std::uint8_t> file)
      PANTRY_MAY_ALLOCATE;

  const std::vector<FirmwareSection>& sections() const { return sections_; }
  // Index of the section that starts at datasheet::firmware_interface::kSharedSectionVa.
  std::size_t shared_section() const { return shared_; }

 private:
  std::vector<FirmwareSection> sections_;
  std::size_t shared_ = 0;
};

}  // namespace pantry::driver
