// SPDX-License-Identifier: MIT
#include "tools/report.h"

#include <sys/ioctl.h>
#include <fmt/core.h>

#include <iterator>

#include "driver/mmu/address_spaces.h"
#include "driver/vm/vm.h"
#include "uapi/ioctl_table.h"

namespace pantry::tools {
namespace {

using driver::Prot;

double milliseconds_of(Duration duration) { return static_cast<double>(duration.ns) / 1e6; }
double microseconds_of(Duration duration) { return static_cast<double>(duration.ns) / 1e3; }

class Mappings final : public driver::Vm::MappingVisitor {
 public:
  explicit Mappings(std::string& text) : text_(text) {}
  void visit(const driver::Vm::MappingView& mapping) override {
    auto has = [&](Prot flag) { return (static_cast<std::uint32_t>(mapping.prot) & static_cast<std::uint32_t>(flag)) != 0; };
    fmt::format_to(std::back_inserter(text_), "    {:#014x}..{:#014x} {:>9} KiB  {}{}{}  buffer {} + {:#x}, {}\n",
                   mapping.range.first.value, mapping.range.last.value, mapping.range.size() / kKiB,
                   has(Prot::kReadOnly) ? "r-" : "rw", has(Prot::kNoExec) ? "-" : "x", has(Prot::kUncached) ? "u" : "c",
                   mapping.buffer ? mapping.buffer->mmap_offset() / kPageSize : 0, mapping.buffer_offset,
                   mapping.owner == driver::MappingOwner::kKernel ? "kernel" : "client");
  }

 private:
  std::string& text_;
};

void describe_vm(std::string& text, std::uint32_t id, const driver::Vm& vm, pid_t pid) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "  VM {} of process {}: client area {:#x} bytes{}\n", id, pid, vm.split().user_size,
                 vm.unusable() ? ", UNUSABLE" : "");
  Mappings mappings(text);
  vm.for_each_mapping(mappings);
  const driver::Vm::TableView tables = vm.tables();
  fmt::format_to(out, "    tables in use by level: {} {} {} {}\n", tables.tables_by_level[0], tables.tables_by_level[1],
                 tables.tables_by_level[2], tables.tables_by_level[3]);
  fmt::format_to(out, "    {} binds: table pages reserved {}, used {}, given back {}", tables.binds,
                 tables.total.pages_reserved, tables.total.pages_used, tables.total.pages_returned);
  if (tables.binds != 0)
    fmt::format_to(out, " (per bind {:.2f}, {:.2f}, {:.2f}; prepare {:.1f} us, run {:.1f} us)",
                   static_cast<double>(tables.total.pages_reserved) / static_cast<double>(tables.binds),
                   static_cast<double>(tables.total.pages_used) / static_cast<double>(tables.binds),
                   static_cast<double>(tables.total.pages_returned) / static_cast<double>(tables.binds),
                   microseconds_of(tables.total.prepare) / static_cast<double>(tables.binds),
                   microseconds_of(tables.total.run) / static_cast<double>(tables.binds));
  text += "\n";
}

// Of an ioctl that is not one of a device file.
const char* descriptor_ioctl(std::uint32_t command) {
  switch (_IOC_TYPE(command)) {
    case '>': return "ioctl of a sync_file";
    case 'b': return "ioctl of a dma-buf";
    default: return "unknown ioctl";
  }
}

}  // namespace

Report::Report(uapi::Machine& machine) : machine_(machine), start_(machine.device().executor().clock().now()) {}

void Report::on_ioctl(const Ioctl& ioctl) {
  MutexLock lock(mutex_);
  ioctls_.push_back(ioctl);
}

void Report::on_release(uapi::Session& session) {
  std::string text;
  const pid_t pid = session.file().credentials().pid;
  session.file().for_each_vm([&](std::uint32_t id, const driver::Vm& vm) { describe_vm(text, id, vm, pid); });
  MutexLock lock(mutex_);
  releases_ += text;
}

std::string Report::text() {
  MutexLock lock(mutex_);
  std::string text = "pantry report\n\nSteps (ms since the start, us taken, waits included)\n";
  auto out = std::back_inserter(text);
  for (const Ioctl& ioctl : ioctls_) {
    const uapi::IoctlEntry* const entry = uapi::find_ioctl(ioctl.command);
    fmt::format_to(out, "  {:>10.3f}  {:>9.1f}  {}{}{}\n", milliseconds_of(ioctl.start - start_),
                   microseconds_of(ioctl.end - ioctl.start), entry ? entry->name : descriptor_ioctl(ioctl.command),
                   ioctl.result == 0 ? "" : " -> ", ioctl.result == 0 ? "" : name_of(static_cast<Errno>(-ioctl.result)));
  }
  text += "\nAddress spaces of the clients, as each was when its file was closed\n" + releases_;

  const driver::AddressSpaces::Counters counters = machine_.device().spaces().counters();
  fmt::format_to(out, "\nAS slots: {} assignments, {} evictions, {} flushes, {} faults\n", counters.assignments,
                 counters.evictions, counters.flushes, counters.faults);
  machine_.device().spaces().for_each_slot([&](const driver::AddressSpaces::SlotView& slot) {
    fmt::format_to(out, "  AS {}: {}{}\n", slot.slot,
                   slot.slot == 0 ? "firmware" : slot.owner ? (slot.active != 0 ? "active VM" : "idle VM") : "free",
                   slot.faulted ? ", faulted" : "");
  });
  text += "\nFaults\n";
  for (const driver::Device::FaultRecord& record : machine_.device().faults())
    fmt::format_to(out, "  {:>10.3f} ms  AS {}  VA {:#x}  status {:#010x}\n", milliseconds_of(record.time - start_),
                   record.fault.as, record.fault.address.value, record.fault.status);
  return text;
}

}  // namespace pantry::tools
