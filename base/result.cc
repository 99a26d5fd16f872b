// SPDX-License-Identifier: MIT
#include "base/result.h"

#include <cstring>

namespace pantry {

const char* name_of(Errno error) {
  const char* name = strerrorname_np(static_cast<int>(error));
  return name ? name : "unknown errno";
}

}  // namespace pantry
