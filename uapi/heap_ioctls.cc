// SPDX-License-Identifier: MIT
//
// TILER_HEAP_CREATE and TILER_HEAP_DESTROY: not there yet. A client that asks for a heap is told
// so.
#include "base/log.h"
#include "uapi/ioctl_handlers.h"

namespace pantry::uapi {

Result<> tiler_heap_create(Call&) {
  log_gap("uapi", "TILER_HEAP_CREATE: tiler heaps are not emulated");
  return Error(Errno::kNotSupp);
}

Result<> tiler_heap_destroy(Call&) {
  log_gap("uapi", "TILER_HEAP_DESTROY: tiler heaps are not emulated");
  return Error(Errno::kNotSupp);
}

}  // namespace pantry::uapi
