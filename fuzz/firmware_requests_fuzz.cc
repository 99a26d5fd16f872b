// SPDX-License-Identifier: MIT
//
// The firmware with a host that writes anything into the control interface, rings any doorbell and
// takes pages away. Words are aimed at the blocks that the firmware reads, most of them small
// changes of what a sane host would write: a group with two queues is running when it begins.
#include <array>

#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/quiet_start.h"
#include "gpu_emu/cs/flat_memory.h"
#include "gpu_emu/cs/scripted_services.h"
#include "gpu_emu/mcu/firmware.h"
#include "gpu_emu/mcu/interface_host.h"
#include "gpu_emu/mcu/layout.h"

namespace {

using namespace pantry;
using namespace pantry::emu;

constexpr AsIndex kMcu{0};
constexpr AsIndex kUser{2};
constexpr std::uint32_t kSection = datasheet::firmware_interface::kSharedSectionVa;
constexpr std::uint32_t kQueuePages = 0x0480'0000;
constexpr std::uint32_t kSuspendBuffer = 0x0490'0000;
constexpr GpuVa kUserMemory{0x100'0000};  // a ring per queue, then streams and data
constexpr std::uint64_t kUserBytes = 8 * kPageSize;

struct Port final : InterfacePort {
  FlatMemory memory;
  Firmware* firmware = nullptr;
  // The control blocks, which say where the others are, may have been overwritten.
  std::uint32_t load(std::uint32_t va) override {
    std::uint32_t value = 0;
    if (va % 4 == 0) (void)memory.GpuMemory::load(kMcu, GpuVa{va}, value);
    return value;
  }
  void store(std::uint32_t va, std::uint32_t value) override {
    if (va % 4 == 0) (void)memory.GpuMemory::store(kMcu, GpuVa{va}, value);
  }
  void ring(std::uint32_t page) override { firmware->doorbell(page); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Port port;
  ScriptedServices services;
  Quirks quirks;
  constexpr std::uint32_t kBytesPerVertex[] = {64, 0, 1 << 20};
  quirks.tiler_bytes_per_vertex = kBytesPerVertex[input.below(std::size(kBytesPerVertex))];
  Firmware firmware(quirks, port.memory, services, StreamPolicy::kAll);
  port.firmware = &firmware;
  port.memory.map(kMcu, GpuVa{kSection}, layout::kSectionBytes);
  port.memory.map(kMcu, GpuVa{kQueuePages}, 4 * kPageSize);
  port.memory.map(kMcu, GpuVa{kSuspendBuffer}, 16 * kPageSize);
  port.memory.map(kUser, kUserMemory, kUserBytes);
  const auto settle = [&] {
    // A stream may be busy for ever.
    for (int i = 0; i < 20; ++i)
      if (firmware.run(500, services.time).kind != RunState::Kind::kBusy) return;
  };
  firmware.start();
  settle();
  InterfaceHost host(port);
  host.init_global();
  settle();
  const std::array queues{
      InterfaceHost::Queue{.ring_base = kUserMemory, .ring_bytes = 4096, .pages = kQueuePages},
      InterfaceHost::Queue{
          .ring_base = kUserMemory + kPageSize, .ring_bytes = 4096, .pages = kQueuePages + 0x2000}};
  host.start_group(0, {.queues = queues, .address_space = kUser, .suspend_buffer = kSuspendBuffer},
                   datasheet::csg::State::kStart);
  settle();

  for (int step = 0; step < 200 && !input.is_over(); ++step) {
    const std::uint8_t what = input.take<std::uint8_t>();
    const std::uint32_t slot = what >> 4 & 7;
    switch (what & 15) {
      case 0:
      case 1:
      case 2: {  // any word of the section
        const std::uint32_t at = input.take<std::uint16_t>() % layout::kSectionBytes / 4 * 4;
        port.store(kSection + at, input.take<std::uint32_t>());
        break;
      }
      case 3: {  // a bit of a slot's request
        const HostBlock block = host.csg_input(slot);
        namespace in = datasheet::csg::input;
        block.store(in::kReq, block.load(in::kReq) ^ 1u << input.below(32));
        break;
      }
      case 4: {  // a word of a slot's input
        host.csg_input(slot).store(static_cast<datasheet::Offset>(input.below(24) * 4),
                                   input.take<std::uint32_t>());
        break;
      }
      case 5:
        host.cs_input(slot, input.below(8))
            .store(static_cast<datasheet::Offset>(input.below(24) * 4),
                   input.take<std::uint32_t>());
        break;
      case 6: {  // a bit of a queue's request
        const HostBlock block = host.cs_input(slot, input.below(8));
        namespace in = datasheet::cs::input;
        block.store(in::kReq, block.load(in::kReq) ^ 1u << input.below(32));
        break;
      }
      case 7:
        host.toggle_streams(slot, input.take<std::uint8_t>());
        host.ring_groups(1u << slot);
        break;
      case 8:
        firmware.doorbell(input.below(24));
        break;
      case 9:  // words of the ring, code and data
        port.memory.poke(kUser, kUserMemory + input.take<std::uint16_t>() % kUserBytes / 8 * 8,
                         input.take<std::uint64_t>());
        break;
      case 10: {  // INSERT and its neighbours
        const std::uint32_t page = kQueuePages + 0x2000 * (slot & 1);
        port.store(page + input.below(8) * 4, input.take<std::uint16_t>());
        break;
      }
      case 11:
        services.time = services.time + microseconds(input.take<std::uint16_t>());
        break;
      case 12: {
        const GpuVa page = kUserMemory + kPageSize * slot;
        port.memory.answer_page(kUser, page, static_cast<MemoryStatus>(input.below(3)));
        break;
      }
      case 13:  // of the suspend buffer
        port.store(kSuspendBuffer + input.take<std::uint16_t>() / 4 * 4,
                   input.take<std::uint32_t>());
        break;
      case 14:
        host.answer_events(slot);
        break;
      default:
        if (slot == 7) {
          firmware.reset();
          firmware.start();
        } else {
          host.start_group(
              slot,
              {.queues = queues,
               .address_space = {input.below(16)},
               .suspend_buffer = kSuspendBuffer},
              input.below(2) == 0 ? datasheet::csg::State::kStart : datasheet::csg::State::kResume);
        }
        break;
    }
    settle();
    (void)firmware.dump();
  }
  return 0;
}
