// SPDX-License-Identifier: MIT
//
// The firmware of the GPU's microcontroller, seen by the driver: loads the image into the MCU's
// address space, boots, halts and stops it, rings its doorbells and waits for its acknowledges.
//
// Waiting for the firmware is a device poll: at most 100 ms, locks may be held, allowed inside a
// SignallingSection. The job interrupt ends it early; that path takes no lock but the leaf lock in
// here. Allocates while it is loaded and booted the first time; after that only log lines do, in
// boot, halt and stop.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "driver/csf/firmware_image.h"
#include "driver/csf/firmware_interface.h"
#include "driver/vm/vm.h"
#include "gpu_emu/datasheet/firmware_interface.h"

namespace pantry::driver {

class FirmwareListener {
 public:
  // A firmware that has booted raised these bits of JOB_INT. On the interrupt lane, no lock held.
  virtual void on_firmware_events(std::uint32_t job_interrupts) noexcept = 0;

 protected:
  ~FirmwareListener() = default;
};

class Firmware final {
 public:
  static constexpr std::uint32_t kMaxGroups = datasheet::firmware_interface::kMaxUsedGroups;
  static constexpr Duration kAnswerLimit = milliseconds(100);
  static constexpr Duration kBootLimit = seconds(1);
  static constexpr Duration kPingInterval = seconds(12);

  // Whether the cycle counter runs all the time, so that streams and shaders can read it.
  enum class Counters { kOff, kOn };

  struct Config {
    VmDevice& device;
    emu::Mmio& mmio;
    ResetRequest& reset;
    std::uint64_t shader_present = 0;  // the cores that the firmware may use
    Counters counters = Counters::kOff;
  };
  // Creates the MCU's VM and maps the image's sections. EINVAL for an image that is refused, with
  // the reason logged; ENOMEM, ENOSPC.
  static Result<std::unique_ptr<Firmware>> load(
      const Config& config, std::span<const std::uint8_t> image) PANTRY_MAY_ALLOCATE;
  // Stopped by then, and every allocation is gone.
  ~Firmware() PANTRY_MAY_WAIT;
  Firmware(const Firmware&) = delete;
  Firmware& operator=(const Firmware&) = delete;

  // Switches the MCU's address space and the MCU on and sets the global interface up. ETIMEDOUT
  // when the firmware does not come up within 1 s, EINVAL when its interface is refused: then it is
  // stopped again. The sections may be kept after load and after a halt; after anything else the
  // firmware's memory cannot be trusted.
  enum class Sections { kKept, kReloaded };
  Result<> boot(Sections sections) PANTRY_MAY_ALLOCATE;
  // Lets the firmware save what runs and halt. False when it does not.
  bool halt() noexcept PANTRY_MAY_ALLOCATE;
  // Switches interrupt and MCU off, without asking the firmware. Harmless when it is off.
  void stop() noexcept PANTRY_MAY_ALLOCATE;

  Vm& vm() { return *vm_; }
  // Pre: has booted once.
  FirmwareInterface& interface() { return *interface_; }
  // Memory in the MCU's address space: queue pages, suspend buffers.
  Result<KernelMapping> allocate(std::uint64_t bytes, Prot prot) PANTRY_MAY_ALLOCATE;

  // Tells the firmware to look at the requests of the group slots in `slots`.
  void ring_groups(std::uint32_t slots) noexcept;
  // Tells it that the queues of the group on `slot` have new work.
  static constexpr std::uint32_t queue_doorbell(std::uint32_t slot) { return slot + 1; }
  void ring_queues(std::uint32_t slot) noexcept;
  // Answers the events of the global interface; those that were there, of datasheet::glb::Request.
  std::uint32_t answer_global_events() noexcept;

  // Until the request of every slot agrees with its acknowledge in the bits of its mask: the slots
  // that did not get there in time.
  using GroupMasks = std::array<std::uint32_t, kMaxGroups>;
  std::uint32_t wait_for_groups(const GroupMasks& masks) noexcept;

  // While there is work on slots the firmware is asked every 12 s whether it is alive; no answer
  // means a reset.
  enum class Load { kIdle, kBusy };
  void set_load(Load load) noexcept;

  void set_listener(FirmwareListener* listener) noexcept { listener_.store(listener); }
  // The body of the job interrupt, on the interrupt lane.
  void handle_interrupt() PANTRY_MAY_ALLOCATE;

 private:
  struct LoadedSection {
    FirmwareSection section;
    KernelMapping mapping;
  };
  explicit Firmware(const Config& config);
  Result<> map_sections(FirmwareImage image) PANTRY_MAY_ALLOCATE;
  void fill_sections() noexcept;
  Result<> start() PANTRY_MAY_ALLOCATE;
  Result<> read_interface() PANTRY_MAY_ALLOCATE;
  void set_up_global() noexcept;
  void unmask_interrupt() noexcept;
  void ring_global() noexcept;
  void ping();
  template <class Condition>
  bool wait_until(Condition condition, Duration limit) noexcept;

  const Config config_;
  Clock& clock_;
  Ref<Vm> vm_;
  bool vm_is_active_ = false;
  std::vector<LoadedSection> sections_;
  std::size_t shared_ = 0;
  std::optional<FirmwareInterface> interface_;
  std::atomic<FirmwareListener*> listener_{nullptr};
  std::atomic<Load> load_{Load::kIdle};
  MemberWork<Firmware, &Firmware::ping> ping_work_{*this};

  // The input words of the global interface have writers on several threads. Leaf lock.
  Mutex global_mutex_;
  // Leaf lock: booted_, and that no wake of a waiter gets lost.
  Mutex mutex_;
  CondVar interrupted_;
  bool booted_ PANTRY_GUARDED_BY(mutex_) = false;
  // What the interrupt mask is while no handler runs. Held for the write of the register, too.
  Mutex mask_mutex_;
  std::uint32_t mask_ PANTRY_GUARDED_BY(mask_mutex_) = 0;
};

}  // namespace pantry::driver
