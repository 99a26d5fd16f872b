// SPDX-License-Identifier: MIT
//
// A current directory among the device's files is one of the tree; only its name is turned.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/path.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, chdir, const char*)
PANTRY_REAL(char*, getcwd, char*, size_t)
PANTRY_REAL(char*, get_current_dir_name)
PANTRY_REAL(char*, __getcwd_chk, char*, size_t, size_t)

char* current(char* buffer, size_t size) {
  const int saved = errno;
  char* const name = real_getcwd(buffer, size);
  if (name) {
    strip_tree(name);
    return name;
  }
  if (errno != ERANGE || !directory()) return nullptr;
  // As the client knows it, it may be short enough.
  char whole[PATH_MAX];
  if (!real_getcwd(whole, sizeof whole)) return nullptr;
  strip_tree(whole);
  const size_t bytes = strlen(whole) + 1;
  if (bytes > size) {
    errno = ERANGE;
    return nullptr;
  }
  if (!buffer) buffer = static_cast<char*>(malloc(size));
  if (!buffer) return nullptr;
  errno = saved;
  return static_cast<char*>(memcpy(buffer, whole, bytes));
}

}  // namespace

extern "C" int shim_chdir(const char* path) PANTRY_EXPORT(chdir);
extern "C" int shim_chdir(const char* path) {
  if (!directory() || !is_readable(path)) return real_chdir(path);
  return real_chdir(Path(path).get());
}

extern "C" char* shim_getcwd(char* buffer, size_t size) PANTRY_EXPORT(getcwd);
extern "C" char* shim_getcwd(char* buffer, size_t size) { return current(buffer, size); }
extern "C" char* shim_getwd(char* buffer) PANTRY_EXPORT(getwd);
extern "C" char* shim_getwd(char* buffer) { return current(buffer, PATH_MAX); }
extern "C" char* shim_get_current_dir_name() PANTRY_EXPORT(get_current_dir_name);
extern "C" char* shim_get_current_dir_name() {
  char* const name = real_get_current_dir_name();
  if (name) strip_tree(name);
  return name;
}

// The checked forms; libc's own end the program when the buffer is shorter than it says.
extern "C" char* shim___getcwd_chk(char* buffer, size_t size, size_t room)
    PANTRY_EXPORT(__getcwd_chk);
extern "C" char* shim___getcwd_chk(char* buffer, size_t size, size_t room) {
  return size > room ? real___getcwd_chk(buffer, size, room) : current(buffer, size);
}
extern "C" char* shim___getwd_chk(char* buffer, size_t room) PANTRY_EXPORT(__getwd_chk);
extern "C" char* shim___getwd_chk(char* buffer, size_t room) {
  return current(buffer, room < PATH_MAX ? room : PATH_MAX);
}

}  // namespace pantry::shim
