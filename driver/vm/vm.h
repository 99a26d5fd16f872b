// SPDX-License-Identifier: MIT
//
// A GPU virtual address space: a VA tree, a page table, a bind queue, and the kernel's own area at the top of it.
//
// Synchronous binds run in the caller between the queued asynchronous ones; both run under the operation lock of the VM,
// which is never held across an allocation. Asynchronous binds of one VM run strictly in order on its bind queue, inside a
// SignallingSection. A failing asynchronous bind makes the VM unusable for good (panthor-uapi.md C.4); a fault does not.
#pragma once

#include <memory>

#include "driver/kernel/executor.h"
#include "driver/mmu/region_lock.h"
#include "driver/sched/job_queue.h"
#include "driver/vm/bind_plan.h"

namespace pantry::driver {

class PagePool;
class Vm;

// Told about faults of any VM, on the interrupt lane: queues the scheduler's tick.
class VmFaultListener {
 public:
  // `vm` is alive during the call, but its last reference may be gone already: take none.
  virtual void on_vm_fault(Vm& vm, const MmuFault& fault) noexcept = 0;

 protected:
  ~VmFaultListener() = default;
};

// What every VM of a device shares. Outlives them.
struct VmDevice {
  Executor& executor;
  Cleanup& cleanup;
  emu::Dram dram;
  AddressSpaces& spaces;
  BufferStore& buffers;
  PagePool& pages;
  VmFaultListener& fault_listener;
  std::uint32_t va_bits = 48;
  std::uint32_t pa_bits = 40;
  enum class Coherency { kNone, kIo } coherency = Coherency::kNone;
};

// A buffer of the driver's own, mapped in the kernel area of a VM (or at a fixed address of the MCU's). Unmapped and freed
// when destroyed, which needs no memory and cannot fail. Destroying it takes the operation lock of the VM, polls the device
// and frees: outside any SignallingSection (CHECK), and under no lock that is taken inside one.
class KernelMapping {
 public:
  KernelMapping() = default;
  KernelMapping(KernelMapping&&) noexcept = default;
  KernelMapping& operator=(KernelMapping&& other) noexcept;
  ~KernelMapping();

  explicit operator bool() const { return static_cast<bool>(buffer_); }
  GpuVa va() const { return range_.first; }
  std::uint64_t size() const { return range_.size(); }
  Buffer& buffer() const { return *buffer_; }
  // Host address of the whole buffer.
  void* cpu() const { return buffer_->cpu(0, buffer_->size()); }

 private:
  Ref<Vm> vm_;
  Ref<Buffer> buffer_;
  GpuRange range_;

  friend class Vm;
  KernelMapping(Ref<Vm> vm, Ref<Buffer> buffer, GpuRange range);
};

class Vm final : public RefCounted, private AsOwner {
 public:
  // VM_CREATE. EINVAL from split_va, ENOMEM.
  static Result<Ref<Vm>> create(VmDevice& device, std::uint64_t requested_user_size) PANTRY_MAY_ALLOCATE;
  // The firmware's VM: 4 GiB, kernel mappings placed automatically in 0x04000000..0x07ffffff, no bind queue.
  static Result<Ref<Vm>> create_mcu(VmDevice& device) PANTRY_MAY_ALLOCATE;

  const VaSplit& split() const;
  const Ref<Reservation>& reservation() const;
  // Set by a failed asynchronous bind, for good.
  bool unusable() const noexcept;
  bool destroyed() const noexcept;

  // Synchronous bind of a validated op: prepare, run, give back. EINVAL: MAP on an unusable VM. Blocks for memory.
  Result<> bind_now(BindOp op) PANTRY_MAY_ALLOCATE;
  // Asynchronous bind, the fallible half: a job that has everything it needs. EINVAL when the VM is unusable or destroyed,
  // ENOMEM. Dependencies are added to the job by the caller. Dropping the job undoes everything.
  Result<Ref<Job>> prepare_bind(BindOp op) PANTRY_MAY_ALLOCATE;
  // Queues a job of prepare_bind's. Cannot fail.
  void push(Ref<Job> job) noexcept;

  // A fresh kernel buffer of `size` bytes, mapped with `prot` in the kernel area, best fit. ENOMEM, ENOSPC.
  Result<KernelMapping> map_kernel(std::uint64_t size, Prot prot) PANTRY_MAY_ALLOCATE;
  // The same at a fixed address: firmware sections.
  Result<KernelMapping> map_kernel_at(GpuVa va, std::uint64_t size, Prot prot) PANTRY_MAY_ALLOCATE;

  // One reference per group that sits on a CSG slot; the slot number for the firmware. For the MCU's VM: slot 0. Errors as
  // AddressSpaces::activate. Every activate is undone before the last reference goes.
  Result<std::uint32_t> activate();
  void deactivate();
  // A fault since the last activation.
  bool faulted() const noexcept;

  // Adds `fence` to what the buffers of this VM are used by: its reservation, and that of each shared buffer that is mapped
  // here or will be by a bind already prepared. Room for `count` fences is reserved at prepare (ENOMEM), each fence added
  // when its job is published; a buffer that came in between is left out.
  Result<> reserve_fences(std::uint32_t count) PANTRY_MAY_ALLOCATE;
  void add_fence(Ref<Fence> fence) noexcept;

  // VM_DESTROY and close (panthor-uapi.md C.6): unmaps everything, including the kernel area; queued binds still run.
  void destroy() PANTRY_MAY_ALLOCATE;

  // Reports and leak checks.
  struct MappingView {
    GpuRange range;
    const Buffer* buffer;
    std::uint64_t buffer_offset;
    Prot prot;
    enum class Owner { kUser, kKernel } owner;
  };
  class MappingVisitor {
   public:
    virtual void visit(const MappingView& mapping) = 0;

   protected:
    ~MappingVisitor() = default;
  };
  // In address order; no lock is held during a visit, so what changes meanwhile may be seen before or after.
  void for_each_mapping(MappingVisitor& visitor) const;
  // Table pages in use by level (0 is the root's), and the sum of all BindStatistics.
  struct TableView {
    std::array<std::uint32_t, 4> tables_by_level{};
    std::uint64_t binds = 0;
    BindStatistics total;
  };
  TableView tables() const;
  // GPU VA -> frame as the page table has it now; nothing when unmapped. For tests and reports.
  struct Translation {
    PhysAddr frame;
    Prot prot;
    std::uint64_t leaf_size;
  };
  std::optional<Translation> translate(GpuVa va) const;

 private:
  friend class KernelMapping;
  struct State;
  explicit Vm(std::unique_ptr<State> state);
  ~Vm() override;
  AsConfig as_config() const noexcept override;
  void on_mmu_fault(const MmuFault& fault) noexcept override;
  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
