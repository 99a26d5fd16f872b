// SPDX-License-Identifier: MIT
#include "tools/kernel_device.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "base/log.h"

namespace pantry::tools {

Result<std::unique_ptr<KernelDevice>> KernelDevice::listen(const std::string& path,
                                                           const emu::RemoteDeviceConfig& config) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error(static_cast<Errno>(ENAMETOOLONG));
  std::memcpy(address.sun_path, path.c_str(), path.size());
  emu::Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  emu::Descriptor stop(::eventfd(0, EFD_CLOEXEC));
  if (!listener || !stop ||
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 1) != 0)
    return Error(static_cast<Errno>(errno));
  return std::unique_ptr<KernelDevice>(
      new KernelDevice(std::move(listener), std::move(stop), config));
}

KernelDevice::KernelDevice(emu::Descriptor listener, emu::Descriptor stop,
                           const emu::RemoteDeviceConfig& config)
    : listener_(std::move(listener)),
      stop_(std::move(stop)),
      config_(config),
      thread_([this] { serve(); }) {}

KernelDevice::~KernelDevice() { end(); }

std::vector<emu::CheckerReport> KernelDevice::end() {
  if (thread_.joinable()) {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  return std::move(mistakes_);
}

void KernelDevice::serve() {
  for (;;) {
    pollfd fds[] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    emu::Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) continue;
    const auto totals = emu::serve_remote_device(std::move(socket), stop_.get(), config_);
    if (totals) {
      log_info(
          "tools",
          "the guest's device: {} register accesses ({} refused), {} interrupts, {} resets, of "
          "which {} recoveries",
          totals->requests, totals->refused, totals->edges, totals->resets, totals->recoveries);
      recoveries_ += totals->recoveries;
      mistakes_.insert(mistakes_.end(), totals->mistakes.begin(), totals->mistakes.end());
    } else if (totals.error() != Errno::kCanceled)
      log_error("tools", "the guest's device: {}", name_of(totals.error()));
  }
}

}  // namespace pantry::tools
