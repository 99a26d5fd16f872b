// SPDX-License-Identifier: MIT
//
// For tests: a driver for GpuRig, as register sequences: those of Linux 6.12 unless said otherwise.
// A sequence that a driver would give up returns false. Time passes while it polls.
#pragma once

#include <array>
#include <cstdint>

#include "gpu_emu/cs/stream_fixture.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/gpu_rig.h"
#include "gpu_emu/mcu/interface_host.h"

namespace pantry::emu {

class GpuHost final : public GpuRig {
 public:
  static constexpr std::uint32_t kSuspendBuffer = kMcuVa + 0x8'0000;
  // In the user's window: two rings, then a page of code, of data and of sync objects.
  static constexpr GpuVa kCode{kUserVa + 0x4'0000};
  static constexpr GpuVa kData{kUserVa + 0x5'0000};
  static constexpr GpuVa kSync{kUserVa + 0x6'0000};
  static constexpr std::uint32_t kGpuMask = 0x2'0103;
  static constexpr std::uint32_t kRingBytes = 4096;

  explicit GpuHost(StreamPolicy policy) : GpuHost(Quirks{}, policy) {}
  GpuHost(const Quirks& quirks, StreamPolicy policy) : GpuRig(quirks, policy), host(*this) {}

  [[nodiscard]] bool power_l2_on() {
    namespace regs = datasheet::gpu_control;
    const auto is = [&](datasheet::Register reg, std::uint32_t value) {
      return poll(microseconds(100), milliseconds(20),
                  [&] { return (read(reg.offset) & 1) == value; });
    };
    if (!is(regs::kL2PwrTrans, 0)) return false;
    write(regs::kL2PwrOn.offset, 1);
    return is(regs::kL2Ready, 1);
  }
  void unmask_gpu() {
    write(datasheet::gpu_control::kIrqClear.offset, kGpuMask);
    write(datasheet::gpu_control::kIrqMask.offset, kGpuMask);
  }
  void unmask_mmu() {
    write(datasheet::mmu_int::kClear.offset, 0xffff);
    write(datasheet::mmu_int::kMask.offset, 0xffff);
  }
  [[nodiscard]] bool as_command(std::uint32_t as, std::uint32_t command) {
    namespace regs = datasheet::address_space;
    const bool idle = poll(microseconds(10), milliseconds(100),
                           [&] { return !(read(regs::offset_of(as, regs::kStatus)) & 1); });
    write(regs::offset_of(as, regs::kCommand), command);
    return idle;
  }
  [[nodiscard]] bool configure_as(std::uint32_t as, std::uint64_t transtab, std::uint64_t memattr,
                                  std::uint64_t transcfg) {
    namespace regs = datasheet::address_space;
    write64(regs::offset_of(as, regs::kLockaddr), 0x3f);
    if (!as_command(as, 2) || !as_command(as, 5)) return false;
    write64(regs::offset_of(as, regs::kTranstab), transtab);
    write64(regs::offset_of(as, regs::kMemattr), memattr);
    write64(regs::offset_of(as, regs::kTranscfg), transcfg);
    return as_command(as, 1);
  }
  [[nodiscard]] bool enable_as(std::uint32_t as, std::uint64_t root) {
    return configure_as(as, root, kMemattr, kTranscfg48);
  }
  [[nodiscard]] bool disable_as(std::uint32_t as) { return configure_as(as, 0, 0, 1); }
  // From AS0 enabled to GLB initialised.
  [[nodiscard]] bool boot_mcu() {
    namespace job = datasheet::job_int;
    write(job::kClear.offset, ~0u);
    write(job::kMask.offset, ~0u);
    write(datasheet::gpu_control::kMcuControl.offset, 2);
    if (!poll(microseconds(10), seconds(1), [&] { return job_line.level; })) return false;
    if (take_job_interrupts() != job::Global::kMask) return false;
    host.init_global();
    settle();
    take_job_interrupts();
    return true;
  }
  // All of it, as at probe.
  void bring_up() {
    unmask_gpu();
    unmask_mmu();
    ASSERT_TRUE(power_l2_on());
    ASSERT_TRUE(enable_as(0, mcu_root));
    ASSERT_TRUE(boot_mcu());
  }
  // The hard and the threaded handler in one, without handling.
  std::uint32_t take_job_interrupts() {
    namespace job = datasheet::job_int;
    if (read(job::kStatus.offset) == 0) return 0;
    write(job::kMask.offset, 0);
    const std::uint32_t bits = read(job::kRawstat.offset);
    write(job::kClear.offset, bits);
    write(job::kMask.offset, ~0u);
    return bits;
  }
  // GPU_COMMAND, then its interrupt, which is cleared.
  [[nodiscard]] bool command_and_wait(std::uint32_t command, std::uint32_t bit) {
    namespace regs = datasheet::gpu_control;
    write(regs::kIrqClear.offset, bit);
    write(regs::kCommand.offset, command);
    const bool done = poll(microseconds(10), milliseconds(100), [&] {
      return gpu_line.level && (read(regs::kIrqRawstat.offset) & bit) != 0;
    });
    write(regs::kIrqClear.offset, bit);
    return done;
  }
  [[nodiscard]] bool flush_caches() { return command_and_wait(0x1104, 1u << 17); }
  [[nodiscard]] bool soft_reset() { return command_and_wait(0x101, 1u << 8); }
  [[nodiscard]] bool stop_mcu() {
    namespace regs = datasheet::gpu_control;
    write(regs::kMcuControl.offset, 0);
    return poll(microseconds(10), milliseconds(100),
                [&] { return read(regs::kMcuStatus.offset) == 0; });
  }

  // --- Groups
  static InterfaceHost::Queue queue(std::uint32_t n) {
    return {.ring_base = GpuVa{kUserVa + 0x1'0000 * std::uint64_t{n}},
            .ring_bytes = kRingBytes,
            .pages = kMcuVa + 0x6'0000 + 0x2000 * n};
  }
  InterfaceHost::Group group(std::uint32_t queues, std::uint8_t as) {
    queues_ = {queue(0), queue(1)};
    return {.queues = std::span(queues_).first(queues),
            .address_space = {as},
            .suspend_buffer = kSuspendBuffer};
  }
  [[nodiscard]] bool request(std::uint32_t slot, datasheet::csg::State state) {
    host.request_state(slot, state);
    host.ring_groups(1u << slot);
    return poll(microseconds(10), milliseconds(100), [&] { return host.is_acknowledged(slot); });
  }
  [[nodiscard]] bool start(std::uint32_t slot, const InterfaceHost::Group& group,
                           datasheet::csg::State state) {
    host.start_group(slot, group, state);
    return poll(microseconds(10), milliseconds(100), [&] { return host.is_acknowledged(slot); });
  }
  // Appends words to the ring of queue `n` and rings the doorbell of `slot`.
  void submit(std::uint32_t slot, std::uint32_t n, const Program& words) {
    std::uint64_t insert = host.insert_of(queue(n));
    for (const std::uint64_t word : words) {
      put_user(queue(n).ring_base + insert % kRingBytes, std::span(&word, 1));
      insert += 8;
    }
    host.submit(slot, queue(n), insert);
  }
  // A job; `stream` replaces what is in the code page.
  void submit_job(std::uint32_t slot, std::uint32_t n, const Program& stream) {
    put_user(kCode, stream);
    submit(slot, n, wrapped(0, kCode, static_cast<std::uint32_t>(8 * stream.size()), sync(n)));
  }
  static GpuVa sync(std::uint32_t n) { return kSync + 16 * std::uint64_t{n}; }
  std::uint64_t seqno(std::uint32_t n) { return user64(sync(n)); }

  InterfaceHost host;

 private:
  std::array<InterfaceHost::Queue, 2> queues_;
};

}  // namespace pantry::emu
