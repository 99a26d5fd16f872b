// SPDX-License-Identifier: MIT
#include "driver/iopgtable/table_metadata.h"

#include <cstdlib>
#include <new>

namespace pantry::driver {

static_assert(std::is_trivially_destructible_v<TableInfo>);

// Not inline, so that callers with ranges of one word stay short.
bool TableInfo::try_set_words(std::uint32_t first, std::uint32_t end) {
  std::uint64_t present = 0;
  for_each_word(first, end,
                [&](std::uint32_t word, std::uint64_t bits) { present |= words_[word] & bits; });
  if (present != 0) return false;
  for_each_word(first, end, [&](std::uint32_t word, std::uint64_t bits) {
    store(words_[word], words_[word] | bits);
  });
  count_ += end - first;
  return true;
}

// calloc, since it gives large zeroed memory without touching it: a frame that never holds a table
// costs nothing.
TableMetadata::TableMetadata(emu::Dram dram)
    : dram_(dram),
      infos_(static_cast<TableInfo*>(std::calloc(dram.size / kPageSize, sizeof(TableInfo)))) {
  if (!infos_) throw std::bad_alloc();
}

void TableMetadata::Release::operator()(TableInfo* infos) const { std::free(infos); }

}  // namespace pantry::driver
