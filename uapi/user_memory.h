// SPDX-License-Identifier: MIT
//
// The only way to a client's pointers. A bad pointer is EFAULT, never a crash; a client may change
// its memory at any moment, so every field is read once. How bytes move is the transport's
// business: process_vm_readv for a client in another process, a checked copy for one in the same
// process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace pantry::uapi {

// An address in the client's address space.
struct UserAddr {
  std::uint64_t value = 0;
  UserAddr operator+(std::uint64_t bytes) const { return {value + bytes}; }
  explicit operator bool() const { return value != 0; }
};

class UserMemory {
 public:
  virtual ~UserMemory() = default;
  // All `bytes` or EFAULT. Zero bytes succeed with any address.
  virtual Result<> read(UserAddr from, void* to, std::size_t bytes) = 0;
  virtual Result<> write(UserAddr to, const void* from, std::size_t bytes) = 0;

  template <class T>
  requires std::is_trivially_copyable_v<T> Result<T> get(UserAddr from) {
    T value;
    PANTRY_TRY(read(from, &value, sizeof value));
    return value;
  }
  template <class T>
  requires std::is_trivially_copyable_v<T> Result<> put(UserAddr to, const T& value) {
    return write(to, &value, sizeof value);
  }
};

// An extensible array of the panthor uAPI (struct drm_panthor_obj_array), as passed.
struct UserArray {
  std::uint32_t stride = 0;
  std::uint32_t count = 0;
  UserAddr address;
};

// So many bytes past the sizes that this driver knows are checked to be zero in one array, or
// written so in one query. Linux knows no limit: there a client that maps terabytes keeps only
// itself busy.
inline constexpr std::uint64_t kLargestSurplus = 64 << 20;

// So many bytes all arrays of one call may hold, of the sizes that this driver knows. Linux takes
// 2 GiB for each array; but the same few pages of a client can stand for all of them, and it is the
// host's memory, and everybody's time, that they would take here.
inline constexpr std::uint64_t kLargestArrays = 64 << 20;

// Reads `array` into elements of T by the rules of panthor-uapi.md A.1. `minimum` bytes per
// element. `budget`: the bytes that the call's arrays may still hold, of which this one's are taken
// off. EINVAL, E2BIG (also past kLargestSurplus), EFAULT, ENOMEM (also past the budget).
Result<std::vector<std::byte>> read_array_bytes(UserMemory& memory, const UserArray& array,
                                                std::size_t element, std::size_t minimum,
                                                std::uint64_t& budget);
template <class T>
requires std::is_trivially_copyable_v<T> Result<std::vector<T>> read_array(UserMemory& memory,
                                                                           const UserArray& array,
                                                                           std::size_t minimum,
                                                                           std::uint64_t& budget) {
  PANTRY_TRY_ASSIGN(const std::vector<std::byte> bytes,
                    read_array_bytes(memory, array, sizeof(T), minimum, budget));
  try {
    std::vector<T> elements(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(elements.data(), bytes.data(), bytes.size());
    return elements;
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

// The only array of its call.
template <class T>
requires std::is_trivially_copyable_v<T> Result<std::vector<T>> read_array(UserMemory& memory,
                                                                           const UserArray& array,
                                                                           std::size_t minimum) {
  std::uint64_t budget = kLargestArrays;
  return read_array<T>(memory, array, minimum, budget);
}

// A C string of at most `most` characters, without its terminator. EINVAL when it is longer, EFAULT
// when its end cannot be reached, ENOMEM.
Result<std::string> read_string(UserMemory& memory, UserAddr from, std::size_t most);

// Reads a query struct of `size` bytes of which the client has `user_size`: what it does not have
// reads as zero. EFAULT; E2BIG when what it has more is not all zero (and past kLargestSurplus).
Result<> read_query(UserMemory& memory, UserAddr from, std::uint32_t user_size, void* value,
                    std::size_t size);

// Writes a query struct by the rules of A.1: EINVAL below `minimum`, truncated to `user_size`, the
// client's surplus zeroed. EFAULT; E2BIG past kLargestSurplus, where Linux goes on.
Result<> write_query(UserMemory& memory, UserAddr to, std::uint32_t user_size, const void* value,
                     std::size_t size, std::size_t minimum);

}  // namespace pantry::uapi
