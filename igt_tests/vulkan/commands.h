// SPDX-License-Identifier: MIT
//
// Command buffers, submits and waits. No wait is without a limit.
#pragma once

#include <vulkan/vulkan.h>

#include <cstdint>
#include <span>
#include <vector>

#include "igt_tests/lib/clock.h"
#include "igt_tests/vulkan/client.h"

namespace vulkan {

// One command buffer in a pool of its own. The constructor begins it; end() ends it.
class Commands {
 public:
  explicit Commands(const Device& device);
  ~Commands();
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  VkCommandBuffer get() const { return commands_; }
  void end() const;

 private:
  VkDevice device_;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkCommandBuffer commands_ = VK_NULL_HANDLE;
};

// One submit, put together step by step. Values are those of timeline semaphores; for a binary one
// any value does.
class Submit {
 public:
  Submit& wait(const Semaphore& semaphore, uint64_t value = 0);
  Submit& run(const Commands& commands);
  Submit& signal(const Semaphore& semaphore, uint64_t value = 0);
  void to(const Device& device, VkFence fence = VK_NULL_HANDLE) const;
  // With a fence of its own, which must be signalled within gpu::kPatience.
  void and_wait(const Device& device) const;

 private:
  std::vector<VkSemaphore> waits_, signals_;
  std::vector<uint64_t> wait_values_, signal_values_;
  std::vector<VkPipelineStageFlags> stages_;
  std::vector<VkCommandBuffer> commands_;
};

VkResult wait_for(const Device& device, const Fence& fence, int64_t timeout_ns);
VkResult wait_for(const Device& device, const Semaphore& timeline, uint64_t value,
                  int64_t timeout_ns);
uint64_t value_of(const Device& device, const Semaphore& timeline);
void signal_from_host(const Device& device, const Semaphore& timeline, uint64_t value);

}  // namespace vulkan
