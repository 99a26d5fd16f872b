// SPDX-License-Identifier: MIT
//
// The memory that driver and device share: a window of address space for DRAM, of which only
// touched pages cost anything, and the page that clients map to read the flush id.
#pragma once

#include "base/result.h"
#include "driver/gem/backing.h"
#include "gpu_emu/ports.h"

namespace pantry::uapi {

// Private anonymous memory, aligned to 2 MiB so that host huge pages and GPU blocks coincide. Moves
// nowhere.
class DramWindow {
 public:
  // Where DRAM starts on the device's bus: not 0, so that a forgotten translation shows.
  static constexpr PhysAddr kBase{0x4000'0000};

  // `bytes`: a multiple of 2 MiB. ENOMEM.
  static Result<DramWindow> map(std::uint64_t bytes);
  DramWindow(DramWindow&& other) noexcept;
  DramWindow& operator=(DramWindow&&) = delete;
  ~DramWindow();

  emu::Dram dram() const { return {kBase, bytes_, host_}; }

 private:
  DramWindow(void* mapping, std::uint64_t mapped, std::uint64_t bytes);
  void* mapping_;
  std::uint64_t mapped_;
  std::uint64_t bytes_;
  std::uint8_t* host_;
};

// The flush id page: a memfd, so that clients can map it. They get a descriptor that is open for
// reading only.
class FlushIdPage {
 public:
  static Result<FlushIdPage> map();
  FlushIdPage(FlushIdPage&& other) noexcept;
  FlushIdPage& operator=(FlushIdPage&&) = delete;
  ~FlushIdPage();

  emu::UserPage port() const { return {word_}; }
  int read_only_fd() const { return read_only_.get(); }

 private:
  FlushIdPage(std::atomic<std::uint32_t>* word, driver::OwnedFd read_only);
  std::atomic<std::uint32_t>* word_;
  driver::OwnedFd read_only_;
};

}  // namespace pantry::uapi
