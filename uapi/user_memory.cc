// SPDX-License-Identifier: MIT
#include "uapi/user_memory.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/types.h"
#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

// The kernel's kvmalloc_array refuses an array past INT_MAX bytes with ENOMEM.
constexpr std::uint64_t kLargestArray = INT32_MAX;
constexpr std::size_t kZeroes = 64 << 10;

// E2BIG unless [from, from + bytes) of the client is all zero. Of the `allowed` bytes, those are
// taken off.
Result<> check_zero(UserMemory& memory, UserAddr from, std::uint64_t bytes,
                    std::uint64_t& allowed) {
  std::array<std::byte, 16 << 10> chunk;
  while (bytes != 0) {
    if (allowed == 0) {
      log_gap("uapi", "structs with more than {} MiB past the sizes that this driver knows",
              kLargestSurplus >> 20);
      return Error(Errno::kTooBig);
    }
    const std::size_t now = std::min<std::uint64_t>({bytes, allowed, chunk.size()});
    PANTRY_TRY(memory.read(from, chunk.data(), now));
    if (std::any_of(chunk.begin(), chunk.begin() + now,
                    [](std::byte b) { return b != std::byte{0}; }))
      return reject(Errno::kTooBig,
                    "a struct has a non-zero byte past the size that this driver knows");
    from = from + now;
    bytes -= now;
    allowed -= now;
  }
  return {};
}

}  // namespace

Result<std::vector<std::byte>> read_array_bytes(UserMemory& memory, const UserArray& array,
                                                std::size_t element, std::size_t minimum) {
  std::vector<std::byte> bytes;
  if (array.count == 0) return bytes;
  if (array.stride < minimum)
    return reject(Errno::kInval, "array stride {} is below the minimum of {}", array.stride,
                  minimum);
  if (std::uint64_t{array.count} * element > kLargestArray)
    return reject(Errno::kNoMem, "array of {} elements is larger than any client can mean",
                  array.count);

  // Grown while reading, so that a count that the client's memory does not back costs no more than
  // what it has.
  const std::size_t known = std::min<std::size_t>(array.stride, element);
  const std::size_t per_round = std::max<std::size_t>(1, (std::size_t{1} << 20) / element);
  std::uint64_t surplus = kLargestSurplus;
  try {
    for (std::size_t done = 0; done < array.count;) {
      const std::size_t now = std::min<std::size_t>(array.count - done, per_round);
      bytes.resize((done + now) * element);
      if (array.stride == element) {
        PANTRY_TRY(memory.read(array.address + done * element, bytes.data() + done * element,
                               now * element));
      } else {
        for (std::size_t i = done; i < done + now; ++i) {
          const UserAddr from = array.address + std::uint64_t{i} * array.stride;
          PANTRY_TRY(memory.read(from, bytes.data() + i * element, known));
          if (array.stride > element)
            PANTRY_TRY(check_zero(memory, from + element, array.stride - element, surplus));
        }
      }
      done += now;
    }
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  return bytes;
}

Result<std::string> read_string(UserMemory& memory, UserAddr from, std::size_t most) {
  std::string text;
  try {
    while (text.size() <= most) {
      // Up to the end of a page: the next one need not be there.
      const std::uint64_t here = from.value + text.size();
      const std::size_t now =
          std::min<std::size_t>(kPageSize - here % kPageSize, most + 1 - text.size());
      const std::size_t before = text.size();
      text.resize(before + now);
      PANTRY_TRY(memory.read({here}, text.data() + before, now));
      if (const std::size_t end = text.find('\0', before); end != std::string::npos) {
        text.resize(end);
        return text;
      }
    }
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  return reject(Errno::kInval, "string of more than {} characters", most);
}

Result<> read_query(UserMemory& memory, UserAddr from, std::uint32_t user_size, void* value,
                    std::size_t size) {
  std::memset(value, 0, size);
  std::uint64_t surplus = kLargestSurplus;
  if (user_size > size) PANTRY_TRY(check_zero(memory, from + size, user_size - size, surplus));
  return memory.read(from, value, std::min<std::size_t>(user_size, size));
}

Result<> write_query(UserMemory& memory, UserAddr to, std::uint32_t user_size, const void* value,
                     std::size_t size, std::size_t minimum) {
  if (user_size < minimum)
    return reject(Errno::kInval, "query buffer of {} bytes is below the minimum of {}", user_size,
                  minimum);
  PANTRY_TRY(memory.write(to, value, std::min<std::size_t>(user_size, size)));
  static constexpr std::array<std::byte, kZeroes> zeroes{};
  for (std::uint64_t done = size; done < user_size;) {
    const std::size_t now = std::min<std::size_t>(user_size - done, zeroes.size());
    PANTRY_TRY(memory.write(to + done, zeroes.data(), now));
    done += now;
  }
  return {};
}

}  // namespace pantry::uapi
