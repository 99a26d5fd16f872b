// SPDX-License-Identifier: MIT

#include "igt_tests/vulkan/memory.h"

namespace vulkan {
namespace {

VkDeviceMemory allocate(VkDevice device, uint64_t size, uint32_t type, const void* next) {
  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  info.pNext = next;
  info.allocationSize = size;
  info.memoryTypeIndex = type;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  vk_assert(vkAllocateMemory(device, &info, nullptr, &memory));
  return memory;
}

volatile uint32_t* map_words(VkDevice device, VkDeviceMemory memory) {
  void* data = nullptr;
  vk_assert(vkMapMemory(device, memory, 0, VK_WHOLE_SIZE, 0, &data));
  return static_cast<volatile uint32_t*>(data);
}

}  // namespace

uint32_t host_visible_type(const Client& client) {
  constexpr VkMemoryPropertyFlags kWanted =
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  VkPhysicalDeviceMemoryProperties properties{};
  vkGetPhysicalDeviceMemoryProperties(client.gpu(), &properties);
  for (uint32_t type = 0; type < properties.memoryTypeCount; ++type)
    if ((properties.memoryTypes[type].propertyFlags & kWanted) == kWanted) return type;
  igt_assert_f(false, "no memory type is host-visible and coherent, which Vulkan demands\n");
  return 0;
}

Memory::Memory(const Device& device, uint64_t size, const void* next)
    : device_(device.get()),
      size_(size),
      memory_(allocate(device.get(), size, host_visible_type(device.client()), next)) {}

Memory::~Memory() { vkFreeMemory(device_, memory_, nullptr); }

volatile uint32_t* Memory::map() { return map_words(device_, memory_); }

void Memory::unmap() { vkUnmapMemory(device_, memory_); }

Buffer::Buffer(const Device& device, uint64_t size) : device_(device.get()), size_(size) {
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = size;
  info.usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  vk_assert(vkCreateBuffer(device_, &info, nullptr, &buffer_));
  VkMemoryRequirements needs{};
  vkGetBufferMemoryRequirements(device_, buffer_, &needs);
  const uint32_t type = host_visible_type(device.client());
  igt_assert((needs.memoryTypeBits & (1U << type)) != 0);
  memory_ = allocate(device_, needs.size, type, nullptr);
  vk_assert(vkBindBufferMemory(device_, buffer_, memory_, 0));
  words_ = map_words(device_, memory_);
}

Buffer::~Buffer() {
  vkDestroyBuffer(device_, buffer_, nullptr);
  vkFreeMemory(device_, memory_, nullptr);
}

void Buffer::fill(uint32_t value) const {
  for (uint64_t i = 0; i < word_count(); ++i) words_[i] = value;
}

}  // namespace vulkan
