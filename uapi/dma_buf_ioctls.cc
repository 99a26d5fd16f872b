// SPDX-License-Identifier: MIT
#include "uapi/dma_buf_ioctls.h"

#include <linux/dma-buf.h>
#include <sys/ioctl.h>

#include <cstddef>
#include <new>
#include <string>

#include "driver/sync/fence_merge.h"
#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

using Use = driver::Reservation::Use;

// Those whose accesses an access has to wait for: a write for all others, a read for writes.
Use weakest_before(std::uint64_t flags) {
  return (flags & DMA_BUF_SYNC_WRITE) != 0 ? Use::kRead : Use::kWrite;
}

// What has to signal before the client goes on, or null. That is all there is to do: there is one
// copy of the memory, coherent for everybody.
Result<Ref<driver::Fence>> sync(const driver::Buffer& buffer, UserAddr argument,
                                UserMemory& memory) {
  PANTRY_TRY_ASSIGN(const dma_buf_sync args, memory.get<dma_buf_sync>(argument));
  if ((args.flags & ~DMA_BUF_SYNC_VALID_FLAGS_MASK) != 0 || (args.flags & DMA_BUF_SYNC_RW) == 0)
    return reject(Errno::kInval, "DMA_BUF_IOCTL_SYNC: flags {:#x}",
                  static_cast<std::uint64_t>(args.flags));
  if ((args.flags & DMA_BUF_SYNC_END) != 0) return Ref<driver::Fence>();
  return buffer.reservation()->merged(weakest_before(args.flags));
}

Result<> check_access(std::uint32_t flags, const char* name) {
  if ((flags & ~std::uint32_t{DMA_BUF_SYNC_RW}) != 0 || flags == 0)
    return reject(Errno::kInval, "{}: flags {:#x}", name, flags);
  return {};
}

Result<NewFd> export_sync_file(driver::Buffer& buffer, UserAddr argument, UserMemory& memory) {
  PANTRY_TRY_ASSIGN(dma_buf_export_sync_file args, memory.get<dma_buf_export_sync_file>(argument));
  PANTRY_TRY(check_access(args.flags, "DMA_BUF_IOCTL_EXPORT_SYNC_FILE"));
  PANTRY_TRY_ASSIGN(Ref<driver::Fence> fence,
                    buffer.reservation()->merged(weakest_before(args.flags)));
  PANTRY_TRY_ASSIGN(Ref<driver::SyncFile> file, driver::SyncFile::create(std::move(fence)));
  // What the transport will write; so that a bad pointer leaves no descriptor behind.
  args.fd = -1;
  PANTRY_TRY(memory.put(argument, args));
  return NewFd{std::move(file), argument + offsetof(dma_buf_export_sync_file, fd),
               NewFd::OnExec::kClose};
}

Result<> import_sync_file(driver::Buffer& buffer, UserAddr argument, UserMemory& memory,
                          const FdObject& fd) {
  PANTRY_TRY_ASSIGN(const dma_buf_import_sync_file args,
                    memory.get<dma_buf_import_sync_file>(argument));
  PANTRY_TRY(check_access(args.flags, "DMA_BUF_IOCTL_IMPORT_SYNC_FILE"));
  const auto* file = std::get_if<Ref<driver::SyncFile>>(&fd);
  if (!file)
    return reject(Errno::kInval, "DMA_BUF_IOCTL_IMPORT_SYNC_FILE: descriptor {} is not a sync_file",
                  args.fd);
  PANTRY_TRY_ASSIGN(const std::vector<Ref<driver::Fence>> fences, driver::leaves((*file)->fence()));
  return buffer.reservation()->admit(
      fences, (args.flags & DMA_BUF_SYNC_WRITE) != 0 ? Use::kWrite : Use::kRead);
}

constexpr std::size_t kNameCharacters = 31;
// The numbers of DMA_BUF_SET_NAME_A and _B: of a pointer's size of 32 and of 64 bits.
constexpr std::uint32_t kSetNameA = _IOW(DMA_BUF_BASE, 1, std::uint32_t);
constexpr std::uint32_t kSetNameB = _IOW(DMA_BUF_BASE, 1, std::uint64_t);

Result<> set_name(driver::Buffer& buffer, UserAddr argument, UserMemory& memory) {
  PANTRY_TRY_ASSIGN(std::string name, read_string(memory, argument, kNameCharacters));
  buffer.set_dma_buf_name(std::move(name));
  return {};
}

DmaBufReply failure(Errno error) { return {{negated(error), std::nullopt}}; }

DmaBufReply reply_of(const Result<>& done) {
  return done ? DmaBufReply{{0, std::nullopt}} : failure(done.error());
}

}  // namespace

DmaBufReply dma_buf_ioctl(driver::Buffer& buffer, std::uint32_t command, UserAddr argument,
                          UserMemory& memory, const FdObject& fd) {
  try {
    if (command == DMA_BUF_IOCTL_SYNC) {
      auto after = sync(buffer, argument, memory);
      if (!after) return failure(after.error());
      const bool over = !*after || (*after)->signalled();
      return {{0, std::nullopt}, over ? nullptr : *std::move(after)};
    }
    if (command == kSetNameA || command == kSetNameB)
      return reply_of(set_name(buffer, argument, memory));
    if (command == DMA_BUF_IOCTL_IMPORT_SYNC_FILE)
      return reply_of(import_sync_file(buffer, argument, memory, fd));
    if (command == DMA_BUF_IOCTL_EXPORT_SYNC_FILE) {
      auto made = export_sync_file(buffer, argument, memory);
      if (!made) return failure(made.error());
      return {{0, *std::move(made)}};
    }
  } catch (const std::bad_alloc&) {
    return failure(Errno::kNoMem);
  }
  if (_IOC_TYPE(command) == DMA_BUF_BASE)
    log_gap("uapi", "dma-buf ioctl {:#x} is not emulated", command);
  return failure(Errno::kNoTty);
}

}  // namespace pantry::uapi
