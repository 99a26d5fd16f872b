// SPDX-License-Identifier: MIT
//
// A GPU virtual address space: a VA tree, a page table, a bind queue, and the kernel's own area at
// the top of it.
//
// Synchronous binds run in the caller between the queued asynchronous ones; both run under the
// operation lock of the VM, which is never held across an allocation. Asynchronous binds of one VM
// run strictly in order on its bind queue, inside a SignallingSection; those that are ready
// together share one locked region and one flush, and their fences signal after it. A failing
// asynchronous bind makes the VM unusable for good (panthor-uapi.md C.4); a fault does not.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "driver/sched/job_queue.h"
#include "driver/vm/bind_history.h"
#include "driver/vm/fence_rooms.h"
#include "driver/vm/kernel_mapping.h"
#include "driver/vm/va_split.h"
#include "driver/vm/vm_attachment.h"
#include "driver/vm/vm_device.h"

namespace pantry::driver {

class Vm;

// While it lives, every mapping of a VM has its page-table entries and every buffer in it its
// frames (Vm::make_resident). Holds the VM's gate (residency_gate.h): to be dropped soon, once the
// fences of what is submitted are in their reservations. Outside any SignallingSection.
class Residency {
 public:
  Residency(Residency&& other) noexcept;
  Residency& operator=(Residency&&) = delete;
  ~Residency();

 private:
  friend class Vm;
  explicit Residency(Ref<Vm> vm) noexcept;
  Ref<Vm> vm_;
};

class Vm final : public RefCounted, private AsOwner, private BatchStarter {
 public:
  // VM_CREATE. EINVAL from split_va, ENOMEM.
  static Result<Ref<Vm>> create(VmDevice& device,
                                std::uint64_t requested_user_size) PANTRY_MAY_ALLOCATE;
  // The same with a provisioner of its own.
  static Result<Ref<Vm>> create(VmDevice& device, std::uint64_t requested_user_size,
                                Provisioning provisioning) PANTRY_MAY_ALLOCATE;
  // The same for a client, who pays for its table pages and for what the driver maps in it
  // (map_kernel): rings, sync objects, tiler heaps. ENOMEM also past the client's quota, here and
  // wherever one of these is needed.
  static Result<Ref<Vm>> create(VmDevice& device, std::uint64_t requested_user_size,
                                Ref<Account> payer) PANTRY_MAY_ALLOCATE;
  // The firmware's VM: 4 GiB, kernel mappings placed automatically in 0x04000000..0x07ffffff, no
  // bind queue.
  static Result<Ref<Vm>> create_mcu(VmDevice& device) PANTRY_MAY_ALLOCATE;

  const VaSplit& split() const;
  // All of the space; and whether it is the firmware's.
  GpuRange whole() const;
  bool is_mcu() const;
  const Ref<Reservation>& reservation() const;
  // Set by a failed asynchronous bind, for good.
  bool unusable() const noexcept;
  bool destroyed() const noexcept;

  // Synchronous bind of a validated op: prepare, run, give back. Moves from `op`, also if it fails.
  // EINVAL: MAP on an unusable VM. Blocks for memory.
  Result<> bind_now(BindOp&& op) PANTRY_MAY_ALLOCATE;
  // Asynchronous bind, the fallible half: a job that has everything it needs. EINVAL when the VM is
  // unusable or destroyed; ENOMEM, also when the pending binds of the VM hold as many table pages
  // as they may (VmDevice::max_pending_table_pages). Dependencies are added to the job by the
  // caller. Dropping the job undoes everything.
  Result<Ref<Job>> prepare_bind(BindOp op) PANTRY_MAY_ALLOCATE;
  // Queues a job of prepare_bind's. Cannot fail.
  void push(Ref<Job> job) noexcept;

  // A fresh kernel buffer of `size` bytes, mapped with `prot` in the kernel area, best fit, at a
  // multiple of 2 MiB if it is that large. ENOMEM, ENOSPC; EINVAL when the VM is destroyed or, as
  // in Linux, unusable.
  Result<KernelMapping> map_kernel(std::uint64_t size, Prot prot) PANTRY_MAY_ALLOCATE;
  // The same at a fixed address: firmware sections. EINVAL outside the space, EEXIST where
  // something is mapped.
  Result<KernelMapping> map_kernel_at(GpuVa va, std::uint64_t size, Prot prot) PANTRY_MAY_ALLOCATE;

  // One reference per group that sits on a CSG slot; the slot number for the firmware. For the
  // MCU's VM: slot 0. Errors as AddressSpaces::activate. Every activate is undone before the last
  // reference goes.
  Result<std::uint32_t> activate();
  void deactivate();
  // A fault since the last activation.
  bool faulted() const noexcept;

  // Room for the fences of `count` jobs in all that the buffers of this VM are used by: its
  // reservation, and that of each shared buffer that is mapped here or will be by a bind already
  // prepared. A buffer that comes later is left out. ENOMEM.
  Result<FenceRooms> reserve_fences(std::uint32_t count) PANTRY_MAY_ALLOCATE;

