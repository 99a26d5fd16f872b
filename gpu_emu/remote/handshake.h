// SPDX-License-Identifier: MIT
//
// The first exchange of the protocol (wire.h), for both ends. What a peer sends is checked here and
// nowhere later; what is left of it afterwards is mapped memory and an interrupt socket.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/types.h"
#include "gpu_emu/remote/descriptor.h"
#include "gpu_emu/remote/shared_window.h"
#include "gpu_emu/remote/wire.h"

namespace pantry::emu {

// What a host has lent to the device.
struct Lent {
  PhysAddr dram_base;
  SharedWindow dram;
  SharedWindow user_page;  // 4 KiB; a page of the device's own when the host has none
  Descriptor edges;
  std::optional<SharedWindow> frames;  // of pantry_frames; when the host tells who owns its memory
};

// Device end: waits for a hello on `socket`, until it comes, the peer hangs up, or `stop` becomes
// readable. Sends the welcome in any case where something came. ECANCELED for the stop, EPIPE for a
// hang-up, else the status that was sent.
Result<Lent> receive_hello(int socket, int stop);

// What a host lends. The descriptors stay the caller's.
struct Loan {
  int dram = -1;
  PhysAddr dram_base;
  std::uint64_t dram_bytes = 0;
  std::uint64_t dram_offset = 0;
  int edges = -1;
  int user_page = -1;  // -1: none
  std::uint64_t user_page_offset = 0;
  int frames = -1;  // of pantry_frames; -1: none
};

// Host end: sends the hello and waits for the welcome. The device's errno, or EPIPE.
Result<> send_hello(int socket, const Loan& loan);

}  // namespace pantry::emu
