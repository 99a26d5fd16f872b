// SPDX-License-Identifier: MIT

#include "igt_tests/lib/bo.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt_tests/harness/igt.h"

namespace gpu {

Bo Bo::create(const Device& device, uint64_t size) { return create_with(device, size, 0, 0); }

Bo Bo::create_with(const Device& device, uint64_t size, uint32_t flags, uint32_t exclusive_vm_id) {
  drm_panthor_bo_create request{};
  request.size = size;
  request.flags = flags;
  request.exclusive_vm_id = exclusive_vm_id;
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_BO_CREATE, &request);
  igt_assert_neq(request.handle, 0);
  return Bo(device, request.handle, request.size);
}

Bo Bo::adopt(const Device& device, uint32_t handle, uint64_t size) {
  return Bo(device, handle, size);
}

Bo Bo::import_fd(const Device& device, int dma_buf) {
  drm_prime_handle request{};
  request.fd = dma_buf;
  do_ioctl(device.fd(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &request);
  igt_assert_neq(request.handle, 0);
  const off_t size = lseek(dma_buf, 0, SEEK_END);
  igt_assert_lt(0, size);
  return Bo(device, request.handle, static_cast<uint64_t>(size));
}

Bo::~Bo() {
  unmap();
  close_handle();
}

Bo::Bo(Bo&& other) noexcept
    : fd_(other.fd_),
      handle_(std::exchange(other.handle_, 0)),
      size_(other.size_),
      mapping_(std::exchange(other.mapping_, nullptr)) {}

Bo& Bo::operator=(Bo&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(handle_, other.handle_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  return *this;
}

uint64_t Bo::mmap_offset() const {
  drm_panthor_bo_mmap_offset request{};
  request.handle = handle_;
  do_ioctl(fd_, DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &request);
  return request.offset;
}

UniqueFd Bo::export_fd() const {
  drm_prime_handle request{};
  request.handle = handle_;
  request.flags = DRM_CLOEXEC | DRM_RDWR;
  request.fd = -1;
  do_ioctl(fd_, DRM_IOCTL_PRIME_HANDLE_TO_FD, &request);
  igt_assert_fd(request.fd);
  return UniqueFd(request.fd);
}

uint8_t* Bo::bytes() {
  if (mapping_ == nullptr) {
    // Populated at once: much cheaper than one fault for each page that a test tags.
    void* mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                        static_cast<off_t>(mmap_offset()));
    igt_assert(mapped != MAP_FAILED);
    mapping_ = static_cast<uint8_t*>(mapped);
  }
  return mapping_;
}

void Bo::close_handle() {
  if (handle_ == 0) return;
  drm_gem_close request{};
  request.handle = handle_;
  drmIoctl(fd_, DRM_IOCTL_GEM_CLOSE, &request);
  handle_ = 0;
}

void Bo::unmap() {
  if (mapping_ != nullptr) munmap(mapping_, size_);
  mapping_ = nullptr;
}

void Bo::tag_pages(uint32_t base) {
  for (uint64_t page = 0; page < size_ / kPage; ++page) {
    word_at(page * kPage) = base + static_cast<uint32_t>(page);
  }
}

}  // namespace gpu
