// SPDX-License-Identifier: MIT
#include "driver/vm/bind_op.h"

#include <utility>

#include "base/log.h"

namespace pantry::driver {
namespace {

constexpr const char* kRoom = "driver/vm";

// The flags of an operation: those of a map in the low bits, the type at the top.
constexpr std::uint32_t kProtFlags = 0x7;  // READONLY, NOEXEC, UNCACHED
constexpr std::uint32_t kSparseFlag = 0x8;
constexpr std::uint32_t kTypeMask = 0xf000'0000;
constexpr std::uint32_t kTypeMap = 0;
constexpr std::uint32_t kTypeUnmap = 0x1000'0000;
constexpr std::uint32_t kTypeSyncOnly = 0x2000'0000;

template <class... T>
Error reject(fmt::format_string<T...> format, T&&... arguments) PANTRY_MAY_ALLOCATE {
  log_client(kRoom, format, std::forward<T>(arguments)...);
  return Error(Errno::kInval);
}

// [va, va + size) leaves the client's part of the space. A start at its end does so even when
// there is nothing to it.
bool leaves_user_area(const BindArgs& args, const VaSplit& split) {
  return args.va >= split.user_size || args.size > split.user_size - args.va;
}

Result<> check_map(const BindArgs& args, const BindRules& rules, const Reservation& vm_reservation,
                   BufferLookup& buffers, BindOp& op) PANTRY_MAY_ALLOCATE {
  const bool sparse = rules.sparse && (args.flags & kSparseFlag) != 0;
  Ref<Buffer> buffer = sparse ? nullptr : buffers.find_buffer(args.bo_handle);
  if (!sparse && !buffer) return reject("VM_BIND MAP: buffer {} is unknown", args.bo_handle);
  const std::uint32_t known = kTypeMask | kProtFlags | (rules.sparse ? kSparseFlag : 0);
  if ((args.flags & ~known) != 0)
    return reject("VM_BIND MAP: flags {:#x} are unknown", args.flags & ~known);
  if (sparse) {
    if (!has(static_cast<Prot>(args.flags & kProtFlags), Prot::kNoExec))
      return reject("VM_BIND MAP: SPARSE without NOEXEC");
    if (args.bo_handle != 0 || args.bo_offset != 0)
      return reject("VM_BIND MAP: SPARSE with buffer {} at {:#x}", args.bo_handle, args.bo_offset);
    op.type = BindType::kMap;
    op.content = BindOp::Content::kRepeated;
    op.prot = static_cast<Prot>(args.flags & kProtFlags);
    return {};
  }
  if (args.size > buffer->size() || args.bo_offset > buffer->size() - args.size)
    return reject("VM_BIND MAP: {:#x} bytes at {:#x} are not all in buffer {} of {:#x} bytes",
                  args.size, args.bo_offset, args.bo_handle, buffer->size());
  if (buffer->exclusive() && buffer->reservation().get() != &vm_reservation)
    return reject("VM_BIND MAP: buffer {} is private to another VM", args.bo_handle);
  op.type = BindType::kMap;
  op.buffer = std::move(buffer);
  op.buffer_offset = args.bo_offset;
  op.prot = static_cast<Prot>(args.flags & kProtFlags);
  return {};
}

Result<> check_unmap(const BindArgs& args, BindOp& op) PANTRY_MAY_ALLOCATE {
  if ((args.flags & ~kTypeMask) != 0)
    return reject("VM_BIND UNMAP: flags {:#x} are unknown", args.flags & ~kTypeMask);
  if (args.bo_handle != 0 || args.bo_offset != 0)
    return reject("VM_BIND UNMAP: with buffer {} at {:#x}", args.bo_handle, args.bo_offset);
  op.type = BindType::kUnmap;
  return {};
}

Result<> check_sync_only(const BindArgs& args, BindOp& op) PANTRY_MAY_ALLOCATE {
  if ((args.flags & ~kTypeMask) != 0)
    return reject("VM_BIND SYNC_ONLY: flags {:#x} are unknown", args.flags & ~kTypeMask);
  if (args.bo_handle != 0 || args.bo_offset != 0)
    return reject("VM_BIND SYNC_ONLY: with buffer {} at {:#x}", args.bo_handle, args.bo_offset);
  if (args.va != 0 || args.size != 0)
    return reject("VM_BIND SYNC_ONLY: with {:#x} bytes at {:#x}", args.size, args.va);
  if (args.sync_count == 0) return reject("VM_BIND SYNC_ONLY: without a sync-op");
  op.type = BindType::kSyncOnly;
  return {};
}

Result<> check_by_type(const BindArgs& args, const BindRules& rules,
                       const Reservation& vm_reservation, BufferLookup& buffers,
                       BindOp& op) PANTRY_MAY_ALLOCATE {
  switch (args.flags & kTypeMask) {
    case kTypeMap:
      return check_map(args, rules, vm_reservation, buffers, op);
    case kTypeUnmap:
      return check_unmap(args, op);
    case kTypeSyncOnly:
      return check_sync_only(args, op);
  }
  return reject("VM_BIND: type {:#x} is unknown", args.flags & kTypeMask);
}

}  // namespace

Result<BindOp> validate_bind(const BindArgs& args, BindMode mode, const BindRules& rules,
                             const VaSplit& split, const Reservation& vm_reservation,
                             BufferLookup& buffers) {
  if (!is_aligned(args.va | args.size | args.bo_offset, kPageSize))
    return reject("VM_BIND: {:#x} bytes at {:#x}, offset {:#x}: not all multiples of 4 KiB",
                  args.size, args.va, args.bo_offset);
  BindOp op;
  if (leaves_user_area(args, split)) {
    if (mode == BindMode::kSync || rules.past_user_area == BindRules::PastUserArea::kFailAtEntry)
      return reject("VM_BIND: {:#x} bytes at {:#x} leave the client's part, which ends at {:#x}",
                    args.size, args.va, split.user_size);
    op.fails_with = Errno::kInval;
  }
  PANTRY_TRY(check_by_type(args, rules, vm_reservation, buffers, op));
  if (args.size != 0 && !op.fails_with) op.range = GpuRange::of_size({args.va}, args.size);
  if (rules.sparse) op.among = BindOp::Among::kRepeated;
  if (op.range && op.content == BindOp::Content::kRepeated) {
    PANTRY_TRY_ASSIGN(op.buffer, buffers.sparse_buffer());
  }
  return op;
}

}  // namespace pantry::driver
