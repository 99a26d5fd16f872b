// SPDX-License-Identifier: MIT
#include "driver/vm/va_split.h"

#include <bit>

#include "base/check.h"
#include "base/log.h"

namespace pantry::driver {
namespace {

constexpr const char* kRoom = "driver/vm";
constexpr std::uint64_t kMinKernelSize = 256 * kMiB;
// TASK_SIZE of a client: 2^47 on x86-64 but for its last page, which the power of two below hides.
constexpr std::uint64_t kTaskSize = std::uint64_t{1} << 47;

std::uint64_t default_user_size(std::uint64_t full) {
  if (kTaskSize < full) return kTaskSize;
  return full > 4 * kGiB ? full / 2 : full - kMinKernelSize;
}

}  // namespace

Result<VaSplit> split_va(std::uint32_t va_bits, std::uint64_t requested) {
  PANTRY_CHECK(va_bits < 64);
  const std::uint64_t full = std::uint64_t{1} << va_bits;
  if (full < kMinKernelSize) {
    log_client(kRoom, "VM_CREATE: {} address bits leave no room for the kernel's part", va_bits);
    return Error(Errno::kInval);
  }
  const std::uint64_t most = full - kMinKernelSize;
  if (requested > most) {
    log_client(kRoom, "VM_CREATE: user_va_range {:#x} is above {:#x}", requested, most);
    return Error(Errno::kInval);
  }
  const std::uint64_t user = requested != 0 ? requested : default_user_size(full);
  // 2^47 + 1 of 48 bits: the largest power of two in what is left is 2^46.
  const std::uint64_t kernel_size = std::bit_floor(full - (user < most ? user : most));
  const std::uint64_t start = full - kernel_size;
  return VaSplit{start, GpuRange::of_size({start}, kernel_size)};
}

}  // namespace pantry::driver
