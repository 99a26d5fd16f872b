// SPDX-License-Identifier: MIT
#include "tools/command_line.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include <charconv>
#include <filesystem>

#include "base/log.h"
#include "gpu_emu/inject/injector.h"
#include "tools/client_process.h"
#include "tools/device_model.h"
#include "tools/disasm_command.h"
#include "tools/info_command.h"
#include "tools/kernel_command.h"
#include "tools/replay_command.h"
#include "tools/run_command.h"
#include "tools/serve_command.h"
#include "uapi/server/socket_directory.h"

namespace pantry::tools {
namespace {

// "1.0" -> 0
bool parse_minor(const std::string& text, std::uint32_t& minor) {
  if (!text.starts_with("1.") || text.size() != 3 || text[2] < '0' || text[2] > '9') return false;
  minor = static_cast<std::uint32_t>(text[2] - '0');
  return minor <= uapi::kNewestMinor;
}

emu::Quirks::Caching caching_of(const std::string& name) {
  using Caching = emu::Quirks::Caching;
  if (name == "coherent") return Caching::kCoherent;
  if (name == "sticky") return Caching::kSticky;
  return name == "speculative" ? Caching::kSpeculative : Caching::kReal;
}

uapi::MachineConfig::Check check_of(const std::string& name) {
  using Check = uapi::MachineConfig::Check;
  if (name == "off") return Check::kOff;
  return name == "abort" ? Check::kAbort : Check::kReport;
}

emu::RemoteDeviceConfig::Check remote_check_of(const std::string& name) {
  using Check = emu::RemoteDeviceConfig::Check;
  if (name == "off") return Check::kOff;
  return name == "abort" ? Check::kAbort : Check::kReport;
}

// "handles=100"; memory also as "512M" or "2G", bytes.
bool set_limit(const std::string& text, driver::Limits& limits) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return false;
  const auto resource = driver::resource_named(text.substr(0, equals));
  std::uint64_t most = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + equals + 1, end, most);
  const std::string unit(rest, end);
  const std::uint64_t factor = unit.empty() ? 1 : unit == "M" ? kMiB : unit == "G" ? kGiB : 0;
  if (!resource || error != std::errc() || factor == 0 || most > UINT64_MAX / factor) return false;
  limits[*resource] = most * factor;
  return true;
}

std::string limit_names() {
  std::string names;
  for (const driver::ResourceInfo& info : driver::kResourceInfo)
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  return names;
}

// Absolute: a client may change its directory. Links are kept, to be refused.
std::string host_path(const std::string& path) {
  const auto absolute = std::filesystem::absolute(path).lexically_normal();
  return absolute.has_filename() ? absolute.string() : absolute.parent_path().string();
}

}  // namespace

