// SPDX-License-Identifier: MIT
//
// For tests: the firmware on FlatMemory with a scripted device around it, and the driver's half of
// the interface. Time passes only when a test lets it.
//
// Every queue has its ring, a page of code and a page of data in its group's address space, at the
// same addresses in each space; its sync object is at the end of the data page.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "gpu_emu/cs/stream_fixture.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/mcu/firmware.h"
#include "gpu_emu/mcu/interface_host.h"
#include "gpu_emu/mcu/layout.h"

namespace pantry::emu {

class FirmwareRig final : public InterfacePort {
 public:
  static constexpr AsIndex kMcu{0};
  static constexpr AsIndex kAs{1};
  static constexpr AsIndex kOtherAs{2};
  static constexpr std::uint32_t kQueues = 4;
  static constexpr std::uint32_t kRingBytes = 4096;

  explicit FirmwareRig(const Quirks& device_quirks)
      : quirks(device_quirks), firmware(quirks, memory, services, StreamPolicy::kAll), host(*this) {
    memory.map(kMcu, GpuVa{datasheet::firmware_interface::kSharedSectionVa}, layout::kSectionBytes);
    for (std::uint32_t n = 0; n < kQueues; ++n) {
      memory.map(kMcu, GpuVa{queue(n).pages}, 2 * kPageSize);
      memory.map(kMcu, GpuVa{suspend_buffer(n)}, 0x4000);
      for (const AsIndex as : {kAs, kOtherAs}) {
        memory.map(as, queue(n).ring_base, kRingBytes);
        memory.map(as, code(n), kPageSize);
        memory.map(as, data(n), kPageSize);
      }
    }
  }

  // Started, GLB initialised, no interrupt pending.
  void boot() {
    firmware.start();
    settle();
    ASSERT_EQ(services.take_interrupts(), datasheet::job_int::Global::kMask);
    host.init_global();
    settle();
    services.take_interrupts();
  }

  static InterfaceHost::Queue queue(std::uint32_t n) {
    return {.ring_base = GpuVa{0x7f00'0000'0000 + 0x1'0000 * std::uint64_t{n}},
            .ring_bytes = kRingBytes,
            .pages = 0x0480'0000 + 0x2000 * n};
  }
  static std::uint32_t suspend_buffer(std::uint32_t n) { return 0x0490'0000 + 0x4000 * n; }
  static GpuVa code(std::uint32_t n) { return {0x100'0000 + 0x1'0000 * std::uint64_t{n}}; }
  static GpuVa data(std::uint32_t n) { return {0x200'0000 + 0x1'0000 * std::uint64_t{n}}; }
  static GpuVa sync(std::uint32_t n) { return data(n) + (kPageSize - 16); }

  // A group of the queues [0, count).
  InterfaceHost::Group group(std::uint32_t count) {
    queues_ = {queue(0), queue(1), queue(2), queue(3)};
    return {.queues = std::span(queues_).first(count),
            .address_space = kAs,
            .suspend_buffer = suspend_buffer(0)};
  }
  void start(std::uint32_t slot, const InterfaceHost::Group& group) {
    host.start_group(slot, group, datasheet::csg::State::kStart);
    settle();
    ASSERT_TRUE(host.is_acknowledged(slot));
    services.take_interrupts();
  }

  // Appends `words` to the ring of queue `n` and rings the doorbell of `slot`; does not run.
  void submit(std::uint32_t slot, std::uint32_t n, const Program& words) {
    std::uint64_t insert = host.insert_of(queue(n));
    for (const std::uint64_t word : words) {
      memory.poke(as_, queue(n).ring_base + insert % kRingBytes, word);
      insert += 8;
    }
    host.submit(slot, queue(n), insert);
  }
  // A job as Panthor makes it, of `words`, which replace what is in the code page of the queue.
  void submit_job(std::uint32_t slot, std::uint32_t n, const Program& words) {
    memory.poke_words(as_, code(n), words);
    submit(slot, n, wrapped(0, code(n), static_cast<std::uint32_t>(8 * words.size()), sync(n)));
  }
  void use_address_space(AsIndex as) { as_ = as; }
  std::uint64_t seqno(std::uint32_t n) { return memory.peek<std::uint64_t>(as_, sync(n)); }
  std::uint32_t sync_status(std::uint32_t n) {
    return memory.peek<std::uint32_t>(as_, sync(n) + 8);
  }
  std::uint32_t data32(std::uint32_t n, std::uint64_t offset) {
    return memory.peek<std::uint32_t>(as_, data(n) + offset);
  }

  RunState run(std::uint32_t budget) { return firmware.run(budget, services.time); }
  // Runs until there is nothing left to do now.
  RunState settle() {
    for (int i = 0; i < 1000; ++i) {
      const RunState state = run(10'000);
      if (state.kind != RunState::Kind::kBusy) return state;
    }
    ADD_FAILURE() << "busy for ever";
    return {};
  }
  // Lets `span` pass, running when the firmware asks for it.
  void pass(Duration span) {
    const TimePoint end = services.time + span;
    for (RunState state = settle(); state.until <= end; state = settle()) {
      services.time = std::max(services.time + nanoseconds(1), state.until);
    }
    services.time = std::max(services.time, end);
    settle();
  }

  std::uint32_t load(std::uint32_t va) override {
    return memory.peek<std::uint32_t>(kMcu, GpuVa{va});
  }
  void store(std::uint32_t va, std::uint32_t value) override {
    memory.poke(kMcu, GpuVa{va}, value);
  }
  void ring(std::uint32_t page) override { firmware.doorbell(page); }

  Quirks quirks;
  FlatMemory memory;
  ScriptedServices services;
  Firmware firmware;
  InterfaceHost host;

 private:
  std::array<InterfaceHost::Queue, kQueues> queues_;
  AsIndex as_ = kAs;
};

}  // namespace pantry::emu
