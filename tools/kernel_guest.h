// SPDX-License-Identifier: MIT
//
// One boot of a guest kernel with one program in it. The guest is a process of this user, on this
// host's file system; a private folder carries the command in and the status out. Blocks until the
// guest is off.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "tools/kernel_build.h"

namespace pantry::tools {

struct KernelGuest {
  KernelBuild build;
  std::string init_program;  // the guest's first process
  std::string folder;        // private; the device listens on folder + "/device"
  std::vector<std::string>
      command;  // program and arguments; runs in this process's directory and environment
  std::uint64_t memory_mib = 0;
  // Whether the guest tells who owns its memory: for the checker.
  enum class FrameOwners { kUntold, kTold } frame_owners = FrameOwners::kUntold;
  enum class Debugger { kNone, kGdb } debugger = Debugger::kNone;
};

// Where the three streams of a guest go.
struct GuestOutput {
  int out = -1;
  int err = -1;
  int kernel_log = -1;
};

inline constexpr const char* kDeviceSocket = "/device";

// The exit status of the program as a shell would report it; EIO when the kernel ended before the
// program did.
Result<int> run_guest(const KernelGuest& guest, const GuestOutput& output);

// The guest's first process: beside this very program.
std::string default_init_program();

}  // namespace pantry::tools
