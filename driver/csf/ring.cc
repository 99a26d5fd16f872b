// SPDX-License-Identifier: MIT
#include "driver/csf/ring.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "driver/csf/firmware.h"
#include "driver/csf/job_stream.h"
#include "gpu_emu/datasheet/cs_interface.h"

namespace pantry::driver {

namespace queue_input = datasheet::cs::queue_input;
namespace queue_output = datasheet::cs::queue_output;

bool Ring::is_valid_size(std::uint32_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kMinBytes && bytes <= kMaxBytes;
}

// 4 KiB hold 32 jobs, so 31 may be in flight: 496 instructions. What is left of a job once its sync
// object is counted up is less than a cache line, whatever its length.
std::uint32_t Ring::credits(std::uint32_t bytes) { return (bytes - JobStream::kFewestBytes) / 8; }

Ring::Ring(KernelMapping ring, KernelMapping pages)
    : ring_(std::move(ring)),
      pages_(std::move(pages)),
      input_(pages_.cpu()),
      output_(static_cast<std::byte*>(pages_.cpu()) + kPageSize) {}

Result<Ring> Ring::create(Firmware& firmware, Vm& vm, std::uint32_t bytes) {
  PANTRY_CHECK(is_valid_size(bytes));
  constexpr Prot kProt = Prot::kNoExec | Prot::kUncached;
  PANTRY_TRY_ASSIGN(KernelMapping ring, vm.map_kernel(bytes, kProt));
  PANTRY_TRY_ASSIGN(KernelMapping pages, firmware.allocate(2 * kPageSize, kProt));
  return Ring(std::move(ring), std::move(pages));
}

Ring::Span Ring::append(std::span<const std::uint64_t> words) noexcept {
  const std::uint64_t size = words.size_bytes();
  PANTRY_CHECK(size <= bytes());
  auto* const memory = static_cast<std::byte*>(ring_.cpu());
  // At 0xfc0 of a 4 KiB ring, 128 bytes are 64 at the end and 64 at the start.
  const std::uint64_t place = insert_ % bytes();
  const std::uint64_t first = std::min(size, bytes() - place);
  std::memcpy(memory + place, words.data(), first);
  std::memcpy(memory, words.data() + first / 8, size - first);

  const Span span{insert_, insert_ + size};
  insert_ = span.end;
  begin_at_extract();
  input_.store64(queue_input::kInsert, insert_);
  return span;
}

void Ring::begin_at_extract() noexcept { input_.store64(queue_input::kExtractInit, extract()); }

std::uint64_t Ring::extract() const { return output_.load64(queue_output::kExtract); }

}  // namespace pantry::driver
