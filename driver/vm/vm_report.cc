// SPDX-License-Identifier: MIT
//
// What reports, leak checks and tests can see of a VM.
#include <array>

#include "driver/vm/vm.h"
#include "driver/vm/vm_state.h"

namespace pantry::driver {

void Vm::for_each_mapping(MappingVisitor& visitor) const {
  // A few at a time: visitors may allocate, which the operation lock does not allow.
  constexpr std::size_t kBatch = 16;
  std::array<MappingView, kBatch> views;
  GpuRange rest = state_->whole;
  for (;;) {
    // Keep what the views point to. New ones each time: dropping a reference may free the buffer,
    // which the lock does not allow either.
    std::array<Ref<Buffer>, kBatch> buffers;
    std::size_t count = 0;
    {
      MutexLock lock(state_->operation);
      for (std::optional<VaMapping> at = state_->space.first_in(rest); at && count < kBatch;
           at = state_->space.next_in(*at, rest)) {
        const Mapping mapping(*at);
        buffers[count] = Ref<Buffer>::share(mapping.buffer());
        MappingView& view = views[count++];
        view = {mapping.range(), &mapping.buffer(), mapping.offset(),
                mapping.prot(),  mapping.owner(),   mapping.is_repeated()};
        if (view.range.first < rest.first) {
          // It has come since the last batch, over what was shown then.
          if (!view.sparse) view.buffer_offset += rest.first - view.range.first;
          view.range.first = rest.first;
        }
      }
    }
    for (std::size_t i = 0; i < count; ++i) visitor.visit(views[i]);
    if (count < kBatch || views[count - 1].range.last == rest.last) return;
    rest.first = views[count - 1].range.last + 1;
  }
}

Vm::TableView Vm::tables() const {
  TableView view;
  view.pending_pages = state_->pending_pages.charged();
  view.peak_pending_pages = state_->pending_pages.peak();
  MutexLock lock(state_->operation);
  view.root = state_->table->root();
  const auto by_level = state_->table->tables_by_level();
  for (std::size_t level = 0; level < view.tables_by_level.size(); ++level)
    view.tables_by_level[level] = by_level[level];
  view.binds = state_->binds.count();
  view.total = state_->binds.total();
  view.kernel = state_->kernel_binds;
  view.given_up = state_->given_up_binds;
  return view;
}

std::vector<BindRecord> Vm::latest_binds() const {
  std::vector<BindRecord> records(BindHistory::kKept);
  std::size_t count = 0;
  {
    MutexLock lock(state_->operation);
    count = state_->binds.latest(std::span<BindRecord, BindHistory::kKept>(records));
  }
  records.resize(count);
  return records;
}

void Vm::watch_binds(BindWatcher* watcher) {
  MutexLock lock(state_->operation);
  state_->binds.watch(watcher);
}

std::optional<AddressSpaces::SlotView> Vm::slot() const {
  std::optional<AddressSpaces::SlotView> own;
  state_->device.spaces.for_each_slot([&](const AddressSpaces::SlotView& slot) {
    if (slot.owner == static_cast<const AsOwner*>(this)) own = slot;
  });
  return own;
}

std::optional<Vm::Translation> Vm::translate(GpuVa va) const {
  MutexLock lock(state_->operation);
  if (!state_->table->space().contains(va)) return std::nullopt;
  const std::optional<Leaf> leaf = state_->table->walk(va);
  if (!leaf) return std::nullopt;
  return Translation{leaf->frame + align_down(va - leaf->range.first, kPageSize), leaf->prot,
                     leaf->range.size()};
}

}  // namespace pantry::driver
