// SPDX-License-Identifier: MIT
//
// For tests and fuzzers only: VMs on memory of their own and a fake of the address-space blocks,
// under any executor.
#pragma once

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "driver/gem/arena_backing.h"
#include "driver/gem/buffer_store.h"
#include "driver/kernel/executor.h"
#include "driver/mmu/fake_as_block.h"
#include "driver/provision/page_pool.h"
#include "driver/vm/shrinker.h"
#include "driver/vm/vm.h"

namespace pantry::driver {

class VmTestBed : private VmFaultListener {
 public:
  using Placement = FrameAllocator::Placement;
  static constexpr std::uint64_t kDramBytes = 64 * kMiB;
  static constexpr PhysAddr kBase{0x8000'0000};

  VmTestBed(Executor& on, Placement placement, Provisioning provisioning)
      : executor(on),
        frames({kBase, kDramBytes}, {placement, 11, nullptr}),
        pages(frames, dram),
        spaces(block, on.clock(), 0x0f, block, block),
        cleanup(on.lane(Lane::kCleanup)),
        device{.executor = on,
               .cleanup = cleanup,
               .dram = dram,
               .spaces = spaces,
               .buffers = buffers,
               .pages = pages,
               .fault_listener = *this,
               .provisioning = provisioning,
               .shrinker = &shrinker} {
    frames.set_reclaimer(&shrinker);
    spaces.unmask_interrupts();
  }
  ~VmTestBed() { munmap(dram.host, kDramBytes); }
  VmTestBed(const VmTestBed&) = delete;
  VmTestBed& operator=(const VmTestBed&) = delete;

  // Until every queued bind has run and what it left over is freed.
  void settle() {
    executor.lane(Lane::kBind).drain();
    cleanup.drain();
  }

  // Once every VM and buffer is gone: what a correct driver would have given back or would not have
  // done, or null.
  const char* left_behind() {
    settle();
    if (buffers.totals() != BufferStore::Totals{}) return "buffers";
    if (pages.statistics().lent != 0) return "table pages";
    pages.trim(0);
    if (frames.statistics().used != 0) return "frames";
    if (block.mistake()) return block.mistake();
    return block.resets() != 0 ? "a GPU that was reset" : nullptr;
  }

  Ref<Vm> new_vm() { return Vm::create(device, 0).value(); }
  Ref<Vm> new_vm(Provisioning provisioning) { return Vm::create(device, 0, provisioning).value(); }
  Ref<Buffer> new_buffer(std::uint64_t size) { return buffers.create(size, 0, nullptr).value(); }

  static BindOp map(GpuVa va, std::uint64_t size, const Ref<Buffer>& buffer, std::uint64_t offset,
                    Prot prot) {
    BindOp op;
    op.type = BindType::kMap;
    op.range = GpuRange::of_size(va, size);
    op.buffer = buffer;
    op.buffer_offset = offset;
    op.prot = prot;
    return op;
  }
  static BindOp unmap(GpuVa va, std::uint64_t size) {
    BindOp op;
    op.type = BindType::kUnmap;
    op.range = GpuRange::of_size(va, size);
    return op;
  }

  // What a page of a VM shows, through the page table.
  struct Page {
    PhysAddr frame;
    Prot prot = Prot::kNone;
    bool operator==(const Page&) const = default;
  };
  static std::optional<Page> page(const Vm& vm, GpuVa va) {
    const auto translation = vm.translate(va);
    if (!translation) return std::nullopt;
    return Page{translation->frame, translation->prot};
  }
  // The frame of the page at `offset` of a buffer.
  static PhysAddr frame_of(const Buffer& buffer, std::uint64_t offset) {
    for (const PhysExtent& extent : buffer.frames()) {
      if (offset < extent.size) return extent.start + offset;
      offset -= extent.size;
    }
    return {};
  }

  struct Mapped {
    GpuRange range;
    const Buffer* buffer = nullptr;
    std::uint64_t offset = 0;
    Prot prot = Prot::kNone;
    MappingOwner owner = MappingOwner::kUser;
    bool operator==(const Mapped&) const = default;
  };
  static std::vector<Mapped> mappings(const Vm& vm) {
    class Collect final : public Vm::MappingVisitor {
     public:
      void visit(const Vm::MappingView& view) override {
        all.push_back({view.range, view.buffer, view.buffer_offset, view.prot, view.owner});
      }
      std::vector<Mapped> all;
    } collect;
    vm.for_each_mapping(collect);
    return collect.all;
  }
  static std::uint32_t table_pages(const Vm& vm) {
    std::uint32_t sum = 0;
    for (const std::uint32_t tables : vm.tables().tables_by_level) sum += tables;
    return sum;
  }

  Executor& executor;
  const emu::Dram dram{
      kBase, kDramBytes,
      static_cast<std::uint8_t*>(mmap(nullptr, kDramBytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))};
  FrameAllocator frames;
  ArenaBacking backing{dram};
  BufferStore buffers{frames, dram, backing};
  PagePool pages;
  Shrinker shrinker{buffers, pages};  // without swap until a test gives it some
  FakeAsBlock block;
  AddressSpaces spaces;
  Cleanup cleanup;
  VmDevice device;
  std::atomic<int> faults{0};

 private:
  void on_vm_fault(Vm&, const MmuFault&) noexcept override { ++faults; }
};

}  // namespace pantry::driver
