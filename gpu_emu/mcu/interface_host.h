// SPDX-License-Identifier: MIT
//
// For tests: the driver's half of the firmware interface, as Linux 6.12 plays it: groups, their
// jobs and their events. Every handled event is followed by the global doorbell.
//
// Not thread-safe. Nothing here allocates.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/types.h"
#include "gpu_emu/mcu/host_requests.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

class InterfaceHost : public HostRequests {
 public:
  explicit InterfaceHost(InterfacePort& port) : HostRequests(port) {}

  struct Queue {
    GpuVa ring_base;
    std::uint32_t ring_bytes = 0;
    std::uint32_t pages = 0;  // firmware address of the input page; the output page follows
    std::uint8_t priority = 0;
  };
  struct Group {
    std::span<const Queue> queues;
    AsIndex address_space;
    std::uint8_t priority = 0;
    std::uint32_t suspend_buffer = 0;  // firmware address
  };
  // Everything that a slot needs, and the request itself; does not ring.
  void program_group(std::uint32_t slot, const Group& group, datasheet::csg::State state) {
    using datasheet::csg::Request;
    namespace in = datasheet::csg::input;
    for (std::uint32_t i = 0; i < group.queues.size(); ++i) program_queue(slot, i, group.queues[i]);
    const HostBlock input = csg_input(slot);
    input.store64(in::kAllowCompute, 0x5'0005);
    input.store64(in::kAllowFragment, 0x5'0005);
    input.store(in::kAllowOther, 1);
    input.store(in::kEndpointReq, 0x0001'0404 | std::uint32_t{group.priority} << 28);
    input.store64(in::kSuspendBuf, group.suspend_buffer);
    input.store(in::kConfig, group.address_space.value);
    input.store(in::kAckIrqMask, ~std::uint32_t{0});
    toggle_streams(slot, (1u << group.queues.size()) - 1);
    request_state(slot, state);
    toggle_group(slot, Request::EndpointConfig::kMask);
  }
  void start_group(std::uint32_t slot, const Group& group, datasheet::csg::State state) {
    program_group(slot, group, state);
    ring_groups(1u << slot);
  }
  struct Events {
    std::uint32_t group = 0;                 // bits of CSG req
    std::array<std::uint32_t, 8> streams{};  // bits of CS req
    bool operator==(const Events&) const = default;
  };
  // What a JOB_INT bit of the slot is about, without answering it.
  Events pending_events(std::uint32_t slot) const {
    Events events;
    events.group = (csg_input(slot).load(datasheet::csg::input::kReq) ^
                    csg_output(slot).load(datasheet::csg::output::kAck)) &
                   datasheet::csg::Request::kEventMask;
    const std::uint32_t interrupts = csg_input(slot).load(datasheet::csg::input::kCsIrqAck) ^
                                     csg_output(slot).load(datasheet::csg::output::kCsIrqReq);
    for (std::uint32_t i = 0; i < 8; ++i) {
      if ((interrupts >> i & 1) == 0) continue;
      events.streams[i] = (cs_input(slot, i).load(datasheet::cs::input::kReq) ^
                           cs_output(slot, i).load(datasheet::cs::output::kAck)) &
                          datasheet::cs::Request::kEventMask;
    }
    return events;
  }
  // Answers all of them but TILER_OOM (answer_heap), and rings if there were any.
  Events answer_events(std::uint32_t slot) {
    using datasheet::cs::Request;
    const Events events = pending_events(slot);
    if (events == Events{}) return events;
    const HostBlock input = csg_input(slot);
    namespace in = datasheet::csg::input;
    input.store(in::kReq, input.load(in::kReq) ^ events.group);
    input.store(in::kCsIrqAck, csg_output(slot).load(datasheet::csg::output::kCsIrqReq));
    std::uint32_t doorbells = 0;
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::uint32_t answered =
          events.streams[i] & (Request::Fatal::kMask | Request::Fault::kMask);
      const HostBlock stream = cs_input(slot, i);
      stream.store(datasheet::cs::input::kReq, stream.load(datasheet::cs::input::kReq) ^ answered);
      if (events.streams[i] & Request::Fault::kMask) doorbells |= 1u << i;
    }
    toggle_streams(slot, doorbells);
    ring_groups(1u << slot);
    return events;
  }
  // 0 for both chunk words: there is no memory.
  void answer_heap(std::uint32_t slot, std::uint32_t stream, std::uint64_t first,
                   std::uint64_t last) {
    using datasheet::cs::Request;
    const HostBlock input = cs_input(slot, stream);
    input.store64(datasheet::cs::input::kHeapStart, first);
    input.store64(datasheet::cs::input::kHeapEnd, last);
    const std::uint32_t ack = cs_output(slot, stream).load(datasheet::cs::output::kAck);
    const std::uint32_t request = input.load(datasheet::cs::input::kReq);
    input.store(datasheet::cs::input::kReq,
                (request & ~Request::TilerOom::kMask) | (ack & Request::TilerOom::kMask));
    toggle_streams(slot, 1u << stream);
    ring_groups(1u << slot);
  }

  std::uint64_t insert_of(const Queue& queue) const {
    return HostBlock(port_, queue.pages).load64(datasheet::cs::queue_input::kInsert);
  }
  std::uint64_t extract_of(const Queue& queue) const {
    return output_page(queue).load64(datasheet::cs::queue_output::kExtract);
  }
  bool is_active(const Queue& queue) const {
    return output_page(queue).load(datasheet::cs::queue_output::kActive) != 0;
  }
  // The ring words up to `insert` are written. Rings the slot's own doorbell.
  void submit(std::uint32_t slot, const Queue& queue, std::uint64_t insert) {
    const HostBlock input(port_, queue.pages);
    input.store64(datasheet::cs::queue_input::kExtractInit, extract_of(queue));
    input.store64(datasheet::cs::queue_input::kInsert, insert);
    port_.ring(slot + 1);
  }

 private:
  HostBlock output_page(const Queue& queue) const {
    return {port_, queue.pages + static_cast<std::uint32_t>(kPageSize)};
  }
  void program_queue(std::uint32_t slot, std::uint32_t stream, const Queue& queue) {
    namespace in = datasheet::cs::input;
    const HostBlock input = cs_input(slot, stream);
    HostBlock(port_, queue.pages)
        .store64(datasheet::cs::queue_input::kExtractInit, extract_of(queue));
    input.store64(in::kRingbufBase, queue.ring_base.value);
    input.store(in::kRingbufSize, queue.ring_bytes);
    input.store64(in::kRingbufInput, queue.pages);
    input.store64(in::kRingbufOutput, queue.pages + kPageSize);
    input.store(in::kConfig, queue.priority | (slot + 1) << 8);
    input.store(in::kAckIrqMask, ~std::uint32_t{0});
    // IDLE_SYNC_WAIT | IDLE_EMPTY | EXTRACT_EVENT | START, whatever else stands there.
    const std::uint32_t request = input.load(in::kReq) & datasheet::cs::Request::kEventMask;
    input.store(in::kReq, request | 0x511);
  }
};

}  // namespace pantry::emu
