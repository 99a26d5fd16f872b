// SPDX-License-Identifier: MIT

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstring>
#include <memory>
#include <vector>

#include "igt_tests/vulkan/client.h"
#include "igt_tests/vulkan/commands.h"
#include "igt_tests/vulkan/memory.h"

IGT_TEST_DESCRIPTION("Vulkan: instances, the GPU that they find, and devices on it.");

using namespace vulkan;

namespace {

void instances(const Client&) {
  for (int round = 0; round < 10; ++round) Client();
}

void gpu_is_named(const Client& client) {
  igt_require(client.has_extension(VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME));
  VkPhysicalDeviceDriverProperties driver{};
  driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &driver;
  vkGetPhysicalDeviceProperties2(client.gpu(), &properties);
  igt_info("%s, %s %s\n", properties.properties.deviceName, driver.driverName, driver.driverInfo);
  igt_assert_f(strstr(properties.properties.deviceName, "Mali") != nullptr, "\"%s\"\n",
               properties.properties.deviceName);
  igt_assert(strlen(driver.driverName) > 0);
}

void expect_node(const char* path, VkBool32 has, int64_t major_number, int64_t minor_number) {
  struct stat status {};
  igt_assert_eq(stat(path, &status), 0);
  igt_assert(has);
  igt_assert_eq(major_number, major(status.st_rdev));
  igt_assert_eq(minor_number, minor(status.st_rdev));
}

void nodes(const Client& client) {
  igt_require(client.has_extension(VK_EXT_PHYSICAL_DEVICE_DRM_EXTENSION_NAME));
  VkPhysicalDeviceDrmPropertiesEXT drm{};
  drm.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRM_PROPERTIES_EXT;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &drm;
  vkGetPhysicalDeviceProperties2(client.gpu(), &properties);
  expect_node("/dev/dri/card0", drm.hasPrimary, drm.primaryMajor, drm.primaryMinor);
  expect_node("/dev/dri/renderD128", drm.hasRender, drm.renderMajor, drm.renderMinor);
}

void memory_types(const Client& client) {
  VkPhysicalDeviceMemoryProperties properties{};
  vkGetPhysicalDeviceMemoryProperties(client.gpu(), &properties);
  igt_assert_lt(0, properties.memoryHeapCount);
  for (uint32_t heap = 0; heap < properties.memoryHeapCount; ++heap)
    igt_assert_lt(0, properties.memoryHeaps[heap].size);
  igt_assert_lt(host_visible_type(client), properties.memoryTypeCount);
}

void create_device(const Client& client) {
  for (int round = 0; round < 10; ++round) Device{client};
}

void devices_at_once(const Client& client) {
  std::vector<std::unique_ptr<Device>> devices;
  for (int i = 0; i < 6; ++i) devices.push_back(std::make_unique<Device>(client));
  for (const auto& device : devices) Submit().and_wait(*device);
  devices.erase(devices.begin() + 2);
  for (const auto& device : devices) Submit().and_wait(*device);
}

void clients_at_once(const Client& client) {
  const Client other;
  const Device first(client);
  const Device second(other);
  Submit().and_wait(first);
  Submit().and_wait(second);
}

// What the driver lists it can be had with.
void priorities(const Client& client) {
  igt_require(client.has_extension(VK_KHR_GLOBAL_PRIORITY_EXTENSION_NAME));
  VkQueueFamilyGlobalPriorityPropertiesKHR listed{};
  listed.sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_GLOBAL_PRIORITY_PROPERTIES_KHR;
  VkQueueFamilyProperties2 family{};
  family.sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_PROPERTIES_2;
  family.pNext = &listed;
  uint32_t count = 1;
  vkGetPhysicalDeviceQueueFamilyProperties2(client.gpu(), &count, &family);
  igt_assert_lt(0, listed.priorityCount);
  const char* const extensions[] = {VK_KHR_GLOBAL_PRIORITY_EXTENSION_NAME};
  for (uint32_t i = 0; i < listed.priorityCount; ++i) {
    VkDeviceQueueGlobalPriorityCreateInfoKHR priority{};
    priority.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_GLOBAL_PRIORITY_CREATE_INFO_KHR;
    priority.globalPriority = listed.priorities[i];
    const Device device(client, extensions, &priority);
    Submit().and_wait(device);
  }
}

constexpr Case kCases[] = {
    {"instances", "Instances come and go.", instances},
    {"gpu-is-named", "The GPU is a Mali, and a driver stands behind it.", gpu_is_named},
    {"drm-nodes", "The driver names the nodes that it uses.", nodes},
    {"memory-types", "Heaps have a size, and one type is coherent for the host.", memory_types},
    {"create-device", "Devices come and go.", create_device},
    {"devices-at-once", "Six devices of one instance.", devices_at_once},
    {"clients-at-once", "Two instances in one process.", clients_at_once},
    {"priorities", "A device of each priority that the driver lists.", priorities},
};

}  // namespace

igt_main { vulkan::run_cases(kCases); }
