// SPDX-License-Identifier: MIT
#include "uapi/server/client_memory.h"

#include <algorithm>

#include "base/check.h"

namespace pantry::uapi {

ClientMemory::ClientMemory(pid_t pid, UserAddr argument, std::span<const std::byte> carried)
    : process_(pid), argument_(argument), size_(carried.size()) {
  PANTRY_CHECK(size_ <= carried_.size());
  if (size_ != 0) std::memcpy(carried_.data(), carried.data(), size_);
}

namespace {

struct Overlap {
  std::size_t in_argument = 0;
  std::size_t in_range = 0;
  std::size_t bytes = 0;
};
Overlap overlap_of(UserAddr argument, std::size_t size, UserAddr range, std::size_t bytes) {
  Overlap both;
  if (range.value >= argument.value) {
    if (range.value - argument.value >= size) return {};
    both.in_argument = range.value - argument.value;
  } else {
    if (argument.value - range.value >= bytes) return {};
    both.in_range = argument.value - range.value;
  }
  both.bytes = std::min(size - both.in_argument, bytes - both.in_range);
  return both;
}

}  // namespace

Result<> ClientMemory::read(UserAddr from, void* to, std::size_t bytes) {
  const Overlap both = overlap_of(argument_, size_, from, bytes);
  if (both.bytes != bytes) PANTRY_TRY(process_.read(from, to, bytes));
  if (both.bytes != 0)
    std::memcpy(static_cast<std::byte*>(to) + both.in_range, carried_.data() + both.in_argument,
                both.bytes);
  return {};
}

// The copy back of an argument starts at its first byte. Only a client's pointer into the argument
// leads elsewhere in it.
Result<> ClientMemory::write(UserAddr to, const void* from, std::size_t bytes) {
  const Overlap both = overlap_of(argument_, size_, to, bytes);
  if (to.value == argument_.value && both.bytes == bytes)
    answered_ = std::max(answered_, bytes);
  else
    PANTRY_TRY(process_.write(to, from, bytes));
  if (both.bytes != 0)
    std::memcpy(carried_.data() + both.in_argument,
                static_cast<const std::byte*>(from) + both.in_range, both.bytes);
  return {};
}

}  // namespace pantry::uapi
