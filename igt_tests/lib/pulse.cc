// SPDX-License-Identifier: MIT

#include "igt_tests/lib/pulse.h"

#include "igt_tests/harness/igt.h"

namespace gpu {
namespace {

constexpr int64_t kSilence = 40 * kMillisecond;

}  // namespace

Pulse::Pulse(const Device& device, uint64_t va) : Pulse(device, va, va) {}

Pulse::Pulse(const Device& device, uint64_t va, uint64_t touched_va)
    : va_(va), memory_(Bo::create(device, 2 * kPage)) {
  const Assembler stream = Heartbeat::stream(va + kPage, touched_va);
  size_ = stream.size_bytes();
  igt_assert(size_ <= kPage);
  for (size_t i = 0; i < stream.words().size(); ++i) memory_.quads()[i] = stream.words()[i];
}

void Pulse::map_into(Vm& vm) const {
  vm.map_part(memory_, 0, va_, kPage, kReadOnly);
  vm.map_part(memory_, kPage, va_ + kPage, kPage, kNoExec | kUncached);
}

volatile uint32_t& Pulse::control(uint32_t word) {
  return memory_.word_at(kPage + word * sizeof(uint32_t));
}

void Pulse::stop() { control(Heartbeat::kStop) = 1; }

void Pulse::expect_start() {
  igt_assert(wait_until(kPatience, [&] { return control(Heartbeat::kStarted) == 1; }));
}

void Pulse::expect_beat() {
  const uint32_t before = rounds();
  igt_assert(wait_until(kPatience, [&] { return rounds() != before; }));
}

void Pulse::expect_silence() {
  igt_assert(wait_until(kPatience, [&] {
    const uint32_t before = rounds();
    sleep_ns(kSilence);
    return rounds() == before;
  }));
}

}  // namespace gpu
