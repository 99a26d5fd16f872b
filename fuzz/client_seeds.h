// SPDX-License-Identifier: MIT
//
// Seeds of the fuzzers that are clients, hosts and files: what a Vulkan driver asks for to submit
// an empty command buffer, what the igt_tests do, and traces as the recorder writes them.
#pragma once

#include <map>
#include <string>

#include "fuzz/bytes.h"

namespace pantry::fuzz {

// By fuzzer, by name. Throws bad_alloc.
std::map<std::string, std::map<std::string, Bytes>> client_seeds();

}  // namespace pantry::fuzz
