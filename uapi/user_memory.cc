// SPDX-License-Identifier: MIT
#include "uapi/user_memory.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/types.h"
#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

// The kernel's kvmalloc_array refuses an array past INT_MAX bytes with ENOMEM.
constexpr std::uint64_t kLargestArray = INT32_MAX;
constexpr std::size_t kZeroes = 64 << 10;
constexpr std::size_t kChunk = 16 << 10;

Error too_much_surplus() {
  log_gap("uapi", "structs with more than {} MiB past the sizes that this driver knows",
          kLargestSurplus >> 20);
  return Error(Errno::kTooBig);
}

Result<> all_zero(std::span<const std::byte> bytes) {
  if (std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; })) return {};
  return reject(Errno::kTooBig,
                "a struct has a non-zero byte past the size that this driver knows");
}

// E2BIG unless [from, from + bytes) of the client is all zero. Of the `allowed` bytes, those are
// taken off.
Result<> check_zero(UserMemory& memory, UserAddr from, std::uint64_t bytes,
                    std::uint64_t& allowed) {
  std::array<std::byte, kChunk> chunk;
  while (bytes != 0) {
    if (allowed == 0) return too_much_surplus();
    const std::size_t now = std::min<std::uint64_t>({bytes, allowed, chunk.size()});
    PANTRY_TRY(memory.read(from, chunk.data(), now));
    PANTRY_TRY(all_zero(std::span(chunk).first(now)));
    from = from + now;
    bytes -= now;
    allowed -= now;
  }
  return {};
}

// Elements of another size than the kernel's, from where the client has them to where they are
// wanted. `surplus`: as for check_zero.
class StridedElements {
 public:
  StridedElements(UserMemory& memory, std::uint32_t stride, std::size_t element,
                  std::uint64_t& surplus)
      : memory_(memory),
        stride_(stride),
        element_(element),
        known_(std::min<std::size_t>(stride, element)),
        surplus_(surplus) {}

  Result<> read(UserAddr from, std::byte* to, std::size_t count) {
    while (count != 0) {
      // Many at a time, as each look into a client costs a system call.
      const std::size_t many = std::min(count, at_once());
      if (many == 0 || !memory_.read(from, chunk_.data(), many * stride_)) {
        // One by one: what is wrong with the first of them counts.
        PANTRY_TRY(memory_.read(from, to, known_));
        if (stride_ > known_)
          PANTRY_TRY(check_zero(memory_, from + known_, stride_ - known_, surplus_));
        from = from + stride_;
        to += element_;
        --count;
        continue;
      }
      for (std::size_t i = 0; i < many; ++i, to += element_) {
        const std::span<const std::byte> one = std::span(chunk_).subspan(i * stride_, stride_);
        std::memcpy(to, one.data(), known_);
        PANTRY_TRY(all_zero(one.subspan(known_)));
      }
      surplus_ -= many * (stride_ - known_);
      from = from + many * std::uint64_t{stride_};
      count -= many;
    }
    return {};
  }

 private:
  std::size_t at_once() const {
    const std::size_t fit = stride_ == 0 ? 0 : chunk_.size() / stride_;
    return stride_ > known_ ? std::min<std::uint64_t>(fit, surplus_ / (stride_ - known_)) : fit;
  }

  UserMemory& memory_;
  const std::uint32_t stride_;
  const std::size_t element_;
  const std::size_t known_;
  std::uint64_t& surplus_;
  std::array<std::byte, kChunk> chunk_;
};

}  // namespace

Result<std::vector<std::byte>> read_array_bytes(UserMemory& memory, const UserArray& array,
                                                std::size_t element, std::size_t minimum,
                                                std::uint64_t& budget) {
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
  const std::size_t per_round = std::max<std::size_t>(1, (std::size_t{1} << 20) / element);
  std::uint64_t surplus = kLargestSurplus;
  StridedElements strided(memory, array.stride, element, surplus);
  try {
    for (std::size_t done = 0; done < array.count;) {
      const std::size_t now = std::min<std::size_t>(array.count - done, per_round);
      if (now * element > budget) {
        log_gap("uapi", "arrays of more than {} MiB in one call", kLargestArrays >> 20);
        return Error(Errno::kNoMem);
      }
      budget -= now * element;
      bytes.resize((done + now) * element);
      std::byte* const to = bytes.data() + done * element;
      if (array.stride == element)
        PANTRY_TRY(memory.read(array.address + done * element, to, now * element));
      else
        PANTRY_TRY(strided.read(array.address + done * array.stride, to, now));
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
    if (done - size >= kLargestSurplus) return too_much_surplus();
    const std::size_t now = std::min<std::size_t>(user_size - done, zeroes.size());
    PANTRY_TRY(memory.write(to + done, zeroes.data(), now));
    done += now;
  }
  return {};
}

}  // namespace pantry::uapi
