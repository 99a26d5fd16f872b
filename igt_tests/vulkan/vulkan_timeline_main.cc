// SPDX-License-Identifier: MIT

#include <thread>

#include "igt_tests/vulkan/client.h"
#include "igt_tests/vulkan/commands.h"

IGT_TEST_DESCRIPTION("Vulkan: timeline semaphores.");

using namespace vulkan;

namespace {

void initial_value(const Client& client) {
  const Device device(client);
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40}) {
    const Semaphore timeline = device.timeline_semaphore(value);
    igt_assert_eq(value_of(device, timeline), value);
    vk_assert(wait_for(device, timeline, value, 0));
    igt_assert_eq(wait_for(device, timeline, value + 1, 0), VK_TIMEOUT);
  }
}

void host_signal(const Client& client) {
  const Device device(client);
  const Semaphore timeline = device.timeline_semaphore(0);
  for (const uint64_t value : {uint64_t{1}, uint64_t{7}, uint64_t{1} << 33}) {
    signal_from_host(device, timeline, value);
    igt_assert_eq(value_of(device, timeline), value);
    vk_assert(wait_for(device, timeline, value, 0));
  }
}

void wait_timeout(const Client& client) {
  const Device device(client);
  const Semaphore timeline = device.timeline_semaphore(3);
  const int64_t start = gpu::now_ns();
  igt_assert_eq(wait_for(device, timeline, 4, gpu::kGlance), VK_TIMEOUT);
  igt_assert_lte(gpu::kGlance, gpu::now_ns() - start);
  igt_assert_eq(value_of(device, timeline), 3);
}

void wait_for_another_thread(const Client& client) {
  const Device device(client);
  const Semaphore timeline = device.timeline_semaphore(0);
  VkResult result = VK_NOT_READY;
  std::thread waiter([&] { result = wait_for(device, timeline, 5, gpu::kPatience); });
  gpu::sleep_ns(gpu::kGlance);
  signal_from_host(device, timeline, 5);
  waiter.join();
  igt_assert_eq(result, VK_SUCCESS);
}

void submit_signals(const Client& client) {
  const Device device(client);
  const Commands commands(device);
  commands.end();
  const Semaphore timeline = device.timeline_semaphore(0);
  for (uint64_t value = 1; value <= 50; ++value) {
    Submit().run(commands).signal(timeline, 2 * value).to(device);
    if (value % 7 == 0) {
      vk_assert(wait_for(device, timeline, 2 * value, gpu::kPatience));
      igt_assert_eq(value_of(device, timeline), 2 * value);
    }
  }
  vk_assert(wait_for(device, timeline, 100, gpu::kPatience));
  igt_assert_eq(value_of(device, timeline), 100);
}

// The submit comes first, the signal that it waits for later.
void submit_waits_for_host(const Client& client) {
  const Device device(client);
  const Semaphore gate = device.timeline_semaphore(0);
  const Semaphore done = device.timeline_semaphore(0);
  Submit().wait(gate, 3).signal(done, 1).to(device);
  igt_assert_eq(wait_for(device, done, 1, gpu::kGlance), VK_TIMEOUT);
  signal_from_host(device, gate, 2);
  igt_assert_eq(wait_for(device, done, 1, gpu::kGlance), VK_TIMEOUT);
  signal_from_host(device, gate, 3);
  vk_assert(wait_for(device, done, 1, gpu::kPatience));
}

void ping_pong(const Client& client) {
  const Device device(client);
  const Commands commands(device);
  commands.end();
  const Semaphore ping = device.timeline_semaphore(0);
  const Semaphore pong = device.timeline_semaphore(0);
  for (uint64_t round = 1; round <= 30; ++round) {
    Submit().wait(ping, round).run(commands).signal(pong, round).to(device);
    signal_from_host(device, ping, round);
    vk_assert(wait_for(device, pong, round, gpu::kPatience));
  }
}

void wait_any(const Client& client) {
  const Device device(client);
  const Semaphore never = device.timeline_semaphore(0);
  const Semaphore soon = device.timeline_semaphore(0);
  Submit().signal(soon, 9).to(device);
  const VkSemaphore handles[] = {never.get(), soon.get()};
  const uint64_t values[] = {1, 9};
  VkSemaphoreWaitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.flags = VK_SEMAPHORE_WAIT_ANY_BIT;
  info.semaphoreCount = 2;
  info.pSemaphores = handles;
  info.pValues = values;
  vk_assert(device.timelines().wait(device.get(), &info, gpu::kPatience));
  info.flags = 0;
  igt_assert_eq(device.timelines().wait(device.get(), &info, gpu::kGlance), VK_TIMEOUT);
}

constexpr Case kCases[] = {
    {"initial-value", "A timeline begins where it is told to.", initial_value},
    {"host-signal", "The host moves a timeline on.", host_signal},
    {"wait-timeout", "A wait for a point that nobody signals ends in time.", wait_timeout},
    {"wait-for-another-thread", "A wait ends when another thread signals.",
     wait_for_another_thread},
    {"submit-signals", "Each of 50 submits moves the timeline on.", submit_signals},
    {"submit-waits-for-host", "A submit that comes before the signal that it waits for.",
     submit_waits_for_host},
    {"ping-pong", "Host and queue take turns.", ping_pong},
    {"wait-any", "Waits for one of two timelines and for both.", wait_any},
};

}  // namespace

igt_main { vulkan::run_cases(kCases); }
