// SPDX-License-Identifier: MIT
//
// One VM_BIND operation: what the client asked for (BindArgs) and what is left of it once every
// rule was checked (BindOp). The order of the checks, and so the errno, is panthor-uapi.md A.4's.
#pragma once

#include <optional>

#include "driver/gem/buffer.h"
#include "driver/iopgtable/prot.h"
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

// Turns a GEM handle of the client into a buffer; null when unknown.
class BufferLookup {
 public:
  virtual Ref<Buffer> find_buffer(std::uint32_t handle) = 0;

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
  Ref<Buffer> buffer;             // kMap only
  std::uint64_t buffer_offset = 0;
  Prot prot{};
  std::optional<Errno> fails_with;  // the error the fence will carry
};

// `vm_reservation`: to tell a buffer that is private to another VM. Logs the client's mistake.
// Allocates nothing.
Result<BindOp> validate_bind(const BindArgs& args, BindMode mode, const BindRules& rules,
                             const VaSplit& split, const Reservation& vm_reservation,
                             BufferLookup& buffers);

}  // namespace pantry::driver