int command_line(int argc, char** argv, const uapi::MachineConfig& machine) {
  CLI::App app(
      "Pantry: a Panthor-style GPU driver and an emulated Mali CSF GPU, for unmodified libdrm "
      "clients");
  app.require_subcommand(1);
  RunOptions run;
  run.device.machine = machine;
  std::string uapi = "1." + std::to_string(run.device.machine.uapi_minor);
  std::string log_file;
  std::string log_level = "gap";
  std::uint64_t dram_mib = run.device.machine.dram_bytes / kMiB;
  app.add_option("--uapi", uapi, "present this version of the panthor uAPI, 1.0 to " + uapi);
  app.add_option("--log", log_file, "write the log to this file instead of stderr");
  app.add_option("--log-level", log_level, "debug, info, client, gap, error or off")
      ->check(CLI::IsMember({"debug", "info", "client", "gap", "error", "off"}));
  app.add_option("--dram", dram_mib, "MiB of memory that the device has")
      ->check(CLI::Range(64, 1 << 20));
  std::uint64_t swap_mib = run.device.machine.swap_bytes / kMiB;
  app.add_option("--swap", swap_mib,
                 "MiB for the content of idle buffers, which then give their memory up when the "
                 "device has none left; 0: they keep it")
      ->check(CLI::Range(0, 1 << 20));
  std::vector<std::string> injected;
  const auto add_inject = [&injected](CLI::App& command) {
    command
        .add_option("--inject", injected,
                    "a fault of the hardware, WHAT[:PARAMETER=VALUE,...]: stuck-as, lost-irq, "
                    "late-ack, firmware-hang, bad-suspend, pte-flip or slow-flush; may be given "
                    "more than once (parameters: gpu_emu/inject/fault_plan.h)")
        ->allow_extra_args(false);
  };
  std::string caching = "real";
  app.add_option("--caching", caching,
                 "what the MMU caches: coherent (nothing), real, sticky (everything until it is "
                 "flushed) or speculative (also what nobody asked for)")
      ->check(CLI::IsMember({"coherent", "real", "sticky", "speculative"}));
  std::string model;
  app.add_option(
      "--model", model,
      "which GPU: G310, G510, G610 (the default), G710, or a file that describes another "
      "one (tools/device_model.h)");
  std::vector<std::string> limits;
  app.add_option("--limit", limits,
                 "NAME=N: the most that one client may hold at once of " + limit_names() +
                     "; memory in bytes, or with M or G");
  app.fallthrough();

  run.shim = default_shim_path();
  bool report = false;
  std::string provision;
  CLI::App& run_app = *app.add_subcommand("run", "run a program on a private machine");
  run_app.add_flag("--report", report, "print what happened when the program has ended");
  std::vector<std::string> provisionings;
  for (const driver::ProvisioningName& known : driver::kProvisioningNames) {
    provisionings.emplace_back(known.name);
    if (known.provisioning == run.device.machine.provisioning) provision = known.name;
  }
  const auto add_provision = [&](CLI::App& to) {
    to.add_option("--provision", provision,
                  "how binds get their table pages: worst-case, exact or range-reserve")
        ->check(CLI::IsMember(provisionings))
        ->capture_default_str()
        ->envname("PANTRY_PROVISION");
  };
  std::string checker = "report";
  // What a command can say of the device that it hosts.
  const auto add_device = [&](CLI::App& to) {
    to.add_option("--checker", checker,
                  "mistakes of the driver with the MMU: off, report (at the end) or abort (at "
                  "once)")
        ->check(CLI::IsMember({"off", "report", "abort"}));
    to.add_option("--checker-json", run.device.checker_json,
                  "write them to this file as JSON as well");
    add_inject(to);
    add_provision(to);
  };
  add_device(run_app);
  run_app.add_option("--shim", run.shim, "the library to preload");
  std::string join;
  run_app
      .add_option("--join", join, "join the host that `pantry serve` runs with this socket path")
      ->excludes("--report", "--checker", "--checker-json", "--inject");
  run_app.add_option("program", run.command, "the program and its arguments")->required();
  run_app.positionals_at_end();
  CLI::App& trace_app =
      *app.add_subcommand("trace", "record and replay what clients ask of VM_BIND");
  trace_app.require_subcommand(1);
  CLI::App& record_app =
      *trace_app.add_subcommand("record", "run a program on a private machine and write its trace");
  std::string trace = "pantry.trace";
  record_app.add_option("-o,--output", trace, "the file to write")->capture_default_str();
  add_provision(record_app);
  record_app.add_option("--shim", run.shim, "the library to preload");
  record_app.add_option("program", run.command, "the program and its arguments")->required();
  record_app.positionals_at_end();
  CLI::App& replay_app =
      *trace_app.add_subcommand("replay", "ask a fresh machine what a trace asked, and measure");
  ReplayOptions replay;
  bool idle = false, json = false;
  replay_app.add_flag("--idle", idle,
                      "no VM has an address-space slot, so that nothing is locked or flushed");
  replay_app.add_flag("--json", json, "print what was measured as one JSON object");
  add_provision(replay_app);
  replay_app.add_option("file", replay.file, "the trace")->required();
  ServeOptions serve;
  serve.socket = uapi::default_host_path();
  CLI::App& serve_app =
      *app.add_subcommand("serve", "host one device for the programs of `pantry run --join`");
  serve_app.add_option("--socket", serve.socket,
                       "the directory of its sockets; by default " + serve.socket);
  add_device(serve_app);
  CLI::App& info_app = *app.add_subcommand("info", "print the device as a client sees it");
  KernelOptions kernel;
  bool kasan = false, lockdep = false, gdb = false;
  CLI::App& kernel_app = *app.add_subcommand(
      "kernel", "run a program on the unpatched Linux driver in a guest kernel");
  kernel_app.add_flag("--kasan", kasan, "a kernel that checks its memory accesses");
  kernel_app.add_flag("--lockdep", lockdep, "a kernel that checks its locks");
  kernel_app.add_flag("--gdb", gdb, "boot the kernel under gdb");
  add_inject(kernel_app);
  kernel_app.add_option("--checker", checker, "as for run: of the Linux driver")
      ->check(CLI::IsMember({"off", "report", "abort"}));
  kernel_app.add_option("--checker-json", kernel.checker_json, "as for run");
  kernel_app.add_option("--source", kernel.source,
                        "a Linux source tree; without it Debian's linux-source-6.12");
  kernel_app.add_option("--kernel-log", kernel.kernel_log,
                        "write the kernel's log to this file instead of stderr");
  kernel_app.add_option("program", kernel.command, "the program and its arguments")->required();
  kernel_app.positionals_at_end();
  DisasmOptions disasm;
  CLI::App& disasm_app =
      *app.add_subcommand("disasm", "print the instructions of a command stream");
  disasm_app
      .add_option("file", disasm.file, "the stream as it lies in memory; - is standard input")
      ->required();
  disasm_app.add_option("--address", disasm.address, "where it lies, for the labels of branches");
  CLI11_PARSE(app, argc, argv);

  if (!parse_minor(uapi, run.device.machine.uapi_minor)) {
    fmt::print(stderr, "pantry: --uapi {}: not a version that Pantry has\n", uapi);
    return 2;
  }
  if (!log_file.empty() && !set_log_file(log_file.c_str())) {
    fmt::print(stderr, "pantry: --log {}: cannot be opened\n", log_file);
    return 2;
  }
  const std::pair<const char*, LogLevel> levels[] = {
      {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo},   {"client", LogLevel::kClient},
      {"gap", LogLevel::kGap},     {"error", LogLevel::kError}, {"off", LogLevel::kOff}};
  for (const auto& [name, level] : levels)
    if (log_level == name) set_log_level(level);
  for (const std::string& text : injected) {
    const auto plan = emu::parse_fault(text);
    if (!plan) {
      fmt::print(stderr, "pantry: --inject {}: {}\n", text, plan.error());
      return 2;
    }
    run.device.faults.push_back(*plan);
  }
  if (run.device.faults.size() > emu::Injector::kMaxActive) {
    fmt::print(stderr, "pantry: --inject: more than {} faults\n", emu::Injector::kMaxActive);
    return 2;
  }
  for (const std::string& limit : limits)
    if (!set_limit(limit, run.device.machine.limits)) {
      fmt::print(stderr, "pantry: --limit {}: not NAME=N with a NAME of {}\n", limit,
                 limit_names());
      return 2;
    }
  if (!join.empty()) {
    for (const char* option : {"--dram", "--swap", "--uapi", "--caching", "--limit", "--model"})
      if (app.count(option) != 0) {
        fmt::print(stderr, "pantry: {} is the host's to choose, not of those who --join it\n",
                   option);
        return 2;
      }
    return join_command({host_path(join), run.shim, run.command});
  }
  if (!model.empty()) {
    const auto loaded = load_model(model, default_model_directory());
    if (!loaded) {
      fmt::print(stderr, "pantry: --model {}: {}\n", model, loaded.error());
      return 2;
    }
    run.device.machine.model = loaded->model;
    if (!loaded->unknown.empty())
      log_gap("tools", "model {}: what stands in for unknown values: {}", loaded->name,
              fmt::join(loaded->unknown, ", "));
  }
  run.device.machine.dram_bytes = dram_mib * kMiB;
  run.device.machine.swap_bytes = swap_mib * kMiB;
  run.device.machine.quirks.caching = caching_of(caching);
  run.device.machine.checker = check_of(checker);
  run.device.machine.provisioning = driver::provisioning_named(provision).value();
  if (disasm_app) return disasm_command(disasm);
  if (serve_app) {
    serve.device = run.device;
    serve.socket = host_path(serve.socket);
    return serve_command(serve);
  }
  if (info_app) return info_command(run.device.machine);
  if (kernel_app) {
    using Check = KernelOptions::Check;
    kernel.model = run.device.machine.model;
    kernel.quirks = run.device.machine.quirks;
    kernel.faults = run.device.faults;
    kernel.checker = remote_check_of(checker);
    kernel.kasan = kasan ? Check::kOn : Check::kOff;
    kernel.lockdep = lockdep ? Check::kOn : Check::kOff;
    kernel.gdb = gdb ? KernelOptions::Gdb::kOn : KernelOptions::Gdb::kOff;
    return kernel_command(kernel);
  }
  if (replay_app) {
    replay.machine = run.device.machine;
    replay.machine.checker = uapi::MachineConfig::Check::kOff;  // what is measured is the driver
    // A GPU that sleeps needs no flush. One that works does, and its VMs' slots say that it works.
    replay.machine.autosuspend_delay = std::nullopt;
    if (json) replay.output = ReplayOptions::Output::kJson;
    replay.slots = idle ? trace::Slots::kNone : trace::Slots::kOwned;
    return replay_command(replay);
  }
  if (record_app) run.trace = trace;
  run.report = report ? RunOptions::Report::kPrint : RunOptions::Report::kNone;
  return run_command(run);
}

}  // namespace pantry::tools