  // Before jobs of the VM are submitted, and until their fences are added: brings back what was
  // evicted, each mapping by a plan of its own. ENOMEM: what could not be brought back stays
  // evicted, and no mapping, content or other state that a client can see has changed. May evict
  // buffers of other VMs. Costs one uncontended lock if nothing was evicted since the last time.
  Result<Residency> make_resident() PANTRY_MAY_ALLOCATE;

  // VM_DESTROY and close (panthor-uapi.md C.6): unmaps everything, including the kernel area and
  // what is attached; queued binds still run.
  void destroy() PANTRY_MAY_ALLOCATE;

  // What was attached, or null: nothing yet, or the VM is destroyed.
  Ref<VmAttachment> attachment() const;
  // Attaches `fresh`, unless something is there already: the one that is there afterwards. EINVAL
  // when the VM is destroyed.
  Result<Ref<VmAttachment>> attach(Ref<VmAttachment> fresh);

  // Reports and leak checks.
  struct MappingView {
    GpuRange range;
    const Buffer* buffer;
    std::uint64_t buffer_offset;
    Prot prot;
    MappingOwner owner;
    bool sparse;  // all of it shows the 2 MiB of `buffer` over and over: `va` byte va mod 2 MiB
  };
  class MappingVisitor {
   public:
    virtual void visit(const MappingView& mapping) = 0;

   protected:
    ~MappingVisitor() = default;
  };
  // In address order, and no address twice; no lock is held during a visit, so what changes
  // meanwhile may be seen before or after, and what comes over a place that was visited only in
  // part.
  void for_each_mapping(MappingVisitor& visitor) const;
  // Table pages in use by level (0 is the root's), and the sums of what binds took and gave: of the
  // client's, of the driver's own, and of those that were given up before they ran, as far as
  // others may have got their pages. Once none is pending, what all of them have reserved is what
  // they have used and returned.
  struct TableView {
    std::array<std::uint32_t, 4> tables_by_level{};
    std::uint64_t binds = 0;  // the client's
    BindStatistics total;     // of these
    BindStatistics kernel;
    BindStatistics given_up;
    std::uint64_t pending_pages = 0;  // laid in for asynchronous binds that have not run
    std::uint64_t peak_pending_pages = 0;
    PhysAddr root;
  };
  TableView tables() const;
  // The client's latest binds that have run, oldest first: at most BindHistory::kKept.
  std::vector<BindRecord> latest_binds() const PANTRY_MAY_ALLOCATE;
  // From now on `watcher` sees each of the client's binds; null: nobody does any longer.
  void watch_binds(BindWatcher* watcher);
  // The address-space slot that it has now, and whether it has faulted there.
  std::optional<AddressSpaces::SlotView> slot() const;
  // GPU VA -> frame as the page table has it now; nothing when unmapped. For tests and reports.
  struct Translation {
    PhysAddr frame;
    Prot prot;
    std::uint64_t leaf_size;
  };
  std::optional<Translation> translate(GpuVa va) const;

  // The shrinker's. begin: false while jobs are being submitted; else none are until the end.
  bool begin_evictions() noexcept;
  void end_evictions() noexcept;
  // Whether a mapping or a prepared bind of this VM can lead to `buffer`.
  bool may_map(const Buffer& buffer) const noexcept;
  // Takes the page-table entries of all buffers that are leaving (Buffer::begin_eviction); on
  // return the device has forgotten them. Between begin and end.
  void unbind_leaving() noexcept PANTRY_MAY_ALLOCATE;

 private:
  friend class KernelMapping;
  friend class Residency;
  class BindJob;
  struct State;
  explicit Vm(std::unique_ptr<State> state);
  ~Vm() override PANTRY_MAY_ALLOCATE;
  AsConfig as_config() const noexcept override;
  void on_mmu_fault(const MmuFault& fault) noexcept override;

  enum class Kind { kClient, kMcu };
  static Result<Ref<Vm>> make(VmDevice& device, Kind kind, const VaSplit& split, GpuRange whole,
                              Provisioning provisioning, Ref<Account> payer) PANTRY_MAY_ALLOCATE;
  // Of a bind that will be pending.
  Result<BindPlan> plan(BindOp op) PANTRY_MAY_ALLOCATE;
  // Of one that is not. Nothing is laid in yet.
  BindPlan plan_at_once(BindOp&& op, FramePin&& frames);
  // Lays in what a plan of plan_at_once takes, and runs it, under one hold of the operation lock
  // if the VM has all that at hand.
  Result<> run_at_once(BindPlan& plan) PANTRY_MAY_ALLOCATE;
  Result<> bind_torn() PANTRY_MAY_ALLOCATE;
  Result<std::vector<BindOp>> torn_mappings() PANTRY_MAY_ALLOCATE;
  void leave_residency() noexcept;
  // The bind queue's: jobs of prepare_bind's.
  void start(std::span<Job* const> jobs, std::span<int> errors) noexcept override;
  // Takes back what prepare claimed, if the plan was not run.
  void give_up(BindPlan& plan) noexcept PANTRY_MAY_ALLOCATE;
  Result<KernelMapping> map_fresh(Ref<Buffer> buffer, GpuRange range,
                                  Prot prot) PANTRY_MAY_ALLOCATE;
  // Everything in it, or a whole mapping: what needs neither table pages nor nodes.
  void unmap_whole(GpuRange range) noexcept PANTRY_MAY_ALLOCATE;

  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
