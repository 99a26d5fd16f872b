// SPDX-License-Identifier: MIT
//
// The driver's loader of firmware images: refuses a file with a reason, or gives sections whose
// bytes all lie in the file.
#include "base/check.h"
#include "driver/csf/firmware_image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> file(data, size);
  const auto image = pantry::driver::FirmwareImage::parse(file);
  if (!image) {
    PANTRY_CHECK(image.error() != nullptr);
    return 0;
  }
  volatile std::uint8_t sum = 0;
  for (const auto& section : image->sections()) {
    for (const std::uint8_t byte : section.data) sum = static_cast<std::uint8_t>(sum + byte);
  }
  return 0;
}
