// SPDX-License-Identifier: MIT
#include "tools/trace/replay.h"

#include <drm/panthor_drm.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "driver/mmu/address_spaces.h"
#include "uapi/machine/local_client.h"

namespace pantry::trace {
namespace {

// Whether the same leaves are possible in both.
bool lie_alike(std::span<const PhysExtent> a, std::span<const PhysExtent> b) {
  constexpr std::uint64_t kBlock = 2 * kMiB;
  return std::ranges::equal(a, b, [](const PhysExtent& one, const PhysExtent& other) {
    return one.size == other.size && one.start.value % kBlock == other.start.value % kBlock;
  });
}

Result<> check(int result) {
  if (result != 0) return Error(static_cast<Errno>(-result));
  return {};
}

// The times of the binds of a VM. Room for all of them is made beforehand, since on_bind may not
// allocate.
class BindTimes final : public driver::BindWatcher {
 public:
  explicit BindTimes(std::size_t binds) {
    prepare.reserve(binds);
    run.reserve(binds);
  }
  void on_bind(const driver::BindRecord& record) noexcept override {
    PANTRY_CHECK(run.size() < run.capacity());
    prepare.push_back(record.statistics.prepare);
    run.push_back(record.statistics.run);
  }
  std::vector<Duration> prepare, run;
};

// Operations of each VM of the trace.
std::vector<std::size_t> operations_of(const Trace& trace) {
  std::vector<std::size_t> operations;
  for (const Event& event : trace) {
    if (std::holds_alternative<NewVm>(event)) operations.push_back(0);
    if (const Bind* bind = std::get_if<Bind>(&event)) operations[bind->vm] += bind->ops.size();
  }
  return operations;
}

class Replay {
 public:
  Replay(uapi::Machine& machine, const Trace& trace, Slots slots)
      : machine_(machine), slots_(slots), operations_(operations_of(trace)) {}
  ~Replay() {
    for (VmState& vm : vms_) {
      release_slot(vm);
      vm.vm->watch_binds(nullptr);
    }
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  Result<Replayed> run(const Trace& trace) PANTRY_MAY_WAIT {
    const std::uint64_t flushes = machine_.device().spaces().counters().flushes;
    for (const Event& event : trace)
      PANTRY_TRY(std::visit([&](const auto& e) { return perform(e); }, event));
    // Waits for what is queued.
    machine_.baseline();
    out_.flushes = machine_.device().spaces().counters().flushes - flushes;
    for (VmState& vm : vms_) {
      const driver::Vm::TableView view = vm.vm->tables();
      out_.pages.add(view.total);
      driver::BindStatistics others = view.kernel;
      others.prepare = others.run = {};
      out_.pages.add(others);
      out_.binds += view.binds;
      std::ranges::copy(vm.times->prepare, std::back_inserter(out_.prepare));
      std::ranges::copy(vm.times->run, std::back_inserter(out_.run));
      out_.peak_pending = std::max(out_.peak_pending, view.peak_pending_pages);
    }
    return std::move(out_);
  }

 private:
  struct VmState {
    uapi::LocalClient* client = nullptr;
    std::uint32_t id = 0;
    Ref<driver::Vm> vm;
    std::unique_ptr<BindTimes> times;
    bool has_slot = false;
  };
  struct BufferState {
    uapi::LocalClient* client = nullptr;
    std::uint32_t handle = 0;
  };
  // What binds of the trace signal.
  struct SyncobjState {
    std::uint32_t handle = 0;
    bool binary = false;
    std::uint64_t point = 0;
  };

  uapi::LocalClient& client(std::uint32_t number) {
    // The parser sees to it that there is none between.
    if (number == clients_.size())
      clients_.push_back(std::make_unique<uapi::LocalClient>(machine_, driver::NodeType::kRender,
                                                             driver::Credentials{.pid = 1}));
    return *clients_[number];
  }

  void release_slot(VmState& vm) {
    if (std::exchange(vm.has_slot, false)) vm.vm->deactivate();
  }

  Result<> perform(const NewVm& event) {
    VmState vm{&client(event.client), 0, nullptr,
               std::make_unique<BindTimes>(operations_[vms_.size()]), false};
    drm_panthor_vm_create args{};
    args.user_va_range = event.user_size;
    PANTRY_TRY(check(vm.client->call(DRM_IOCTL_PANTHOR_VM_CREATE, args)));
    vm.id = args.id;
    vm.vm = vm.client->session().file().vm(args.id);
    vm.vm->watch_binds(vm.times.get());
    if (slots_ == Slots::kOwned) vm.has_slot = vm.vm->activate().has_value();
    vms_.push_back(std::move(vm));
    return {};
  }
  Result<> perform(const EndVm& event) {
    VmState& vm = vms_[event.vm];
    release_slot(vm);
    drm_panthor_vm_destroy args{vm.id, 0};
    return check(vm.client->call(DRM_IOCTL_PANTHOR_VM_DESTROY, args));
  }
  Result<> perform(const NewBuffer& event) {
    BufferState buffer{&client(event.client), 0};
    drm_panthor_bo_create args{};
    args.size = event.size;
    args.flags = event.flags;
    if (event.exclusive_vm) args.exclusive_vm_id = vms_[*event.exclusive_vm].id;
    PANTRY_TRY(check(buffer.client->call(DRM_IOCTL_PANTHOR_BO_CREATE, args)));
    buffer.handle = args.handle;
    const Ref<driver::Buffer> made = buffer.client->session().file().buffer(args.handle);
    if (!lie_alike(made->frames(), event.extents)) ++out_.other_frames;
    buffers_.push_back(buffer);
    return {};
  }
  Result<> perform(const EndBuffer& event) {
    const BufferState& buffer = buffers_[event.buffer];
    drm_gem_close args{buffer.handle, 0};
    return check(buffer.client->call(DRM_IOCTL_GEM_CLOSE, args));
  }
  Result<> perform(const NewSyncobj& event) {
    drm_syncobj_create args{};
    PANTRY_TRY(check(client(event.client).call(DRM_IOCTL_SYNCOBJ_CREATE, args)));
    syncobjs_.push_back({.handle = args.handle});
    return {};
  }

  // Of the op; what it signals counts for those that come after.
  std::vector<drm_panthor_sync_op> syncs_of(const Op& op) {
    std::vector<drm_panthor_sync_op> syncs;
    for (const SyncOp& sync : op.syncs) {
      SyncobjState& object = syncobjs_[sync.syncobj];
      const bool signals = sync.kind == SyncOp::Kind::kSignal;
      if (!signals && !(sync.point ? *sync.point <= object.point : object.binary)) {
        ++out_.foreign_waits;
        continue;
      }
      if (signals && sync.point) object.point = std::max(object.point, *sync.point);
      if (signals && !sync.point) object.binary = true;
      std::uint32_t flags = sync.point ? DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ : 0;
      if (signals) flags |= static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
      syncs.push_back({flags, object.handle, sync.point.value_or(0)});
    }
    return syncs;
  }

  Result<> perform(const Bind& event) {
    VmState& vm = vms_[event.vm];
    std::vector<std::vector<drm_panthor_sync_op>> syncs;
    std::vector<drm_panthor_vm_bind_op> ops;
    for (const Op& op : event.ops) {
      syncs.push_back(syncs_of(op));
      drm_panthor_vm_bind_op& made = ops.emplace_back();
      made.flags = op.flags;
      if (op.buffer) made.bo_handle = buffers_[*op.buffer].handle;
      made.bo_offset = op.buffer_offset;
      made.va = op.va;
      made.size = op.size;
      made.syncs = {sizeof(drm_panthor_sync_op), static_cast<std::uint32_t>(syncs.back().size()),
                    reinterpret_cast<std::uint64_t>(syncs.back().data())};
    }
    drm_panthor_vm_bind args{};
    args.vm_id = vm.id;
    args.flags = event.flags;
    args.ops = {sizeof(drm_panthor_vm_bind_op), static_cast<std::uint32_t>(ops.size()),
                reinterpret_cast<std::uint64_t>(ops.data())};
    driver::Clock& clock = machine_.device().executor().clock();
    const TimePoint start = clock.now();
    const int result = vm.client->call(DRM_IOCTL_PANTHOR_VM_BIND, args);
    const Duration taken = clock.now() - start;
    const bool async = (event.flags & DRM_PANTHOR_VM_BIND_ASYNC) != 0;
    (async ? out_.asynchronous : out_.synchronous).push_back(taken);
    if (static_cast<std::uint32_t>(-result) != event.error) ++out_.other_results;
    const auto tables = vm.vm->tables().tables_by_level;
    out_.peak_tables = std::max<std::uint64_t>(
        out_.peak_tables, std::accumulate(tables.begin(), tables.end(), std::uint64_t{0}));
    return {};
  }

  uapi::Machine& machine_;
  const Slots slots_;
  const std::vector<std::size_t> operations_;
  Replayed out_;
  std::vector<VmState> vms_;
  std::vector<BufferState> buffers_;
  std::vector<SyncobjState> syncobjs_;
  std::vector<std::unique_ptr<uapi::LocalClient>> clients_;
};

}  // namespace

Result<Replayed> replay(uapi::Machine& machine, const Trace& trace, Slots slots) {
  return Replay(machine, trace, slots).run(trace);
}

}  // namespace pantry::trace
