// SPDX-License-Identifier: MIT
//
// A mapping as the tree keeps it, in 24 bytes: a key, by which it is searched, and a record.
// Packed, since a large tree is as fast as the lines are few that it reads from memory.
#pragma once

#include <cstdint>

#include "driver/gpuvm/va_mapping.h"

namespace pantry::driver {

// Of a mapping: the address of its last page, and in the low bits, which no search looks at, its
// flags. Signed, since AVX2 compares nothing else.
using VaKey = std::int64_t;
// Above every address.
inline constexpr VaKey kNoVaKey = INT64_MAX;

constexpr VaKey va_key_of(const VaMapping& mapping) {
  return static_cast<VaKey>(align_down(mapping.range.last.value, kPageSize) | mapping.flags);
}
// What a search for `va` compares with keys: the address of its page. Of any address: those above
// 2^63 are beyond every mapping, as kNoVaKey is.
constexpr VaKey va_key_for(GpuVa va) {
  return va.value < static_cast<std::uint64_t>(kNoVaKey)
             ? static_cast<VaKey>(align_down(va.value, kPageSize))
             : kNoVaKey;
}

// All but the key: pages - 1 (36 bits), the address of the object (48) and the offset in pages (44
// bits, the low 28 of them beside the pages).
//
// 4 pages of the object at 0x7f0012345678, from its page 0x10000002 on:
//     size_offset   = 3 | 0x0000002 << 36
//     object_offset = 0x7f0012345678 | 0x1 << 48
class VaRecord {
 public:
  // Pre: packable().
  void put(const VaMapping& mapping) {
    const std::uint64_t offset = mapping.offset / kPageSize;
    size_offset_ = (mapping.range.size() / kPageSize - 1) | offset << kSizeBits;
    object_offset_ =
        reinterpret_cast<std::uintptr_t>(mapping.object) | offset >> kLowOffsetBits << kObjectBits;
  }
  // The mapping that was put, whose key is `key`.
  VaMapping get(VaKey key) const {
    const std::uint64_t offset =
        size_offset_ >> kSizeBits | object_offset_ >> kObjectBits << kLowOffsetBits;
    return {range(key), reinterpret_cast<void*>(object_offset_ & low(kObjectBits)),
            offset * kPageSize,
            static_cast<std::uint32_t>(static_cast<std::uint64_t>(key) & low(kFlagBits))};
  }
  GpuRange range(VaKey key) const {
    const std::uint64_t last_page = static_cast<std::uint64_t>(key) / kPageSize;
    return {{(last_page - (size_offset_ & low(kSizeBits))) * kPageSize},
            {last_page * kPageSize + kPageSize - 1}};
  }

  // Whether nothing of `mapping` gets lost. Its range: whole pages below 2^48.
  static bool packable(const VaMapping& mapping) {
    return mapping.flags <= low(kFlagBits) &&
           reinterpret_cast<std::uintptr_t>(mapping.object) <= low(kObjectBits) &&
           is_aligned(mapping.offset, kPageSize) && mapping.offset / kPageSize <= low(kOffsetBits);
  }

 private:
  static constexpr std::uint32_t kFlagBits = 12;
  static constexpr std::uint32_t kSizeBits = 36;
  static constexpr std::uint32_t kObjectBits = 48;
  static constexpr std::uint32_t kOffsetBits = 44;
  static constexpr std::uint32_t kLowOffsetBits = 64 - kSizeBits;
  static_assert(kLowOffsetBits + 64 - kObjectBits == kOffsetBits);
  static_assert(std::uint64_t{1} << kFlagBits == kPageSize);
  static constexpr std::uint64_t low(std::uint32_t bits) { return (std::uint64_t{1} << bits) - 1; }
  std::uint64_t size_offset_;
  std::uint64_t object_offset_;
};
static_assert(sizeof(VaRecord) == 16, "four to a line");

}  // namespace pantry::driver
