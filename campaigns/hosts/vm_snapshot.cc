// SPDX-License-Identifier: MIT
#include "campaigns/hosts/vm_snapshot.h"

#include "driver/provision/page_pool.h"

namespace pantry::campaigns {
namespace {

constexpr std::uint32_t kEntries = 512;
constexpr std::uint32_t kLeafLevel = 3;
constexpr std::uint64_t kTableOrPage = 3;  // bits 1:0
constexpr std::uint64_t kAddress = 0x0000'ffff'ffff'f000;

// From the architecture's facts alone, so that it does not depend on what the driver believes.
void append_tables(const emu::Dram& dram, PhysAddr table, std::uint32_t level,
                   std::vector<std::uint64_t>& words) {
  const auto* const entries = static_cast<const std::uint64_t*>(dram.at(table, kPageSize));
  words.push_back(table.value);
  words.insert(words.end(), entries, entries + kEntries);
  if (level == kLeafLevel) return;
  for (std::uint32_t i = 0; i < kEntries; ++i)
    if ((entries[i] & 3) == kTableOrPage)
      append_tables(dram, {entries[i] & kAddress}, level + 1, words);
}

VmSnapshot::Object object(const RefCounted& counted, const Ref<driver::Reservation>& reservation) {
  return {counted.references(), reservation ? reservation->view().reserved : 0};
}

}  // namespace

std::string VmSnapshot::difference(const VmSnapshot& other, Cache cache) const {
  if (tree != other.tree) return "the VA tree";
  if (table_words != other.table_words) return "the page table";
  if (binds != other.binds) return "the count of binds";
  if (pending_pages != other.pending_pages) return "the pages of pending binds";
  if (frames_used != other.frames_used) return "frames in use";
  if (pages_lent != other.pages_lent) return "table pages lent";
  if (cache == Cache::kCompare && pages_cached != other.pages_cached) return "pages in the pool";
  if (buffers != other.buffers) return "the buffers";
  if (usable != other.usable) return "whether the VM is usable";
  if (vm != other.vm) return "references to the VM, or room for its fences";
  if (objects != other.objects) return "references to a buffer, or room for its fences";
  if (syncobjs != other.syncobjs) return "a syncobj";
  return {};
}

VmSnapshot take_snapshot(uapi::Machine& machine, const Ref<driver::Vm>& vm,
                         const std::vector<Ref<driver::Buffer>>& buffers,
                         const std::vector<Ref<driver::Syncobj>>& syncobjs) {
  VmSnapshot now;
  const uapi::Machine::Baseline baseline = machine.baseline();
  class Collect final : public driver::Vm::MappingVisitor {
   public:
    explicit Collect(std::vector<VmSnapshot::Mapped>& to) : to_(to) {}
    void visit(const driver::Vm::MappingView& view) override {
      to_.push_back({view.range, view.buffer, view.buffer_offset, view.prot, view.owner});
    }

   private:
    std::vector<VmSnapshot::Mapped>& to_;
  } collect(now.tree);
  vm->for_each_mapping(collect);
  const driver::Vm::TableView tables = vm->tables();
  append_tables(machine.device().vm_device().dram, tables.root, 0, now.table_words);
  now.binds = tables.binds;
  now.pending_pages = tables.pending_pages;
  now.frames_used = baseline.used_frames;
  now.pages_lent = baseline.lent_pages;
  now.pages_cached = machine.device().pages().statistics().cached;
  now.buffers = machine.device().buffers().totals();
  now.usable = !vm->unusable() && !vm->destroyed();
  now.vm = object(*vm, vm->reservation());
  for (const Ref<driver::Buffer>& buffer : buffers)
    now.objects.push_back(object(*buffer, buffer->reservation()));
  for (const Ref<driver::Syncobj>& syncobj : syncobjs)
    now.syncobjs.push_back({syncobj->references(), syncobj->fence().get(),
                            syncobj->query(driver::Syncobj::Query::kLastSignalled),
                            syncobj->query(driver::Syncobj::Query::kLastSubmitted)});
  return now;
}

}  // namespace pantry::campaigns
