// SPDX-License-Identifier: MIT
//
// One VM_BIND operation: what the client asked for (BindArgs) and what is left of it once every
// rule was checked (BindOp). The order of the checks, and so the errno, is panthor-uapi.md A.4's.
#pragma once

#include <optional>

#include "driver/gem/buffer.h"
#include "driver/iopgtable/prot.h"
#include "driver/kernel/signalling.h"
#include "driver/vm/va_split.h"

namespace pantry::driver {

// struct drm_panthor_vm_bind_op as the client filled it in.
struct BindArgs {
  std::uint32_t flags = 0;
  std::uint32_t bo_handle = 0;
  std::uint64_t bo_offset = 0;
  std::uint64_t va = 0;
  std::uint64_t size = 0;
  std::uint32_t sync_count = 0;
};

enum class BindMode { kSync, kAsync };
enum class BindType { kMap, kUnmap, kSyncOnly };

// The buffers of a client.
class BufferLookup {
 public:
  // By GEM handle; null when unknown.
  virtual Ref<Buffer> find_buffer(std::uint32_t handle) = 0;
  // The 2 MiB that all its sparse ranges show: always the same, private to no VM that anybody can
  // name, so that no job waits for another because of it. ENOMEM.
  virtual Result<Ref<Buffer>> sparse_buffer() PANTRY_MAY_ALLOCATE = 0;

 protected:
  ~BufferLookup() = default;
};

// What differs between driver versions (uapi/features fills it in).
struct BindRules {
  // A range past the user area fails at entry (Linux 6.12 does so in both modes), or in async mode
  // through the fence.
  enum class PastUserArea {
    kFailAtEntry,
    kFailAtEntryWhenSync
  } past_user_area = PastUserArea::kFailAtEntry;
  bool sparse = false;  // MAP_SPARSE exists (1.9)
};

// A validated operation: executing it can fail only for memory, or with `fails_with` when that is
// already known.
struct BindOp {
  BindType type = BindType::kSyncOnly;
  std::optional<GpuRange> range;  // none: size 0 or sync-only, nothing to do
  Ref<Buffer> buffer;             // kMap with a range only
  std::uint64_t buffer_offset = 0;
  // kMap. kRepeated: `va` leads to byte va mod 2 MiB of `buffer`, which has 2 MiB, wherever in the
  // range it lies: what SPARSE asks for.
  enum class Content { kBuffer, kRepeated } content = Content::kBuffer;
  // Whether there may be such ranges in the VM when the operation runs. All operations of a VM agree
  // on that.
  enum class Among { kBuffers, kRepeated } among = Among::kBuffers;
  Prot prot{};
  std::optional<Errno> fails_with;  // the error the fence will carry
};

// `vm_reservation`: to tell a buffer that is private to another VM. Logs the client's mistake. Only
// a sparse map without one may allocate: ENOMEM.
Result<BindOp> validate_bind(const BindArgs& args, BindMode mode, const BindRules& rules,
                             const VaSplit& split, const Reservation& vm_reservation,
                             BufferLookup& buffers) PANTRY_MAY_ALLOCATE;

}  // namespace pantry::driver
