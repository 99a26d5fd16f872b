// SPDX-License-Identifier: MIT
//
// The kernel that `pantry kernel` boots: built by tools/kernel_glue/build from Debian's source
// package or the user's tree, once, in the user's cache. Blocks for as long as that takes.
#pragma once

#include <string>

#include "base/result.h"

namespace pantry::tools {

struct KernelBuild {
  std::string linux_program;  // User-Mode Linux: an ordinary program
  std::string device_tree;
};

struct KernelChoice {
  std::string variant;  // "plain", or kasan, lockdep and gdb joined by "+"
  std::string source;   // empty: Debian's package
};

// ENOENT when the folder of the glue is not above this program's, ECANCELED when the kernel does
// not build (which has been said on stderr by then).
Result<KernelBuild> build_kernel(const KernelChoice& choice);

}  // namespace pantry::tools
