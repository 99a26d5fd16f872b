// SPDX-License-Identifier: MIT
//
// The firmware file: a header, a table of entries, and section data at absolute file offsets that
// may lie beyond the table. Little-endian words of 32 bits unless said otherwise. Sources: [K],
// [B]. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/field.h"
#include "gpu_emu/datasheet/offset.h"

namespace pantry::datasheet::firmware_image {

namespace header {
inline constexpr Offset kMagic = 0x00;
inline constexpr Offset kMinor = 0x04;  // u8
inline constexpr Offset kMajor = 0x05;  // u8
inline constexpr Offset kVersionHash = 0x08;
inline constexpr Offset kSize = 0x10;   // end of the entry table in the file
inline constexpr Offset kBytes = 0x14;  // the first entry
}  // namespace header
inline constexpr std::uint32_t kMagicValue = 0xc3f1'3a6e;
inline constexpr std::uint32_t kMaxMajor = 0;

enum class EntryType : std::uint8_t {
  kSection = 0,
  kConfig = 1,
  kUnitTest = 2,
  kTraceBuffer = 3,
  kTimelineMetadata = 4,
  kBuildInfoMetadata = 6,
  kFunctionCallList = 7,
  kCoreDump = 9,
};

// The first word of an entry. 0x0000'1800 is a section of 24 bytes in all.
struct EntryHeader {
  using Type = Field<7, 0, EntryType>;
  using Bytes = Field<15, 8>;  // of the entry, this word included; a multiple of 4
  using Updatable = Bit<30>;
  using Optional = Bit<31>;  // may be skipped when its type is unknown
};
inline constexpr std::uint32_t kEntryHeaderBytes = 4;

// The payload of a section entry, after its header; a name padded with NUL may follow.
namespace section {
inline constexpr Offset kFlags = 0x00;  // fields: SectionFlags
inline constexpr Offset kVaStart = 0x04;
inline constexpr Offset kVaEnd = 0x08;      // exclusive
inline constexpr Offset kDataStart = 0x0c;  // file offset
inline constexpr Offset kDataEnd = 0x10;    // exclusive
inline constexpr Offset kBytes = 0x14;
}  // namespace section

enum class CacheMode : std::uint8_t {
  kNone = 0,
  kCached = 1,
  kUncachedCoherent = 2,
  kCachedCoherent = 3
};

// Any bit without a name makes the image invalid.
struct SectionFlags {
  using Read = Bit<0>;
  using Write = Bit<1>;
  using Execute = Bit<2>;
  using Cache = Field<4, 3, CacheMode>;
  using Protected = Bit<5>;
  using Shared = Bit<30>;  // with the host
  using Zero = Bit<31>;    // fill what the data does not cover

  static constexpr std::uint32_t kSupportedMask = 0xc000'003f;
};

}  // namespace pantry::datasheet::firmware_image
