// SPDX-License-Identifier: MIT
//
// The composition root: the one place that wires memory, device, executor and driver together, in
// every mode. Owns all of it and takes it down in order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/device/device.h"
#include "driver/provision/provisioning.h"
#include "gpu_emu/checker/report.h"
#include "gpu_emu/datasheet/model.h"
#include "gpu_emu/gpu.h"
#include "gpu_emu/seams.h"
#include "uapi/session.h"

namespace pantry::uapi {

struct MachineConfig {
  std::uint64_t dram_bytes = 4 * kGiB;  // a multiple of 2 MiB; only touched pages cost memory
  // kWindow: buffers are memfds that clients can map. kArena: everything in process, frames
  // scattered in 4 KiB pieces.
  enum class Memory { kWindow, kArena } memory = Memory::kWindow;
  std::uint32_t uapi_minor = kNewestMinor;
  datasheet::GpuModel model = datasheet::kMaliG610;
  emu::Quirks quirks;
  emu::StreamPolicy streams = emu::StreamPolicy::kAll;  // anything else: only to test tests
  std::uint64_t scatter_seed = 0;                       // kArena
  // Per VM, by binds that have not run: the knob of VmDevice.
  std::uint32_t max_pending_table_pages = driver::kMaxPendingTablePages;
  // What becomes of the driver's mistakes with the MMU (gpu_emu/checker). Off, it costs nothing; a
  // benchmark wants it off. kReport keeps them for Machine::mistakes(); kAbort ends the process
  // with the text, so that no test passes over one.
  enum class Check { kOff, kReport, kAbort } checker = Check::kAbort;
  // Of idleness, until the GPU is suspended; none: never.
  std::optional<Duration> autosuspend_delay = driver::kAutosuspendDelay;
  // Between driver and device; only to test tests.
  emu::MmioSeam* seam = nullptr;
  emu::FrameOwnerSeam* frame_seam = nullptr;  // with the checker
  emu::IrqLineSeam* irq_seam = nullptr;
  emu::Misbehaviour* misbehaviour = nullptr;  // how the hardware fails; outlives the machine
  // How VMs get the table pages that binds need (driver/provision).
  driver::Provisioning provisioning = driver::kDefaultProvisioning;
  driver::BindTimes bind_times = driver::BindTimes::kOff;  // reports want them
  driver::Limits limits;                                   // of each client
  std::uint64_t swap_bytes = 0;  // for the content of idle buffers when DRAM runs out; 0: none
};

class Machine {
 public:
  // ENOMEM, or the errno of the bring-up step that failed. `executor` outlives the machine; the
  // device runs on a thread spawned from it.
  static Result<std::unique_ptr<Machine>> create(driver::Executor& executor,
                                                 const MachineConfig& config);
  // Every session is closed, and no other thread of the executor's is left that would not return by
  // itself.
  ~Machine();

  driver::Device& device();
  emu::Gpu& gpu();
  const Features& features() const;
  // The memfd of the flush id page, open for reading, for clients to map.
  int user_page_fd() const;
  // A client of its own, as far as MachineConfig::limits go.
  Ref<driver::Account> new_account(std::int32_t pid, std::string program = {}) const;
  std::unique_ptr<Session> open(driver::NodeType node, const driver::Credentials& credentials);
  // One more file of the client with this account.
  std::unique_ptr<Session> open(driver::NodeType node, const driver::Credentials& credentials,
                                Ref<driver::Account> account);

  // What the checker has found so far: none when it is off.
  std::vector<emu::CheckerReport> mistakes() const;

  // What must be back at its baseline once no client is left.
  struct Baseline {
    std::uint64_t used_frames = 0;  // but for spare pages of the page-table pool
    std::uint64_t buffers = 0;
    std::uint32_t groups = 0;
    std::uint64_t lent_pages = 0;  // of the page-table pool
    bool operator==(const Baseline&) const = default;
  };
  // Waits for everything pending first.
  Baseline baseline();

 private:
  struct State;
  explicit Machine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pantry::uapi
