// SPDX-License-Identifier: MIT
#include "uapi/machine/host_memory.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "base/log.h"

namespace pantry::uapi {
namespace {

constexpr std::uint64_t kAlignment = 2 * kMiB;

Error host_refused(const char* what) {
  const Errno error = static_cast<Errno>(errno);
  log_error("uapi/machine", "{}: {}", what, name_of(error));
  return Error(error);
}

}  // namespace

Result<DramWindow> DramWindow::map(std::uint64_t bytes) {
  const std::uint64_t mapped = bytes + kAlignment;
  void* const mapping = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return host_refused("DRAM window");
  return DramWindow(mapping, mapped, bytes);
}

DramWindow::DramWindow(void* mapping, std::uint64_t mapped, std::uint64_t bytes)
    : mapping_(mapping),
      mapped_(mapped),
      bytes_(bytes),
      host_(reinterpret_cast<std::uint8_t*>(
          align_up(reinterpret_cast<std::uint64_t>(mapping), kAlignment))) {}

DramWindow::DramWindow(DramWindow&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_(other.mapped_),
      bytes_(other.bytes_),
      host_(other.host_) {}

DramWindow::~DramWindow() {
  if (mapping_) ::munmap(mapping_, mapped_);
}

Result<FlushIdPage> FlushIdPage::map() {
  driver::OwnedFd fd(::memfd_create("pantry-flush-id", MFD_CLOEXEC));
  if (!fd || ::ftruncate(fd.get(), kPageSize) != 0) return host_refused("flush id page");
  void* const page = ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) return host_refused("flush id page");
  // Opened anew, so that a client cannot make its mapping writable afterwards.
  driver::OwnedFd read_only(
      ::open(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!read_only) {
    const Error error = host_refused("flush id page");
    ::munmap(page, kPageSize);
    return error;
  }
  return FlushIdPage(static_cast<std::atomic<std::uint32_t>*>(page), std::move(read_only));
}

FlushIdPage::FlushIdPage(std::atomic<std::uint32_t>* word, driver::OwnedFd read_only)
    : word_(word), read_only_(std::move(read_only)) {}

FlushIdPage::FlushIdPage(FlushIdPage&& other) noexcept
    : word_(std::exchange(other.word_, nullptr)), read_only_(std::move(other.read_only_)) {}

FlushIdPage::~FlushIdPage() {
  if (word_) ::munmap(word_, kPageSize);
}

}  // namespace pantry::uapi
