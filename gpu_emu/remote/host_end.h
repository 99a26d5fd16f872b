// SPDX-License-Identifier: MIT
//
// For tests and benchmarks: a host without a driver. Owns the memory it lends, the read end of the
// interrupt socket, and the thread that serves the device.
#pragma once

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "base/check.h"
#include "gpu_emu/remote/handshake.h"
#include "gpu_emu/remote/remote_device.h"
#include "gpu_emu/remote/remote_mmio.h"

namespace pantry::emu {

class HostEnd {
 public:
  static constexpr std::uint64_t kDramBytes = 16 * kMiB;
  static constexpr PhysAddr kDramBase{0x4000'0000};

  HostEnd() {
    int pair[2];
    PANTRY_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    socket = Descriptor(pair[0]);
    device_ = Descriptor(pair[1]);
    PANTRY_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    edges = Descriptor(pair[0]);
    device_edges = Descriptor(pair[1]);
    stop = Descriptor(::eventfd(0, EFD_CLOEXEC));
    dram = Descriptor(::memfd_create("dram", MFD_CLOEXEC));
    page = Descriptor(::memfd_create("page", MFD_CLOEXEC));
    PANTRY_CHECK(::ftruncate(dram.get(), kDramBytes) == 0);
    PANTRY_CHECK(::ftruncate(page.get(), kPageSize) == 0);
  }
  ~HostEnd() { end(); }

  Loan loan() const {
    return {.dram = dram.get(),
            .dram_base = kDramBase,
            .dram_bytes = kDramBytes,
            .dram_offset = 0,
            .edges = device_edges.get(),
            .user_page = page.get(),
            .user_page_offset = 0};
  }
  void serve() {
    thread_ = std::thread(
        [this] { result.emplace(serve_remote_device(std::move(device_), stop.get(), config)); });
  }
  // Serves, says hello, and hands over the registers.
  RemoteMmio& connect() {
    serve();
    PANTRY_CHECK(send_hello(socket.get(), loan()).has_value());
    mmio_.emplace(std::move(socket));
    return *mmio_;
  }
  // Stops the device and waits for it.
  Result<RemoteDeviceTotals>& end() {
    if (thread_.joinable()) {
      const std::uint64_t one = 1;
      PANTRY_CHECK(::write(stop.get(), &one, sizeof one) == static_cast<ssize_t>(sizeof one));
      thread_.join();
    }
    return *result;
  }
  // Waits for the device to end by itself.
  Result<RemoteDeviceTotals>& join() {
    thread_.join();
    return *result;
  }
  void hang_up() {
    mmio_.reset();
    socket = Descriptor();
  }

  Descriptor socket, edges, device_edges, stop, dram, page;
  RemoteDeviceConfig config;  // of the device; before serve()
  std::optional<Result<RemoteDeviceTotals>> result;

 private:
  Descriptor device_;
  std::optional<RemoteMmio> mmio_;
  std::thread thread_;
};

}  // namespace pantry::emu
