// SPDX-License-Identifier: MIT
#include "tools/kernel_command.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "tools/checker_output.h"
#include "tools/injected_faults.h"
#include "tools/kernel_build.h"
#include "tools/kernel_device.h"
#include "tools/kernel_guest.h"
#include "tools/private_directory.h"

namespace pantry::tools {
namespace {

constexpr int kCannotHost = 125;
// Clear of what User-Mode Linux puts at 256 MiB and above for its virtual buses, which are not used
// here but there.
constexpr std::uint64_t kMemoryMib = 640;
constexpr std::uint64_t kCheckedMemoryMib =
    1024;  // KASAN's shadow takes an eighth, and every object grows

KernelOutcome fail(const std::string& what, Errno error) {
  fmt::print(stderr, "pantry: {}: {}\n", what, name_of(error));
  return {kCannotHost, {}};
}

std::string variant_of(const KernelOptions& options) {
  std::string variant;
  const auto add = [&variant](const char* part) {
    variant += (variant.empty() ? "" : "+") + std::string(part);
  };
  if (options.kasan == KernelOptions::Check::kOn) add("kasan");
  if (options.lockdep == KernelOptions::Check::kOn) add("lockdep");
  if (options.gdb == KernelOptions::Gdb::kOn) add("gdb");
  return variant.empty() ? "plain" : variant;
}

}  // namespace

KernelOutcome run_kernel(const KernelOptions& options) {
  auto build = build_kernel({variant_of(options), options.source});
  if (!build) return fail("no kernel", build.error());
  const auto directory = PrivateDirectory::create();
  if (!directory) return fail("no private directory", directory.error());
  emu::Descriptor log_file;
  if (!options.kernel_log.empty()) {
    log_file = emu::Descriptor(
        ::open(options.kernel_log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!log_file) return fail(options.kernel_log, static_cast<Errno>(errno));
  }
  const std::string init = default_init_program();
  if (::access(init.c_str(), X_OK) != 0) return fail(init, static_cast<Errno>(errno));
  InjectedFaults faults(options.faults);
  auto device = KernelDevice::listen(directory->path() + kDeviceSocket,
                                     {.model = options.model,
                                      .quirks = options.quirks,
                                      .misbehaviour = faults.misbehaviour(),
                                      .seam = options.seam,
                                      .checker = options.checker});
  if (!device) return fail("the device cannot listen", device.error());

  KernelGuest guest{
      .build = *std::move(build),
      .init_program = init,
      .folder = directory->path(),
      .command = options.command,
      .memory_mib = options.kasan == KernelOptions::Check::kOn ? kCheckedMemoryMib : kMemoryMib,
      .frame_owners = options.checker == emu::RemoteDeviceConfig::Check::kOff
                          ? KernelGuest::FrameOwners::kUntold
                          : KernelGuest::FrameOwners::kTold,
      .debugger = options.gdb == KernelOptions::Gdb::kOn ? KernelGuest::Debugger::kGdb
                                                         : KernelGuest::Debugger::kNone};
  const auto status =
      run_guest(guest, {STDOUT_FILENO, STDERR_FILENO, log_file ? log_file.get() : STDERR_FILENO});
  KernelOutcome outcome = status ? KernelOutcome{*status, {}}
                                 : fail("the kernel ended before the program did", status.error());
  outcome.mistakes = (*device)->end();
  if (status) faults.print((*device)->recoveries());
  return outcome;
}

int kernel_command(const KernelOptions& options) {
  const KernelOutcome outcome = run_kernel(options);
  if (!print_mistakes(outcome.mistakes, options.checker_json)) return kCannotHost;
  return outcome.status;
}

}  // namespace pantry::tools
