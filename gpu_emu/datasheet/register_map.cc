// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/register_map.h"

#include <algorithm>

#include "base/check.h"
#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/datasheet/doorbell.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/datasheet/mmu_int.h"
#include "gpu_emu/datasheet/user_page.h"

namespace pantry::datasheet {
namespace {

// In the order of their offsets, which the search relies on.
constexpr Register kFixed[] = {gpu_control::kGpuId,
                               gpu_control::kL2Features,
                               gpu_control::kCoreFeatures,
                               gpu_control::kTilerFeatures,
                               gpu_control::kMemFeatures,
                               gpu_control::kMmuFeatures,
                               gpu_control::kAsPresent,
                               gpu_control::kCsfId,
                               gpu_control::kIrqRawstat,
                               gpu_control::kIrqClear,
                               gpu_control::kIrqMask,
                               gpu_control::kIrqStatus,
                               gpu_control::kCommand,
                               gpu_control::kStatus,
                               gpu_control::kFaultStatus,
                               gpu_control::kFaultAddress,
                               gpu_control::kL2Config,
                               gpu_control::kPwrKey,
                               gpu_control::kPwrOverride0,
                               gpu_control::kPwrOverride1,
                               gpu_control::kGpuFeatures,
                               gpu_control::kTimestampOffset,
                               gpu_control::kCycleCount,
                               gpu_control::kTimestamp,
                               gpu_control::kThreadMaxThreads,
                               gpu_control::kThreadMaxWorkgroupSize,
                               gpu_control::kThreadMaxBarrierSize,
                               gpu_control::kThreadFeatures,
                               gpu_control::kTextureFeatures0,
                               gpu_control::kTextureFeatures1,
                               gpu_control::kTextureFeatures2,
                               gpu_control::kTextureFeatures3,
                               gpu_control::kCommandArg0,
                               gpu_control::kCommandArg1,
                               gpu_control::kShaderPresent,
                               gpu_control::kTilerPresent,
                               gpu_control::kL2Present,
                               gpu_control::kShaderReady,
                               gpu_control::kTilerReady,
                               gpu_control::kL2Ready,
                               gpu_control::kShaderPwrOn,
                               gpu_control::kTilerPwrOn,
                               gpu_control::kL2PwrOn,
                               gpu_control::kShaderPwrOff,
                               gpu_control::kTilerPwrOff,
                               gpu_control::kL2PwrOff,
                               gpu_control::kShaderPwrTrans,
                               gpu_control::kTilerPwrTrans,
                               gpu_control::kL2PwrTrans,
                               gpu_control::kShaderPwrActive,
                               gpu_control::kTilerPwrActive,
                               gpu_control::kL2PwrActive,
                               gpu_control::kRevId,
                               gpu_control::kAsnHash0,
                               gpu_control::kAsnHash1,
                               gpu_control::kAsnHash2,
                               gpu_control::kCoherencyFeatures,
                               gpu_control::kCoherencyProtocol,
                               gpu_control::kSyscAlloc0,
                               gpu_control::kMcuControl,
                               gpu_control::kMcuStatus,
                               gpu_control::kStackPresent,
                               gpu_control::kStackReady,
                               gpu_control::kStackPwrOn,
                               gpu_control::kStackPwrOff,
                               gpu_control::kStackPwrTrans,
                               gpu_control::kCsfConfig,
                               gpu_control::kShaderConfig,
                               gpu_control::kTilerConfig,
                               gpu_control::kL2MmuConfig,
                               job_int::kRawstat,
                               job_int::kClear,
                               job_int::kMask,
                               job_int::kStatus,
                               mmu_int::kRawstat,
                               mmu_int::kClear,
                               mmu_int::kMask,
                               mmu_int::kStatus,
                               user_page::kLatestFlush};

constexpr Register kAddressSpace[] = {
    address_space::kTranstab, address_space::kMemattr,     address_space::kLockaddr,
    address_space::kCommand,  address_space::kFaultStatus, address_space::kFaultAddress,
    address_space::kStatus,   address_space::kTranscfg,    address_space::kFaultExtra};

static_assert(std::ranges::is_sorted(kFixed, {}, &Register::offset));
static_assert(std::ranges::is_sorted(kAddressSpace, {}, &Register::offset));

std::optional<RegisterPlace> find_in(std::span<const Register> block, std::uint32_t offset,
                                     std::uint32_t index) {
  // The last register that starts at or before `offset`.
  const auto after = std::ranges::upper_bound(block, offset, {}, &Register::offset);
  if (after == block.begin()) return std::nullopt;
  const Register& reg = *(after - 1);
  if (offset - reg.offset >= reg.bytes) return std::nullopt;
  return RegisterPlace{&reg, index, offset != reg.offset};
}

}  // namespace

std::span<const Register> fixed_registers() { return kFixed; }
std::span<const Register> address_space_registers() { return kAddressSpace; }

std::optional<RegisterPlace> find_register(std::uint32_t offset) {
  PANTRY_CHECK(offset % 4 == 0);
  namespace as = address_space;
  if (offset >= as::kFirstBlock && offset < as::kFirstBlock + as::kBlockBytes * as::kMaxCount) {
    const std::uint32_t in_blocks = offset - as::kFirstBlock;
    return find_in(kAddressSpace, in_blocks % as::kBlockBytes, in_blocks / as::kBlockBytes);
  }
  if (offset >= doorbell::kBase &&
      offset < doorbell::kBase + doorbell::kPageBytes * doorbell::kMaxPages) {
    const std::uint32_t in_pages = offset - doorbell::kBase;
    if (in_pages % doorbell::kPageBytes != doorbell::kRing.offset) return std::nullopt;
    return RegisterPlace{&doorbell::kRing, in_pages / doorbell::kPageBytes, false};
  }
  namespace gpu = gpu_control;
  if (offset > gpu::kSyscAlloc0 && offset < gpu::kSyscAlloc0 + 4 * gpu::kSyscAllocCount) {
    return RegisterPlace{&gpu::kSyscAlloc0, (offset - gpu::kSyscAlloc0) / 4, false};
  }
  return find_in(kFixed, offset, 0);
}

}  // namespace pantry::datasheet
