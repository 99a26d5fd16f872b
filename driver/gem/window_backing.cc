// SPDX-License-Identifier: MIT
#include "driver/gem/window_backing.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/log.h"

namespace pantry::driver {
namespace {

// Private anonymous memory, which reads as zero, instead of whatever is mapped there.
bool map_anonymous(void* address, std::uint64_t bytes) noexcept {
  return mmap(address, bytes, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == address;
}

// Lets go of what is at `address`, which stays in its file, but for the last step, which goes with
// the mapping. In steps: nobody else can change a mapping of this process while one is replaced,
// which takes 0.3 us for each page that is in.
void let_go(std::uint8_t* address, std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kStep = 8 * kMiB;
  for (; bytes > kStep; address += kStep, bytes -= kStep)
    static_cast<void>(madvise(address, kStep, MADV_DONTNEED));
}

// Calls use(extent) for each longest contiguous piece of `frames`, until one returns false:
// neighbours that are pieces of the same file would become one mapping, and replacing a part of it
// would split it again.
template <class Use>
bool for_each_piece(std::span<const PhysExtent> frames, Use use) {
  for (std::size_t i = 0; i < frames.size();) {
    PhysExtent piece = frames[i++];
    for (; i < frames.size() && frames[i].start == piece.start + piece.size; ++i)
      piece.size += frames[i].size;
    if (!use(piece)) return false;
  }
  return true;
}

// The host has run out of memory, descriptors or mappings: for the client all of it is ENOMEM.
Error refused(const char* what, std::uint64_t size) PANTRY_MAY_ALLOCATE {
  log_error("driver/gem", "the host refuses {} for a buffer of {} bytes: errno {}", what, size,
            errno);
  return Error(Errno::kNoMem);
}

}  // namespace

WindowBacking::WindowBacking(emu::Dram dram) : dram_(dram) {
  PANTRY_CHECK(is_aligned(reinterpret_cast<std::uintptr_t>(dram.host), kPageSize) &&
               is_aligned(dram.size, kPageSize));
}

Result<OwnedFd> WindowBacking::place(std::span<const PhysExtent> frames, std::uint64_t size) {
  OwnedFd memfd(memfd_create("pantry-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) return refused("a memfd", size);
  if (ftruncate(memfd.get(), static_cast<off_t>(size)) != 0) return refused("the size", size);
  // Nobody can resize it, so no access of the device through the window can ever fault; nor add a
  // seal of his own.
  if (fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return refused("seals", size);
  PANTRY_TRY(map_file(frames, size, memfd.get()));
  return memfd;
}

// Puts the file at `frames`. ENOMEM: they are private memory, as before.
Result<> WindowBacking::map_file(std::span<const PhysExtent> frames, std::uint64_t size,
                                 int memfd) {
  std::uint64_t offset = 0;
  PhysExtent last;
  const bool placed = for_each_piece(frames, [&](PhysExtent piece) {
    void* const address = dram_.at(piece.start, piece.size);
    PANTRY_CHECK(address);
    last = piece;
    if (mmap(address, piece.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd,
             static_cast<off_t>(offset)) != address)
      return false;
    offset += piece.size;
    return true;
  });
  if (!placed) {
    Error error = refused("a mapping", size);
    undo(frames, offset, last);
    return error;
  }
  PANTRY_CHECK(offset == size);
  return {};
}

bool WindowBacking::replace_by_anonymous(PhysExtent piece) noexcept {
  void* const address = dram_.at(piece.start, piece.size);
  if (map_anonymous(address, piece.size)) return true;
  reserve_.give_up();
  const bool replaced = map_anonymous(address, piece.size);
  reserve_.take_back();
  return replaced;
}

// `placed` bytes of `frames` are in place, and mapping `failed` was refused: a MAP_FIXED that fails
// may or may not have unmapped what was there before. Mapping it anew can be refused for the same
// reason, but then it is still there.
void WindowBacking::undo(std::span<const PhysExtent> frames, std::uint64_t placed,
                         PhysExtent failed) noexcept {
  for_each_piece(frames, [&](PhysExtent piece) {
    if (placed == 0) return false;
    PANTRY_CHECK(replace_by_anonymous(piece));
    placed -= piece.size;
    return true;
  });
  PANTRY_CHECK(replace_by_anonymous(failed) ||
               msync(dram_.at(failed.start, failed.size), failed.size, MS_ASYNC) == 0);
}

void WindowBacking::withdraw(std::span<const PhysExtent> frames) noexcept {
  // A piece is a mapping of its own, so that replacing it splits none.
  for_each_piece(frames, [&](PhysExtent piece) {
    let_go(static_cast<std::uint8_t*>(dram_.at(piece.start, piece.size)), piece.size);
    PANTRY_CHECK(replace_by_anonymous(piece));
    return true;
  });
}

Result<ParkedContent> WindowBacking::park(std::span<const PhysExtent> frames, std::uint64_t) {
  withdraw(frames);
  return ParkedContent();
}

Result<> WindowBacking::unpark(std::span<const PhysExtent> frames, std::uint64_t size, int memfd,
                               const ParkedContent&) {
  return map_file(frames, size, memfd);
}

bool WindowBacking::read_parked(int memfd, const ParkedContent&, std::uint64_t offset, void* to,
                                std::uint64_t bytes) {
  return pread(memfd, to, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

bool WindowBacking::write_parked(int memfd, const ParkedContent&, std::uint64_t offset,
                                 const void* from, std::uint64_t bytes) {
  return pwrite(memfd, from, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

}  // namespace pantry::driver
