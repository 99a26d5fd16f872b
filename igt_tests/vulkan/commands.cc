// SPDX-License-Identifier: MIT

#include "igt_tests/vulkan/commands.h"

namespace vulkan {

Commands::Commands(const Device& device) : device_(device.get()) {
  VkCommandPoolCreateInfo pool_info{};
  pool_info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  vk_assert(vkCreateCommandPool(device_, &pool_info, nullptr, &pool_));
  VkCommandBufferAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = pool_;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  vk_assert(vkAllocateCommandBuffers(device_, &info, &commands_));
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  begin.flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT;
  vk_assert(vkBeginCommandBuffer(commands_, &begin));
}

Commands::~Commands() { vkDestroyCommandPool(device_, pool_, nullptr); }

void Commands::end() const { vk_assert(vkEndCommandBuffer(commands_)); }

Submit& Submit::wait(const Semaphore& semaphore, uint64_t value) {
  waits_.push_back(semaphore.get());
  wait_values_.push_back(value);
  stages_.push_back(VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);
  return *this;
}

Submit& Submit::run(const Commands& commands) {
  commands_.push_back(commands.get());
  return *this;
}

Submit& Submit::signal(const Semaphore& semaphore, uint64_t value) {
  signals_.push_back(semaphore.get());
  signal_values_.push_back(value);
  return *this;
}

void Submit::to(const Device& device, VkFence fence) const {
  VkTimelineSemaphoreSubmitInfo values{};
  values.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO;
  values.waitSemaphoreValueCount = static_cast<uint32_t>(wait_values_.size());
  values.pWaitSemaphoreValues = wait_values_.data();
  values.signalSemaphoreValueCount = static_cast<uint32_t>(signal_values_.size());
  values.pSignalSemaphoreValues = signal_values_.data();
  VkSubmitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.pNext = &values;
  info.waitSemaphoreCount = static_cast<uint32_t>(waits_.size());
  info.pWaitSemaphores = waits_.data();
  info.pWaitDstStageMask = stages_.data();
  info.commandBufferCount = static_cast<uint32_t>(commands_.size());
  info.pCommandBuffers = commands_.data();
  info.signalSemaphoreCount = static_cast<uint32_t>(signals_.size());
  info.pSignalSemaphores = signals_.data();
  vk_assert(vkQueueSubmit(device.queue(), 1, &info, fence));
}

void Submit::and_wait(const Device& device) const {
  const Fence done = device.fence();
  to(device, done.get());
  vk_assert(wait_for(device, done, gpu::kPatience));
}

VkResult wait_for(const Device& device, const Fence& fence, int64_t timeout_ns) {
  const VkFence handle = fence.get();
  return vkWaitForFences(device.get(), 1, &handle, VK_TRUE, static_cast<uint64_t>(timeout_ns));
}

VkResult wait_for(const Device& device, const Semaphore& timeline, uint64_t value,
                  int64_t timeout_ns) {
  const VkSemaphore handle = timeline.get();
  VkSemaphoreWaitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.semaphoreCount = 1;
  info.pSemaphores = &handle;
  info.pValues = &value;
  return device.timelines().wait(device.get(), &info, static_cast<uint64_t>(timeout_ns));
}

uint64_t value_of(const Device& device, const Semaphore& timeline) {
  uint64_t value = 0;
  vk_assert(device.timelines().value(device.get(), timeline.get(), &value));
  return value;
}

void signal_from_host(const Device& device, const Semaphore& timeline, uint64_t value) {
  VkSemaphoreSignalInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO;
  info.semaphore = timeline.get();
  info.value = value;
  vk_assert(device.timelines().signal(device.get(), &info));
}

}  // namespace vulkan
