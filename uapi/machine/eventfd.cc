// SPDX-License-Identifier: MIT
#include "uapi/machine/eventfd.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace pantry::uapi {

bool is_eventfd(int fd) {
  std::array<char, 64> name;
  const ssize_t length =
      ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), name.data(), name.size());
  return length > 0 &&
         std::string_view(name.data(), static_cast<std::size_t>(length)) == "anon_inode:[eventfd]";
}

}  // namespace pantry::uapi
