// SPDX-License-Identifier: MIT
//
// Refusing what a client asked: one log line that names the mistake, and the errno that the uAPI
// documents for it.
#pragma once

#include <utility>

#include "base/log.h"
#include "base/result.h"

namespace pantry::uapi {

// `return reject(Errno::kInval, "VM_BIND: vm {} is unknown", id);`
template <class... T>
Error reject(Errno error, fmt::format_string<T...> format, T&&... arguments) {
  log_client("uapi", format, std::forward<T>(arguments)...);
  return Error(error);
}

}  // namespace pantry::uapi
