// SPDX-License-Identifier: MIT
//
// What a Vm is made of, for the files that implement it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/mutex.h"
#include "driver/gpuvm/va_space.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/provision/page_borrower.h"
#include "driver/provision/page_magazine.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/page_quota.h"
#include "driver/provision/provisioner.h"
#include "driver/vm/residency_gate.h"
#include "driver/vm/vm.h"

namespace pantry::driver {

struct Vm::State {
  State(VmDevice& vm_device, Kind vm_kind, const VaSplit& va_split, GpuRange everything,
        Ref<Account> payer)
      : device(vm_device),
        kind(vm_kind),
        split(va_split),
        whole(everything),
        pages(vm_device.pages, std::move(payer)),
        table_config{vm_device.va_bits, vm_device.pa_bits},
        pending_pages(vm_device.max_pending_table_pages),
        shared(vm_device.pages.faults()),
        magazine(pages),
        space(everything) {}

  AllocationFaults& faults() { return device.pages.faults(); }
  // Now, if anybody wants to know.
  TimePoint time() {
    return device.bind_times == BindTimes::kOn ? device.executor.clock().now() : TimePoint{};
  }

  // What of a plan comes without the operation lock: the link of its buffer. ENOMEM.
  Result<> link(BindPlan& plan) PANTRY_MAY_ALLOCATE;
  // What a bind lacks: nodes of the tree, if that is not 0, or else tables.
  struct Lack {
    std::uint32_t tree_nodes = 0;
    Provisioner::Needs tables;
  };
  // Claims all that running the bind can need; or claims nothing, and `lack` says what is missing.
  // Neither allocates nor frees.
  bool admit(BindPlan& plan, Lack& lack) PANTRY_REQUIRES(operation);
  // ENOMEM.
  Result<> lay_in(const Lack& lack, BindPlan& plan) PANTRY_MAY_ALLOCATE PANTRY_EXCLUDES(operation);
  // Frees nodes that are too much now that the bind has run, or will not.
  void trim_after(BindPlan& plan) noexcept PANTRY_MAY_ALLOCATE PANTRY_EXCLUDES(operation);

  // Performs asynchronous binds in order, at most BatchStarter::kMostJobs, under one locked region
  // that is flushed once; or more often, where others need the tables that a bind has freed. Each
  // fails for what its plan or the VM's state says, never for memory.
  void apply(std::span<BindPlan* const> plans, AsOwner& owner, std::span<Result<>> results)
      PANTRY_REQUIRES(operation, signalling);
  // The same of one that is synchronous.
  Result<> apply_at_once(BindPlan& plan, AsOwner& owner) PANTRY_REQUIRES(operation, signalling);
  // Whether a bind edits the table when it runs now; whether any of these does.
  bool edits(const BindPlan& plan) const PANTRY_REQUIRES(operation);
  bool edit_any(std::span<BindPlan* const> plans) const PANTRY_REQUIRES(operation);
  // What they may edit, with all of any block that they would split. Pre: one does.
  GpuRange footprint(std::span<BindPlan* const> plans) const PANTRY_REQUIRES(operation);
  // One bind, with the tables it was provided with. What is left to do is for its provisioner to
  // finish. Pre: its footprint is locked.
  Result<> run(BindPlan& plan) PANTRY_REQUIRES(operation, signalling);
  // What of that changes the tree and the table.
  Result<> change(BindPlan& plan) PANTRY_REQUIRES(operation, signalling);
  // One restore (BindPlan::Purpose), on the table. Pre: its range is locked.
  Result<> restore(BindPlan& plan) PANTRY_REQUIRES(operation, signalling);
  // The table half of a bind that edits nothing: frees what prepare installed for it alone. Pre:
  // its range is locked.
  void prune(BindPlan& plan) PANTRY_REQUIRES(operation);
  void account(BindPlan& plan, BindMode mode, const Result<>& result, Duration run)
      PANTRY_REQUIRES(operation);

  VmDevice& device;
  const Kind kind;
  const VaSplit split;
  const GpuRange whole;
  PageBorrower pages;  // of all tables; who pays for them pays for what the driver maps as well
  const TableConfig table_config;
  // Set once, before the VM is seen by anybody.
  AsConfig as_config;
  std::unique_ptr<Provisioner> provisioner;
  Ref<Reservation> reservation;
  std::unique_ptr<JobQueue> queue;  // null for the MCU
  PageQuota pending_pages;          // of asynchronous binds
  SharedBuffers shared;
  std::atomic<bool> unusable{false};
  std::atomic<bool> destroyed{false};
  ResidencyGate gate;
  // Some mapping may lack its page-table entries. Set while the gate is closed, cleared by who is
  // inside.
  std::atomic<bool> torn{false};

  // Leaf lock. Nothing is attached once `destroyed` is set.
  mutable Mutex attachment_mutex;
  Ref<VmAttachment> attachment PANTRY_GUARDED_BY(attachment_mutex);

  // The operation lock. Held by run inside a SignallingSection, so it is never held across an
  // allocation or a fence wait; under it the lock of AddressSpaces is taken and the device polled.
  mutable Mutex operation;
  VaNodePool tree_nodes PANTRY_GUARDED_BY(operation);  // of `space`, so older than that
  PageMagazine magazine PANTRY_GUARDED_BY(operation);  // of binds that run at once
  VaSpace space PANTRY_GUARDED_BY(operation);
  std::optional<ArmLpaeS1Table> table PANTRY_GUARDED_BY(operation);  // provisioner knows it
  BindHistory binds PANTRY_GUARDED_BY(operation);                    // the client's
  BindStatistics kernel_binds PANTRY_GUARDED_BY(operation);          // the sum of the driver's own
  BindStatistics given_up_binds PANTRY_GUARDED_BY(operation);        // of those with a claim
};

}  // namespace pantry::driver
