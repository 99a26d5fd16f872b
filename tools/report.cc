// SPDX-License-Identifier: MIT
#include "tools/report.h"

#include <drm/panthor_drm.h>
#include <fmt/core.h>
#include <sys/ioctl.h>

#include <iterator>
#include <optional>

#include "driver/mmu/address_spaces.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "tools/vm_description.h"
#include "uapi/ioctl_table.h"

namespace pantry::tools {
namespace {

double milliseconds_of(Duration duration) { return static_cast<double>(duration.ns) / 1e6; }
double microseconds_of(Duration duration) { return static_cast<double>(duration.ns) / 1e3; }

// What one costs, in microseconds: the mean of many.
double register_read(emu::Mmio& mmio, driver::Clock& clock) {
  constexpr int kReads = 1000;
  const TimePoint start = clock.now();
  for (int i = 0; i < kReads; ++i) (void)mmio.read32(datasheet::gpu_control::kGpuId);
  return microseconds_of(clock.now() - start) / kReads;
}

bool is_vm_destroy(std::uint32_t command, const uapi::Features& features) {
  const uapi::IoctlEntry* const entry = uapi::find_ioctl(command, features);
  return entry && entry->command == DRM_IOCTL_PANTHOR_VM_DESTROY;
}

// Its own name can be printed, by the rules of SET_CLIENT_NAME.
std::string client_of(uapi::Session& session) {
  const std::optional<std::string> name = session.file().name();
  return fmt::format("process {}{}", session.file().credentials().pid,
                     name ? " (" + *name + ")" : "");
}

// Of an ioctl that is not one of a device file.
const char* descriptor_ioctl(std::uint32_t command) {
  switch (_IOC_TYPE(command)) {
    case '>':
      return "ioctl of a sync_file";
    case 'b':
      return "ioctl of a dma-buf";
    default:
      return "unknown ioctl";
  }
}

}  // namespace

Report::Report(uapi::Machine& machine)
    : machine_(machine), start_(machine.device().executor().clock().now()) {}

std::string Report::heading(const std::string& client, std::uint32_t id, const driver::Vm& vm,
                            const char* end) const {
  const TimePoint now = machine_.device().executor().clock().now();
  return fmt::format("  VM {} of {}, {} at {:.3f} ms: client area {:#x} bytes{}\n", id, client, end,
                     milliseconds_of(now - start_), vm.split().user_size,
                     vm.unusable() ? ", UNUSABLE" : "");
}

void Report::on_start(uapi::Session& session, const uapi::IoctlRequest& request,
                      uapi::UserMemory& memory) {
  if (!is_vm_destroy(request.command, machine_.features())) return;
  const auto args = memory.get<drm_panthor_vm_destroy>(request.argument);
  const Ref<driver::Vm> vm = args ? session.file().vm(args->id) : nullptr;
  if (!vm) return;
  std::string text = heading(client_of(session), args->id, *vm, "destroyed") + describe(*vm);
  MutexLock lock(mutex_);
  leaving_ = std::move(text);
}

void Report::on_ioctl(const Ioctl& ioctl) {
  MutexLock lock(mutex_);
  ioctls_.push_back(ioctl);
  if (!is_vm_destroy(ioctl.command, machine_.features())) return;
  if (ioctl.result == 0) gone_ += leaving_;
  leaving_.clear();
}

void Report::on_release(uapi::Session& session) {
  const std::string client = client_of(session);
  std::string text;
  session.file().for_each_vm([&](std::uint32_t id, const driver::Vm& vm) {
    text += heading(client, id, vm, "closed") + describe(vm);
  });
  MutexLock lock(mutex_);
  gone_ += text;
}

std::string Report::text() {
  MutexLock lock(mutex_);
  std::string text = "pantry report\n\nSteps (ms since the start, us taken, waits included)\n";
  auto out = std::back_inserter(text);
  for (const Ioctl& ioctl : ioctls_) {
    const uapi::IoctlEntry* const entry = uapi::find_ioctl(ioctl.command, machine_.features());
    fmt::format_to(out, "  {:>10.3f}  {:>9.1f}  {}{}{}\n", milliseconds_of(ioctl.start - start_),
                   microseconds_of(ioctl.end - ioctl.start),
                   entry ? entry->name : descriptor_ioctl(ioctl.command),
                   ioctl.result == 0 ? "" : " -> ",
                   ioctl.result == 0 ? "" : name_of(static_cast<Errno>(-ioctl.result)));
  }
  text +=
      "\nAddress spaces of the clients, as each was when it was destroyed or closed with its "
      "file\n" +
      gone_;

  const driver::AddressSpaces::Counters counters = machine_.device().spaces().counters();
  fmt::format_to(out,
                 "\nAS slots: {} assignments, {} evictions, {} flushes, {} faults; at the end\n",
                 counters.assignments, counters.evictions, counters.flushes, counters.faults);
  machine_.device().spaces().for_each_slot([&](const driver::AddressSpaces::SlotView& slot) {
    fmt::format_to(out, "  AS {}: {}{}\n", slot.slot,
                   slot.slot == 0 ? "firmware"
                   : slot.owner   ? (slot.active != 0 ? "active VM" : "idle VM")
                                  : "free",
                   slot.faulted ? ", faulted" : "");
  });
  text += "\nFaults\n";
  for (const driver::Device::FaultRecord& record : machine_.device().faults())
    fmt::format_to(out, "  {:>10.3f} ms  AS {}  VA {:#x}  status {:#010x}\n",
                   milliseconds_of(record.time - start_), record.fault.as,
                   record.fault.address.value, record.fault.status);
  fmt::format_to(out, "\nregister read {:.2f} us\n",
                 register_read(machine_.gpu(), machine_.device().executor().clock()));
  return text;
}

}  // namespace pantry::tools
