// SPDX-License-Identifier: MIT
//
// mount() of debugfs. What the device has of it is in the tree, without a mount; test programs that
// find none mount it by themselves, which as root they would on the host, for good.
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, mount, const char*, const char*, const char*, unsigned long, const void*)

}  // namespace

extern "C" int shim_mount(const char* source, const char* target, const char* type,
                          unsigned long flags, const void* data) PANTRY_EXPORT(mount);
extern "C" int shim_mount(const char* source, const char* target, const char* type,
                          unsigned long flags, const void* data) {
  if (directory() && type && is_readable(type) && strcmp(type, "debugfs") == 0) {
    errno = EPERM;
    return -1;
  }
  return real_mount(source, target, type, flags, data);
}

}  // namespace pantry::shim
