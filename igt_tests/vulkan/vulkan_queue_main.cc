// SPDX-License-Identifier: MIT

#include <memory>
#include <vector>

#include "igt_tests/vulkan/client.h"
#include "igt_tests/vulkan/commands.h"

IGT_TEST_DESCRIPTION("Vulkan: submits, fences, binary semaphores and events.");

using namespace vulkan;

namespace {

void empty_submit(const Client& client) {
  const Device device(client);
  for (int round = 0; round < 20; ++round) Submit().and_wait(device);
}

void empty_command_buffer(const Client& client) {
  const Device device(client);
  const Commands commands(device);
  commands.end();
  for (int round = 0; round < 20; ++round) Submit().run(commands).and_wait(device);
}

void submit_a_fence_alone(const Client& client) {
  const Device device(client);
  const Fence fence = device.fence();
  vk_assert(vkQueueSubmit(device.queue(), 0, nullptr, fence.get()));
  vk_assert(wait_for(device, fence, gpu::kPatience));
}

void many_submits(const Client& client) {
  const Device device(client);
  const Commands commands(device);
  commands.end();
  std::vector<Fence> fences;
  for (int i = 0; i < 200; ++i) {
    fences.push_back(device.fence());
    Submit().run(commands).to(device, fences.back().get());
  }
  vk_assert(wait_for(device, fences.back(), gpu::kPatience));
  for (const Fence& fence : fences) vk_assert(vkGetFenceStatus(device.get(), fence.get()));
}

void queue_idle(const Client& client) {
  const Device device(client);
  const Commands commands(device);
  commands.end();
  const Fence fence = device.fence();
  Submit().run(commands).to(device, fence.get());
  vk_assert(vkQueueWaitIdle(device.queue()));
  vk_assert(vkGetFenceStatus(device.get(), fence.get()));
}

void fence_timeout(const Client& client) {
  const Device device(client);
  const Fence fence = device.fence();
  igt_assert_eq(vkGetFenceStatus(device.get(), fence.get()), VK_NOT_READY);
  igt_assert_eq(wait_for(device, fence, 0), VK_TIMEOUT);
  const int64_t start = gpu::now_ns();
  igt_assert_eq(wait_for(device, fence, gpu::kGlance), VK_TIMEOUT);
  igt_assert_lte(gpu::kGlance, gpu::now_ns() - start);
}

void fence_reset(const Client& client) {
  const Device device(client);
  const Fence fence = device.fence(VK_FENCE_CREATE_SIGNALED_BIT);
  const VkFence handle = fence.get();
  for (int round = 0; round < 10; ++round) {
    vk_assert(vkGetFenceStatus(device.get(), handle));
    vk_assert(vkResetFences(device.get(), 1, &handle));
    igt_assert_eq(vkGetFenceStatus(device.get(), handle), VK_NOT_READY);
    Submit().to(device, handle);
    vk_assert(wait_for(device, fence, gpu::kPatience));
  }
}

void fences_any_and_all(const Client& client) {
  const Device device(client);
  const Fence signalled = device.fence(VK_FENCE_CREATE_SIGNALED_BIT);
  const Fence never = device.fence();
  const VkFence both[] = {never.get(), signalled.get()};
  vk_assert(vkWaitForFences(device.get(), 2, both, VK_FALSE, gpu::kPatience));
  igt_assert_eq(vkWaitForFences(device.get(), 2, both, VK_TRUE, gpu::kGlance), VK_TIMEOUT);
}

void semaphore_chain(const Client& client) {
  const Device device(client);
  const Commands commands(device);
  commands.end();
  std::vector<Semaphore> links;
  links.push_back(device.binary_semaphore());
  Submit().run(commands).signal(links.back()).to(device);
  for (int i = 0; i < 20; ++i) {
    links.push_back(device.binary_semaphore());
    Submit().wait(links[links.size() - 2]).run(commands).signal(links.back()).to(device);
  }
  Submit().wait(links.back()).and_wait(device);
}

VkResult status_of(const Device& device, const Event& event) {
  return vkGetEventStatus(device.get(), event.get());
}

// An event is written by the command stream of each of the driver's queues.
void event_set_by_gpu(const Client& client) {
  const Device device(client);
  const Event event = device.event();
  igt_assert_eq(status_of(device, event), VK_EVENT_RESET);
  const Commands set(device);
  vkCmdSetEvent(set.get(), event.get(), VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);
  set.end();
  const Commands reset(device);
  vkCmdResetEvent(reset.get(), event.get(), VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);
  reset.end();
  for (int round = 0; round < 5; ++round) {
    Submit().run(set).and_wait(device);
    igt_assert_eq(status_of(device, event), VK_EVENT_SET);
    Submit().run(reset).and_wait(device);
    igt_assert_eq(status_of(device, event), VK_EVENT_RESET);
  }
}

// The GPU sees what the host writes while it waits, and not before.
void event_set_by_host(const Client& client) {
  const Device device(client);
  const Event gate = device.event();
  const Event passed = device.event();
  const Commands commands(device);
  const VkEvent handle = gate.get();
  // HOST alone is nothing that this driver's queues wait for.
  vkCmdWaitEvents(commands.get(), 1, &handle,
                  VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                  VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, nullptr, 0, nullptr, 0, nullptr);
  vkCmdSetEvent(commands.get(), passed.get(), VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);
  commands.end();
  const Fence fence = device.fence();
  Submit().run(commands).to(device, fence.get());
  const VkResult early = wait_for(device, fence, gpu::kGlance);
  const VkResult early_status = status_of(device, passed);
  vk_assert(vkSetEvent(device.get(), gate.get()));  // before anything can fail: the GPU waits
  igt_assert_eq(early, VK_TIMEOUT);
  igt_assert_eq(early_status, VK_EVENT_RESET);
  vk_assert(wait_for(device, fence, gpu::kPatience));
  igt_assert_eq(status_of(device, passed), VK_EVENT_SET);
}

constexpr Case kCases[] = {
    {"empty-submit", "A submit without commands signals its fence.", empty_submit},
    {"empty-command-buffer", "So does one whose command buffer is empty.", empty_command_buffer},
    {"fence-alone", "A fence without any submit.", submit_a_fence_alone},
    {"many-submits", "200 submits in flight; the last fence stands for all.", many_submits},
    {"queue-idle", "An idle queue has signalled its fences.", queue_idle},
    {"fence-timeout", "A wait for nothing ends when its time is up.", fence_timeout},
    {"fence-reset", "A fence is used again.", fence_reset},
    {"fences-any-and-all", "Waits for one of two fences and for both.", fences_any_and_all},
    {"semaphore-chain", "Submits that wait for the one before them.", semaphore_chain},
    {"event-set-by-gpu", "The host sees events that a command stream sets and resets.",
     event_set_by_gpu},
    {"event-set-by-host", "A command stream waits for an event of the host.", event_set_by_host},
};

}  // namespace

igt_main { vulkan::run_cases(kCases); }
