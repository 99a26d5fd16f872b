// SPDX-License-Identifier: MIT

#include "igt_tests/vulkan/client.h"

#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

namespace vulkan {
namespace {

constexpr uint32_t kVendorArm = 0x13B5;

// What a skip is where nothing promises a driver.
[[noreturn]] void no_mali(const char* what) {
  const bool promised =
      getenv("VK_DRIVER_FILES") != nullptr || getenv("VK_ICD_FILENAMES") != nullptr;
  igt_assert_f(!promised, "%s, though the environment names Vulkan drivers\n", what);
  igt_skip("%s; scripts/mesa builds one, and VK_ICD_FILENAMES names it to the loader\n", what);
}

template <typename Call>
void load(VkDevice device, const char* name, Call& call) {
  call = reinterpret_cast<Call>(vkGetDeviceProcAddr(device, name));
  igt_assert_f(call != nullptr, "%s\n", name);
}

}  // namespace

Client::Client() {
  VkApplicationInfo application{};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.apiVersion = VK_API_VERSION_1_1;
  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  const VkResult created = vkCreateInstance(&info, nullptr, &instance_);
  if (created == VK_ERROR_INCOMPATIBLE_DRIVER) no_mali("no Vulkan driver is installed");
  igt_assert_eq(created, VK_SUCCESS);

  uint32_t count = 0;
  vk_assert(vkEnumeratePhysicalDevices(instance_, &count, nullptr));
  std::vector<VkPhysicalDevice> gpus(count);
  if (count > 0) vk_assert(vkEnumeratePhysicalDevices(instance_, &count, gpus.data()));
  for (VkPhysicalDevice gpu : gpus) {
    vkGetPhysicalDeviceProperties(gpu, &properties_);
    if (properties_.vendorID == kVendorArm) {
      gpu_ = gpu;
      return;
    }
  }
  vkDestroyInstance(instance_, nullptr);
  no_mali("no Vulkan driver found a Mali GPU");
}

Client::~Client() { vkDestroyInstance(instance_, nullptr); }

bool Client::has_extension(const char* name) const {
  uint32_t count = 0;
  vk_assert(vkEnumerateDeviceExtensionProperties(gpu_, nullptr, &count, nullptr));
  std::vector<VkExtensionProperties> extensions(count);
  vk_assert(vkEnumerateDeviceExtensionProperties(gpu_, nullptr, &count, extensions.data()));
  for (const VkExtensionProperties& each : extensions)
    if (strcmp(each.extensionName, name) == 0) return true;
  return false;
}

Device::Device(const Client& client, std::span<const char* const> extensions,
               const void* queue_next)
    : client_(client) {
  const float priority = 1.0F;
  VkDeviceQueueCreateInfo queue_info{};
  queue_info.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue_info.pNext = queue_next;
  queue_info.queueCount = 1;
  queue_info.pQueuePriorities = &priority;
  std::vector<const char*> names(extensions.begin(), extensions.end());
  names.push_back(VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME);
  VkPhysicalDeviceTimelineSemaphoreFeaturesKHR features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES_KHR;
  features.timelineSemaphore = VK_TRUE;
  VkDeviceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.pNext = &features;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue_info;
  info.enabledExtensionCount = static_cast<uint32_t>(names.size());
  info.ppEnabledExtensionNames = names.data();
  vk_assert(vkCreateDevice(client.gpu(), &info, nullptr, &device_));
  vkGetDeviceQueue(device_, 0, 0, &queue_);
  load(device_, "vkGetSemaphoreCounterValueKHR", timelines_.value);
  load(device_, "vkWaitSemaphoresKHR", timelines_.wait);
  load(device_, "vkSignalSemaphoreKHR", timelines_.signal);
}

Device::~Device() {
  vkDeviceWaitIdle(device_);
  vkDestroyDevice(device_, nullptr);
}

Fence Device::fence(VkFenceCreateFlags flags) const {
  VkFenceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  info.flags = flags;
  VkFence fence = VK_NULL_HANDLE;
  vk_assert(vkCreateFence(device_, &info, nullptr, &fence));
  return {device_, fence};
}

Semaphore Device::binary_semaphore() const {
  VkSemaphoreCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  VkSemaphore semaphore = VK_NULL_HANDLE;
  vk_assert(vkCreateSemaphore(device_, &info, nullptr, &semaphore));
  return {device_, semaphore};
}

Semaphore Device::timeline_semaphore(uint64_t initial) const {
  VkSemaphoreTypeCreateInfo type{};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  type.initialValue = initial;
  VkSemaphoreCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  info.pNext = &type;
  VkSemaphore semaphore = VK_NULL_HANDLE;
  vk_assert(vkCreateSemaphore(device_, &info, nullptr, &semaphore));
  return {device_, semaphore};
}

Event Device::event() const {
  VkEventCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO;
  VkEvent event = VK_NULL_HANDLE;
  vk_assert(vkCreateEvent(device_, &info, nullptr, &event));
  return {device_, event};
}

void run_cases(std::span<const Case> cases) {
  std::optional<Client> client;
  igt_subtest_group {
    igt_fixture { client.emplace(); };
    for (const Case& each : cases) {
      igt_describe(each.purpose);
      igt_subtest(each.name) { each.body(*client); };
    }
    igt_fixture { client.reset(); };
  };
}

}  // namespace vulkan
