// SPDX-License-Identifier: MIT
//
// A Vulkan client: the loader's instance, the Mali GPU that it finds, and devices on that. Knows
// nothing of the kernel driver below. Without a Mali driver the test is skipped; but where the
// environment names drivers (VK_DRIVER_FILES or VK_ICD_FILENAMES), one is promised, and its absence
// fails the test.
#pragma once

#include <vulkan/vulkan.h>

#include <cstdint>
#include <span>
#include <utility>

#include "igt_tests/harness/igt.h"

// Fails the test with the call and its VkResult.
#define vk_assert(call) igt_assert_eq(call, VK_SUCCESS)

namespace vulkan {

// Owns a child object of a device; the destructor destroys it.
template <typename Handle, void (*kDestroy)(VkDevice, Handle, const VkAllocationCallbacks*)>
class Owned {
 public:
  Owned() = default;
  Owned(VkDevice device, Handle handle) : device_(device), handle_(handle) {}
  ~Owned() { reset(); }
  Owned(Owned&& other) noexcept
      : device_(other.device_), handle_(std::exchange(other.handle_, VK_NULL_HANDLE)) {}
  Owned& operator=(Owned&& other) noexcept {
    if (this != &other) {
      reset();
      device_ = other.device_;
      handle_ = std::exchange(other.handle_, VK_NULL_HANDLE);
    }
    return *this;
  }

  Handle get() const { return handle_; }
  void reset() {
    if (handle_ != VK_NULL_HANDLE)
      kDestroy(device_, std::exchange(handle_, VK_NULL_HANDLE), nullptr);
  }

 private:
  VkDevice device_ = VK_NULL_HANDLE;
  Handle handle_ = VK_NULL_HANDLE;
};

using Fence = Owned<VkFence, vkDestroyFence>;
using Semaphore = Owned<VkSemaphore, vkDestroySemaphore>;
using Event = Owned<VkEvent, vkDestroyEvent>;
using QueryPool = Owned<VkQueryPool, vkDestroyQueryPool>;

// An instance of Vulkan 1.1 and the Mali GPU in it.
class Client {
 public:
  // Skips or fails (above) when there is no Mali GPU.
  Client();
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  VkInstance instance() const { return instance_; }
  VkPhysicalDevice gpu() const { return gpu_; }
  const VkPhysicalDeviceProperties& properties() const { return properties_; }
  bool has_extension(const char* name) const;

 private:
  VkInstance instance_ = VK_NULL_HANDLE;
  VkPhysicalDevice gpu_ = VK_NULL_HANDLE;
  VkPhysicalDeviceProperties properties_{};
};

// The calls of VK_KHR_timeline_semaphore, which the loader does not export.
struct TimelineCalls {
  PFN_vkGetSemaphoreCounterValueKHR value;
  PFN_vkWaitSemaphoresKHR wait;
  PFN_vkSignalSemaphoreKHR signal;
};

// A device with one queue of the first family, and timeline semaphores.
class Device {
 public:
  explicit Device(const Client& client) : Device(client, {}, nullptr) {}
  // `extensions` are enabled too; `queue_next` is the pNext of the queue's create info.
  Device(const Client& client, std::span<const char* const> extensions, const void* queue_next);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const Client& client() const { return client_; }
  VkDevice get() const { return device_; }
  VkQueue queue() const { return queue_; }
  const TimelineCalls& timelines() const { return timelines_; }

  Fence fence(VkFenceCreateFlags flags = 0) const;
  Semaphore binary_semaphore() const;
  Semaphore timeline_semaphore(uint64_t initial) const;
  Event event() const;

 private:
  const Client& client_;
  VkDevice device_ = VK_NULL_HANDLE;
  VkQueue queue_ = VK_NULL_HANDLE;
  TimelineCalls timelines_{};
};

// Subtests as a table: name, purpose and body.
struct Case {
  const char* name;
  const char* purpose;
  void (*body)(const Client& client);
};

// Called inside igt_main: opens a client in a fixture and runs the cases that were chosen.
void run_cases(std::span<const Case> cases);

}  // namespace vulkan
