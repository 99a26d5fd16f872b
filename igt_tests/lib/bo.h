// SPDX-License-Identifier: MIT
//
// A buffer and its CPU mapping. Closing the handle leaves the mapping; both go with the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "igt_tests/lib/device.h"

namespace gpu {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kBlock = 2 * 1024 * 1024;        // what one level-2 entry maps
inline constexpr uint64_t kGigabyte = 1024 * 1024 * 1024;  // what one level-1 entry maps
inline constexpr uint64_t kTopWindow = 512 * kGigabyte;    // what one level-0 entry maps

class Bo {
 public:
  static Bo create(const Device& device, uint64_t size);
  static Bo create_with(const Device& device, uint64_t size, uint32_t flags,
                        uint32_t exclusive_vm_id);
  // Takes over a handle, for example an imported one.
  static Bo adopt(const Device& device, uint32_t handle, uint64_t size);
  // From a dma-buf. Importing twice into one file gives one handle, which must have one owner.
  static Bo import_fd(const Device& device, int dma_buf);
  ~Bo();
  Bo(Bo&& other) noexcept;
  Bo& operator=(Bo&& other) noexcept;

  uint32_t handle() const { return handle_; }
  uint64_t size() const { return size_; }

  // Mapped at the first use. The memory may be uncached for the CPU: read each word once.
  uint8_t* bytes();
  volatile uint32_t* words() { return reinterpret_cast<volatile uint32_t*>(bytes()); }
  volatile uint64_t* quads() { return reinterpret_cast<volatile uint64_t*>(bytes()); }
  volatile uint32_t& word_at(uint64_t offset) { return words()[offset / sizeof(uint32_t)]; }

  uint64_t mmap_offset() const;
  // A dma-buf that can be read and written.
  UniqueFd export_fd() const;
  // Frees the handle; the CPU mapping stays.
  void close_handle();
  void unmap();

  // The first word of each page becomes base + index of the page.
  void tag_pages(uint32_t base);

 private:
  Bo(const Device& device, uint32_t handle, uint64_t size)
      : fd_(device.fd()), handle_(handle), size_(size) {}

  int fd_ = -1;
  uint32_t handle_ = 0;
  uint64_t size_ = 0;
  uint8_t* mapping_ = nullptr;
};

}  // namespace gpu
