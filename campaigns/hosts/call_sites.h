// SPDX-License-Identifier: MIT
//
// Names for the places in this program's sources that call stacks come from: of each stack the
// innermost line that is driver or uapi code, as "driver/vm/vm_bind.cc:89". Needs line tables in
// the program and addr2line (binutils) on the path.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "driver/kernel/call_stack.h"

namespace pantry::campaigns {

class CallSites {
 public:
  void add(const driver::CallStack& stack) { stacks_.push_back(stack); }
  void add(const CallSites& other) {
    stacks_.insert(stacks_.end(), other.stacks_.begin(), other.stacks_.end());
  }
  // How many stacks came from each place; "?" where no line is ours. Runs addr2line once.
  std::map<std::string, std::uint64_t> count() const;
  // The place of one stack.
  static std::string name(const driver::CallStack& stack);

 private:
  std::vector<driver::CallStack> stacks_;
};

}  // namespace pantry::campaigns
