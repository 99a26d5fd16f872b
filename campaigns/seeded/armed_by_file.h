// SPDX-License-Identifier: MIT
//
// Seeded registers whose switch is the first byte of a file: '1' arms them, anything else disarms
// them, noticed at the next access. For drivers whose clients run in another process or in a guest
// kernel that shares the host's files.
#pragma once

#include <string>

#include "base/result.h"
#include "campaigns/seeded/seeded_mmio.h"
#include "gpu_emu/seams.h"

namespace pantry::seeded {

class ArmedByFile final : public emu::Mmio, public emu::MmioSeam {
 public:
  // Makes the file, which must not exist. The errno of what failed.
  static Result<ArmedByFile> create(SeededMmio& registers, const std::string& path);
  ArmedByFile(ArmedByFile&& other) noexcept;
  ArmedByFile& operator=(ArmedByFile&&) = delete;
  ~ArmedByFile();

  emu::Mmio& put_before(emu::Mmio& device) override;
  std::uint32_t read32(std::uint32_t offset) override;
  void write32(std::uint32_t offset, std::uint32_t value) override;

 private:
  enum class Switch : std::uint8_t { kOff, kOn };

  ArmedByFile(SeededMmio& registers, char* file) : registers_(registers), file_(file) {}
  void follow();

  SeededMmio& registers_;
  char* file_;  // mapped, one page
  Switch switch_ = Switch::kOff;
};

}  // namespace pantry::seeded
