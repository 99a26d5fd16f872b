// SPDX-License-Identifier: MIT
//
// Device memory that the host can map, and buffers in it.
#pragma once

#include <vulkan/vulkan.h>

#include <cstdint>

#include "igt_tests/vulkan/client.h"

namespace vulkan {

// The first memory type that the host can map, coherently.
uint32_t host_visible_type(const Client& client);

class Memory {
 public:
  Memory(const Device& device, uint64_t size) : Memory(device, size, nullptr) {}
  // `next` is the pNext of the allocation.
  Memory(const Device& device, uint64_t size, const void* next);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  VkDeviceMemory get() const { return memory_; }
  uint64_t size() const { return size_; }
  // The whole of it, until unmap(), as 32-bit words.
  volatile uint32_t* map();
  void unmap();

 private:
  VkDevice device_;
  uint64_t size_;
  VkDeviceMemory memory_ = VK_NULL_HANDLE;
};

// A buffer of transfers that fills memory of its own, which stays mapped.
class Buffer {
 public:
  Buffer(const Device& device, uint64_t size);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  VkBuffer get() const { return buffer_; }
  volatile uint32_t* words() const { return words_; }
  uint64_t word_count() const { return size_ / sizeof(uint32_t); }
  void fill(uint32_t value) const;

 private:
  VkDevice device_;
  uint64_t size_;
  VkBuffer buffer_ = VK_NULL_HANDLE;
  VkDeviceMemory memory_ = VK_NULL_HANDLE;
  volatile uint32_t* words_ = nullptr;
};

}  // namespace vulkan
