// SPDX-License-Identifier: MIT
#include "driver/csf/firmware_image.h"

#include <optional>

#include "base/log.h"
#include "gpu_emu/datasheet/firmware_image.h"
#include "gpu_emu/datasheet/firmware_interface.h"

namespace pantry::driver {
namespace {

namespace format = datasheet::firmware_image;
using Bytes = std::span<const std::uint8_t>;
using Refused = std::unexpected<const char*>;

// Pre: in range.
std::uint32_t word_at(Bytes bytes, std::size_t offset) {
  return bytes[offset] | std::uint32_t{bytes[offset + 1]} << 8 |
         std::uint32_t{bytes[offset + 2]} << 16 | std::uint32_t{bytes[offset + 3]} << 24;
}

std::string name_of(Bytes padded) {
  std::string name;
  for (const std::uint8_t c : padded) {
    if (c == 0) break;
    name.push_back(static_cast<char>(c));
  }
  return name;
}

Prot prot_of(std::uint32_t flags) {
  Prot prot = Prot::kNone;
  if (!format::SectionFlags::Write::get(flags)) prot |= Prot::kReadOnly;
  if (!format::SectionFlags::Execute::get(flags)) prot |= Prot::kNoExec;
  // The coherent modes are mapped uncached too.
  if (format::SectionFlags::Cache::get(flags) != format::CacheMode::kCached)
    prot |= Prot::kUncached;
  return prot;
}

// `entry`: what follows the header word. Nothing: a section that is not for us.
std::expected<std::optional<FirmwareSection>, const char*> parse_section(Bytes file, Bytes entry)
    PANTRY_MAY_ALLOCATE {
  if (entry.size() < format::section::kBytes) return Refused("a section entry is too short");
  const std::uint32_t flags = word_at(entry, format::section::kFlags);
  const std::uint32_t va_start = word_at(entry, format::section::kVaStart);
  const std::uint32_t va_end = word_at(entry, format::section::kVaEnd);
  const std::uint32_t data_start = word_at(entry, format::section::kDataStart);
  const std::uint32_t data_end = word_at(entry, format::section::kDataEnd);
  if (data_end < data_start) return Refused("the data of a section ends before it starts");
  if (va_end < va_start) return Refused("a section ends before it starts");
  if (data_end > file.size())
    return Refused("the data of a section lies behind the end of the file");
  if (!is_aligned(va_start, kPageSize) || !is_aligned(va_end, kPageSize))
    return Refused("a section is not page-aligned");
  if ((flags & ~format::SectionFlags::kSupportedMask) != 0)
    return Refused("a section has flags that do not exist");
  if (format::SectionFlags::Protected::get(flags)) {
    log_info("driver/csf", "firmware section at {:#x} is for protected mode: left out", va_start);
    return std::nullopt;
  }
  if (va_start == datasheet::firmware_interface::kSharedSectionVa &&
      !format::SectionFlags::Shared::get(flags))
    return Refused("the interface section is not shared");
  if (data_end - data_start > va_end - va_start)
    return Refused("the data of a section is larger than the section");
  if (va_start == va_end) return std::nullopt;

  FirmwareSection section;
  section.range = GpuRange::of_size({va_start}, va_end - va_start);
  section.prot = prot_of(flags);
  if (format::SectionFlags::Zero::get(flags)) section.rest = FirmwareSection::Rest::kZeroed;
  if (format::SectionFlags::Shared::get(flags))
    section.sharing = FirmwareSection::Sharing::kWithHost;
  const Bytes data = file.subspan(data_start, data_end - data_start);
  section.data.assign(data.begin(), data.end());
  section.name = name_of(entry.subspan(format::section::kBytes));
  return section;
}

// Types that Panthor knows and has no use for.
bool is_skipped(format::EntryType type) {
  return type == format::EntryType::kConfig || type == format::EntryType::kUnitTest ||
         type == format::EntryType::kTraceBuffer || type == format::EntryType::kTimelineMetadata;
}

}  // namespace

std::expected<FirmwareImage, const char*> FirmwareImage::parse(Bytes file) {
  if (file.size() < format::header::kBytes) return Refused("the file is shorter than its header");
  if (word_at(file, format::header::kMagic) != format::kMagicValue)
    return Refused("the magic number is wrong");
  if (file[format::header::kMajor] != format::kMaxMajor)
    return Refused("the major version of the format is unknown");
  const std::uint32_t table_end = word_at(file, format::header::kSize);
  if (table_end > file.size()) return Refused("the entry table is longer than the file");

  FirmwareImage image;
  std::optional<std::size_t> shared;
  for (std::size_t at = format::header::kBytes; at < table_end;) {
    if (table_end - at < format::kEntryHeaderBytes) return Refused("an entry header is cut off");
    const std::uint32_t head = word_at(file, at);
    const std::uint32_t bytes = format::EntryHeader::Bytes::get(head);
    if (bytes % 4 != 0 || at % 4 != 0) return Refused("an entry is not aligned to 4 bytes");
    if (bytes < format::kEntryHeaderBytes) return Refused("an entry is shorter than its header");
    if (bytes > table_end - at) return Refused("an entry is longer than the table");
    const Bytes entry =
        file.subspan(at + format::kEntryHeaderBytes, bytes - format::kEntryHeaderBytes);
    at += bytes;

    const format::EntryType type = format::EntryHeader::Type::get(head);
    if (type == format::EntryType::kSection) {
      auto section = parse_section(file, entry);
      if (!section) return Refused(section.error());
      if (!*section) continue;
      if ((*section)->range.first.value == datasheet::firmware_interface::kSharedSectionVa) {
        if (shared) return Refused("there are two interface sections");
        shared = image.sections_.size();
      }
      for (const FirmwareSection& other : image.sections_)
        if (other.range.intersects((*section)->range)) return Refused("two sections overlap");
      image.sections_.push_back(**std::move(section));
    } else if (!is_skipped(type) && !format::EntryHeader::Optional::get(head)) {
      return Refused("an entry of unknown type is not optional");
    }
  }
  if (!shared) return Refused("there is no interface section");
  image.shared_ = *shared;
  return image;
}

}  // namespace pantry::driver
