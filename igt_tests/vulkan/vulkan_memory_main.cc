// SPDX-License-Identifier: MIT

#include <memory>
#include <vector>

#include "igt_tests/lib/unique_fd.h"
#include "igt_tests/vulkan/client.h"
#include "igt_tests/vulkan/commands.h"
#include "igt_tests/vulkan/memory.h"

IGT_TEST_DESCRIPTION("Vulkan: memory, its mappings, and what GPU and host see of it.");

using namespace vulkan;

namespace {

constexpr uint64_t kKib = 1024;
constexpr uint64_t kMib = 1024 * kKib;

void expect_pattern(volatile uint32_t* words, uint64_t count, uint32_t seed) {
  for (uint64_t i = 0; i < count; ++i)
    igt_assert_eq(uint32_t{words[i]}, static_cast<uint32_t>(i * 2654435761U + seed));
}

void write_pattern(volatile uint32_t* words, uint64_t count, uint32_t seed) {
  for (uint64_t i = 0; i < count; ++i) words[i] = static_cast<uint32_t>(i * 2654435761U + seed);
}

void map_and_map_again(const Client& client) {
  const Device device(client);
  for (const uint64_t size : {4 * kKib, 68 * kKib, 2 * kMib, 5 * kMib}) {
    Memory memory(device, size);
    write_pattern(memory.map(), size / 4, 1);
    memory.unmap();
    expect_pattern(memory.map(), size / 4, 1);
    memory.unmap();
  }
}

void map_a_part(const Client& client) {
  const Device device(client);
  Memory memory(device, 64 * kKib);
  write_pattern(memory.map(), memory.size() / 4, 2);
  memory.unmap();
  void* data = nullptr;
  vk_assert(vkMapMemory(device.get(), memory.get(), 4 * kKib + 16, 8 * kKib, 0, &data));
  igt_assert_eq(*static_cast<volatile uint32_t*>(data),
                static_cast<uint32_t>((kKib + 4) * 2654435761U + 2));
  memory.unmap();
}

// What one allocation had must not be seen through the next.
void new_memory_is_zeroed(const Client& client) {
  const Device device(client);
  for (int round = 0; round < 4; ++round) {
    Memory memory(device, 512 * kKib);
    volatile uint32_t* words = memory.map();
    for (uint64_t i = 0; i < memory.size() / 4; ++i) {
      igt_assert_eq(uint32_t{words[i]}, 0);
      words[i] = 0xFFFFFFFF;
    }
  }
}

void many_allocations(const Client& client) {
  const Device device(client);
  std::vector<std::unique_ptr<Memory>> memories;
  for (uint32_t i = 0; i < 300; ++i) {
    memories.push_back(std::make_unique<Memory>(device, (1 + i % 5) * 4 * kKib));
    memories.back()->map()[0] = i;
    memories.back()->unmap();
  }
  for (uint32_t i = 0; i < 300; i += 2) memories[i].reset();
  for (uint32_t i = 1; i < 300; i += 2) igt_assert_eq(uint32_t{memories[i]->map()[0]}, i);
}

void too_large(const Client& client) {
  const Device device(client);
  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  info.allocationSize = uint64_t{1} << 42;
  info.memoryTypeIndex = host_visible_type(client);
  VkDeviceMemory memory = VK_NULL_HANDLE;
  const VkResult result = vkAllocateMemory(device.get(), &info, nullptr, &memory);
  igt_assert_f(result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY,
               "VkResult %d\n", result);
  const Memory small(device, 4 * kKib);
  Submit().and_wait(device);
}

void shared_through_dma_buf(const Client& client) {
  const char* const extensions[] = {VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
                                    VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME};
  for (const char* extension : extensions) igt_require(client.has_extension(extension));
  const Client other_client;  // devices of one instance share one open file
  const Device exporter(client, extensions, nullptr);
  const Device importer(other_client, extensions, nullptr);
  constexpr auto kType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
  VkExportMemoryAllocateInfo exportable{};
  exportable.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO;
  exportable.handleTypes = kType;
  Memory memory(exporter, 128 * kKib, &exportable);
  const auto get_fd = reinterpret_cast<PFN_vkGetMemoryFdKHR>(
      vkGetDeviceProcAddr(exporter.get(), "vkGetMemoryFdKHR"));
  VkMemoryGetFdInfoKHR fd_info{};
  fd_info.sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR;
  fd_info.memory = memory.get();
  fd_info.handleType = kType;
  int fd = -1;
  vk_assert(get_fd(exporter.get(), &fd_info, &fd));
  gpu::UniqueFd owned(fd);

  VkImportMemoryFdInfoKHR import{};
  import.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR;
  import.handleType = kType;
  import.fd = fd;
  Memory other(importer, 128 * kKib, &import);
  owned.release();  // the import has taken it
  write_pattern(memory.map(), memory.size() / 4, 7);
  expect_pattern(other.map(), other.size() / 4, 7);
}

// Occlusion queries are copied by the command stream itself, with loads and stores and no shader.
// Query i is ended when `ended(i)`, and then available with the value 0.
constexpr uint32_t kUntouched = 0xA5A5A5A5;

bool ended(uint32_t query) { return query % 3 != 1; }

QueryPool occlusion_queries(const Device& device, uint32_t count) {
  VkQueryPoolCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
  info.queryType = VK_QUERY_TYPE_OCCLUSION;
  info.queryCount = count;
  VkQueryPool pool = VK_NULL_HANDLE;
  vk_assert(vkCreateQueryPool(device.get(), &info, nullptr, &pool));
  return {device.get(), pool};
}

// Each copy is two words: value and availability.
void copy_by_command_stream(const Client& client, uint32_t count, uint32_t stride) {
  const Device device(client);
  const QueryPool queries = occlusion_queries(device, count);
  const Buffer buffer(device, count * stride);
  buffer.fill(kUntouched);
  const Commands commands(device);
  vkCmdResetQueryPool(commands.get(), queries.get(), 0, count);
  for (uint32_t query = 0; query < count; ++query) {
    if (!ended(query)) continue;
    vkCmdBeginQuery(commands.get(), queries.get(), query, 0);
    vkCmdEndQuery(commands.get(), queries.get(), query);
  }
  VkMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  vkCmdPipelineBarrier(commands.get(), VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                       VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 1, &barrier, 0, nullptr, 0, nullptr);
  // Without WAIT: a query that never ends is copied as not available.
  vkCmdCopyQueryPoolResults(commands.get(), queries.get(), 0, count, buffer.get(), 0, stride,
                            VK_QUERY_RESULT_WITH_AVAILABILITY_BIT);
  barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_HOST_READ_BIT;
  vkCmdPipelineBarrier(commands.get(), VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                       VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, nullptr, 0, nullptr);
  commands.end();
  Submit().run(commands).and_wait(device);
  for (uint32_t word = 0; word < buffer.word_count(); ++word) {
    const uint32_t query = word * 4 / stride;
    const uint32_t field = word * 4 % stride / 4;
    const uint32_t expected = field == 0 ? 0 : field == 1 ? uint32_t{ended(query)} : kUntouched;
    igt_assert_f(buffer.words()[word] == expected, "query %u, word %u: %#x, expected %#x\n", query,
                 field, uint32_t{buffer.words()[word]}, expected);
  }
}

void copy_packed(const Client& client) { copy_by_command_stream(client, 5, 8); }
void copy_over_many_pages(const Client& client) { copy_by_command_stream(client, 64, 4096); }
void copy_in_a_loop(const Client& client) { copy_by_command_stream(client, 500, 16); }

// vkCmdCopyBuffer is a compute shader in this driver. It has to complete; what it writes is up to
// a GPU that runs shaders.
void copy_by_shader_completes(const Client& client) {
  const Device device(client);
  const Buffer from(device, 64 * kKib);
  const Buffer to(device, 64 * kKib);
  from.fill(0x600DF00D);
  to.fill(kUntouched);
  const Commands commands(device);
  const VkBufferCopy all{0, 0, 64 * kKib};
  vkCmdCopyBuffer(commands.get(), from.get(), to.get(), 1, &all);
  commands.end();
  Submit().run(commands).and_wait(device);
  uint32_t copied = 0;
  for (uint64_t i = 0; i < to.word_count(); ++i) {
    igt_assert_eq(uint32_t{from.words()[i]}, 0x600DF00D);
    copied += to.words()[i] == 0x600DF00D;
  }
  igt_info("%u of %u words copied\n", copied, static_cast<uint32_t>(to.word_count()));
  igt_assert(copied == 0 || copied == to.word_count());
}

constexpr Case kCases[] = {
    {"map-and-map-again", "Contents stay from one mapping to the next.", map_and_map_again},
    {"map-a-part", "A mapping that does not begin on a page.", map_a_part},
    {"new-memory-is-zeroed", "Freed memory does not come back as it was.", new_memory_is_zeroed},
    {"many-allocations", "300 allocations, of which half are freed.", many_allocations},
    {"too-large", "More than there is fails, and the device lives on.", too_large},
    {"shared-through-dma-buf", "Devices of two open files see one memory.", shared_through_dma_buf},
    {"copy-packed", "The command stream writes what the host then sees.", copy_packed},
    {"copy-over-many-pages", "So it does on many pages, and between its stores nothing changes.",
     copy_over_many_pages},
    {"copy-in-a-loop", "So it does from a loop.", copy_in_a_loop},
    {"copy-by-shader-completes", "A copy that is a shader signals its fence.",
     copy_by_shader_completes},
};

}  // namespace

igt_main { vulkan::run_cases(kCases); }
