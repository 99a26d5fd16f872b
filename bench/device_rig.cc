// SPDX-License-Identifier: MIT
#include "bench/device_rig.h"

#include <array>
#include <chrono>
#include <cstring>

#include "base/check.h"
#include "gpu_emu/datasheet/builder.h"
#include "gpu_emu/datasheet/cs_instruction.h"
#include "gpu_emu/datasheet/doorbell.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/job_int.h"

namespace pantry::bench {
namespace {

namespace isa = datasheet::isa;
namespace regs = datasheet::gpu_control;
namespace as_regs = datasheet::address_space;
namespace job_int = datasheet::job_int;

constexpr std::uint32_t kSectionVa = datasheet::firmware_interface::kSharedSectionVa;
constexpr std::uint32_t kQueuePages = kSectionVa + 0x6'0000;
constexpr std::uint32_t kSuspendBuffer = kSectionVa + 0x8'0000;

}  // namespace

DeviceRig::DeviceRig(const emu::Quirks& quirks)
    : section_root_(new_table()),
      user_root_(new_table()),
      gpu_(datasheet::kMaliG610, quirks, ports(), emu::StreamPolicy::kAll),
      host_(*this) {
  for (std::uint64_t at = 0; at < kMiB; at += kPageSize) {
    map_leaf(section_root_, kSectionVa + at, (kSectionPa + at) | emu::kPageRw | emu::kNoExecute, 3);
    map_leaf(user_root_, kQueueVa + at, (kQueuePa + at) | emu::kPageRw, 3);
  }
  gpu_.write32(regs::kL2PwrOn.offset, 1);
  run_until([&] { return gpu_.read32(regs::kL2Ready.offset) != 0; });
  enable_address_space(0, section_root_);
  enable_address_space(1, user_root_);
  gpu_.write32(job_int::kMask.offset, ~0u);
  gpu_.write32(regs::kMcuControl.offset, 2);
  run_until([&] { return take_job_interrupts() == job_int::Global::kMask; });
  host_.init_global();
  const std::array queues{queue()};
  host_.start_group(kSlot,
                    {.queues = queues, .address_space = {1}, .suspend_buffer = kSuspendBuffer},
                    datasheet::csg::State::kStart);
  run_until([&] { return host_.is_acknowledged(kSlot); });
}

emu::HostPorts DeviceRig::ports() {
  return {.dram = memory_.dram(),
          .gpu_irq = this,
          .job_irq = this,
          .mmu_irq = this,
          .user_page = {&user_page_},
          .wake = this,
          .time = this};
}

emu::InterfaceHost::Queue DeviceRig::queue() const {
  return {.ring_base = GpuVa{kQueueVa}, .ring_bytes = kRingBytes, .pages = kQueuePages};
}

TimePoint DeviceRig::now() {
  return {std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count()};
}

std::uint64_t DeviceRig::new_table() { return next_table_ += kPageSize; }

void DeviceRig::map_leaf(std::uint64_t root, std::uint64_t va, std::uint64_t leaf, unsigned level) {
  std::uint64_t table = root;
  for (unsigned at = 0;; ++at) {
    std::uint64_t& entry = memory_.word(table + (va >> emu::level_shift(at) & 0x1ff) * 8);
    if (at == level) {
      entry = leaf;
      return;
    }
    if (entry == 0) entry = new_table() | 3;
    PANTRY_CHECK((entry & 3) == 3 && next_table_ < kSectionPa);
    table = entry & 0xffff'ffff'f000;
  }
}

void DeviceRig::map(std::uint64_t va, std::uint64_t pa, std::uint64_t bytes, unsigned level) {
  PANTRY_CHECK(pa >= kFreeMemory && level <= 3);
  const std::uint64_t step = std::uint64_t{1} << emu::level_shift(level);
  for (std::uint64_t at = 0; at < bytes; at += step)
    map_leaf(user_root_, va + at, (pa + at) | (level == 3 ? emu::kPageRw : emu::kBlockRw), level);
}

void DeviceRig::enable_address_space(std::uint32_t as, std::uint64_t root) {
  gpu_.write64(as_regs::offset_of(as, as_regs::kTranstab), root);
  gpu_.write64(as_regs::offset_of(as, as_regs::kMemattr), emu::kMemattr);
  gpu_.write64(as_regs::offset_of(as, as_regs::kTranscfg), emu::kTranscfg48);
  gpu_.write32(as_regs::offset_of(as, as_regs::kCommand),
               static_cast<std::uint32_t>(as_regs::Command::kUpdate));
  run_until([&] {
    return !as_regs::Status::Active::get(gpu_.read32(as_regs::offset_of(as, as_regs::kStatus)));
  });
}

template <class Done>
void DeviceRig::run_until(Done done) {
  const TimePoint limit = now() + seconds(10);
  while (!done()) {
    gpu_.run(1 << 20);
    PANTRY_CHECK(now() < limit);
  }
}

std::uint32_t DeviceRig::take_job_interrupts() {
  const std::uint32_t bits = gpu_.read32(job_int::kRawstat.offset);
  if (bits != 0) gpu_.write32(job_int::kClear.offset, bits);
  return bits;
}

std::uint32_t DeviceRig::load(std::uint32_t va) {
  auto& word = *reinterpret_cast<std::uint32_t*>(host(kSectionPa + (va - kSectionVa)));
  return std::atomic_ref(word).load();
}
void DeviceRig::store(std::uint32_t va, std::uint32_t value) {
  auto& word = *reinterpret_cast<std::uint32_t*>(host(kSectionPa + (va - kSectionVa)));
  std::atomic_ref(word).store(value);
}
void DeviceRig::ring(std::uint32_t page) { gpu_.write32(datasheet::doorbell::offset_of(page), 1); }

void DeviceRig::load(std::span<const std::uint64_t> stream) {
  stream_bytes_ = static_cast<std::uint32_t>(stream.size_bytes());
  PANTRY_CHECK(stream_bytes_ <= 64 * kKiB);
  std::memcpy(host(kQueuePa + (kStreamVa - kQueueVa)), stream.data(), stream_bytes_);
}

void DeviceRig::run_job() {
  constexpr auto kBoth = datasheet::CacheFlush::kCleanInvalidate;
  std::array<std::uint64_t, 16> words;
  datasheet::CsBuilder job(words);
  job.add(isa::Move32{.dst = isa::r(94), .imm = 0});
  job.add(isa::FlushCache2{.l2 = kBoth,
                           .load_store = kBoth,
                           .other = datasheet::CacheFlush::kInvalidate,
                           .flush_id = isa::r(94)});
  job.add(isa::Move48{.dst = isa::d(92), .imm = kStreamVa});
  job.add(isa::Move32{.dst = isa::r(94), .imm = stream_bytes_});
  job.add(isa::Wait{.mask = {1}});
  job.add(isa::Call{.address = isa::d(92), .length = isa::r(94)});
  job.add(isa::Move48{.dst = isa::d(92), .imm = kSyncVa});
  job.add(isa::Move48{.dst = isa::d(94), .imm = 1});
  job.add(isa::Wait{.mask = isa::kAllScoreboards});
  job.add(isa::SyncAdd64{.address = isa::d(92), .data = isa::d(94), .error_propagate = true});
  job.add(isa::ErrorBarrier{});
  job.pad_to_multiple_of(16);

  std::uint64_t insert = host_.insert_of(queue());
  std::memcpy(host(kQueuePa + insert % kRingBytes), words.data(), sizeof words);
  auto& fence = *reinterpret_cast<std::uint64_t*>(host(kQueuePa + (kSyncVa - kQueueVa)));
  const std::uint64_t wanted = std::atomic_ref(fence).load() + 1;
  host_.submit(kSlot, queue(), insert + sizeof words);
  // The slot's bit also tells of idleness.
  run_until([&] {
    return (take_job_interrupts() >> kSlot & 1) != 0 && std::atomic_ref(fence).load() == wanted;
  });
  host_.answer_events(kSlot);
}

}  // namespace pantry::bench
