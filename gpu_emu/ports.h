// SPDX-License-Identifier: MIT
//
// What a host and the device owe each other. The driver reaches the GPU through Mmio, Dram and
// IrqLine and nothing else; the device reaches its host through IrqLine, UserPage, Wake, TimeSource
// and FrameOwner, and nothing else. Anything that keeps these promises can be the host: our driver,
// the remote protocol, a test.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/types.h"

namespace pantry::emu {

// Register access. Each 32-bit access is atomic, and all of them are totally ordered. A write
// publishes all earlier DRAM writes of the caller; a read acquires all DRAM writes that the device
// made before it. Offsets are from the start of the 2 MiB aperture, multiples of 4.
class Mmio {
 public:
  virtual std::uint32_t read32(std::uint32_t offset) = 0;
  virtual void write32(std::uint32_t offset, std::uint32_t value) = 0;

  // A 64-bit register is two 32-bit accesses, LO then HI; another thread may get between them.
  std::uint64_t read64(std::uint32_t offset) {
    const std::uint64_t lo = read32(offset);
    return lo | std::uint64_t{read32(offset + 4)} << 32;
  }
  void write64(std::uint32_t offset, std::uint64_t value) {
    write32(offset, static_cast<std::uint32_t>(value));
    write32(offset + 4, static_cast<std::uint32_t>(value >> 32));
  }

 protected:
  ~Mmio() = default;
};

// A window of memory that driver and device see at the same host addresses. A value: copied freely,
// contiguous and alive as long as either side. The device never allocates or remaps. An address
// outside is a bus fault, which the caller reports; it is never dereferenced.
struct Dram {
  PhysAddr base;
  std::uint64_t size = 0;        // bytes, a multiple of 4 KiB
  std::uint8_t* host = nullptr;  // of `base`

  bool contains(PhysAddr pa, std::uint64_t bytes) const {
    return pa.value >= base.value && bytes <= size && pa.value - base.value <= size - bytes;
  }
  // The host address of [pa, pa + bytes), or nullptr when any byte of it is outside.
  void* at(PhysAddr pa, std::uint64_t bytes) const {
    return contains(pa, bytes) ? host + (pa.value - base.value) : nullptr;
  }
};

// A level-triggered interrupt line. set() stores the level and wakes its consumer. It never calls
// the driver, since a mask write can raise the line on the driver's own thread, under the driver's
// locks. The consumer samples the level again after its handler. Called with the device's lock
// held.
class IrqLine {
 public:
  virtual void set(bool level) = 0;

 protected:
  ~IrqLine() = default;
};

// The page that clients map to read the flush id (its first word). The device writes it while it is
// powered; the driver's power code publishes 1 while the device is suspended. `word` lies in memory
// that may be shared with clients.
struct UserPage {
  std::atomic<std::uint32_t>* word = nullptr;
};

// "Clock me again": the device has work it did not have when it last returned idle. Called with the
// device's lock held; only wakes the thread that calls Gpu::run.
class Wake {
 public:
  virtual void wake() = 0;

 protected:
  ~Wake() = default;
};

// Time as the device sees it: for timestamps, timers and power delays. Monotonic; virtual under
// simulation.
class TimeSource {
 public:
  virtual TimePoint now() = 0;

 protected:
  ~TimeSource() = default;
};

// Who owns a frame, as far as the host's allocator can tell; 0 is nobody. Feeds the MMU checker.
// Optional.
class FrameOwner {
 public:
  virtual void changed(PhysExtent frames, std::uint64_t owner) = 0;

 protected:
  ~FrameOwner() = default;
};

// What Gpu::run found when it stopped.
struct RunState {
  enum class Kind : std::uint8_t {
    kBusy,       // the budget ran out, or an access waits for the lock: call again
    kIdle,       // nothing to do until wake() or a register access
    kIdleUntil,  // as kIdle, but call again at `until` at the latest
  };
  Kind kind = Kind::kIdle;
  TimePoint until = TimePoint::never();
};

// Everything a device needs of its host. All of it outlives the device.
struct HostPorts {
  Dram dram;
  IrqLine* gpu_irq = nullptr;
  IrqLine* job_irq = nullptr;
  IrqLine* mmu_irq = nullptr;
  UserPage user_page;
  Wake* wake = nullptr;
  TimeSource* time = nullptr;
  FrameOwner* frame_owner = nullptr;  // may be null
};

}  // namespace pantry::emu
