// SPDX-License-Identifier: MIT
//
// Directories of the device's files are real directories of the tree; only their names are turned,
// and what their entries are said to be.
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <string.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/path.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(DIR*, opendir, const char*)
PANTRY_REAL(dirent*, readdir, DIR*)
PANTRY_REAL(int, scandir, const char*, dirent***, int (*)(const dirent*),
            int (*)(const dirent**, const dirent**))
PANTRY_REAL(int, glob, const char*, int, int (*)(const char*, int), glob_t*)

// In the tree a node or an attribute is a socket.
dirent* read_entry(DIR* stream) {
  dirent* const entry = real_readdir(stream);
  if (!entry || entry->d_type != DT_SOCK || !directory()) return entry;
  const int saved = errno;
  if (const wire::Socket file = node_in(dirfd(stream), entry->d_name); file != kForeign)
    entry->d_type = is_device(file) ? DT_CHR : DT_REG;
  errno = saved;
  return entry;
}

int scan_tree(const char* path, dirent*** names, int (*filter)(const dirent*),
              int (*order)(const dirent**, const dirent**)) {
  if (!directory() || !is_readable(path)) return real_scandir(path, names, filter, order);
  return real_scandir(Path(path).get(), names, filter, order);
}

int glob_tree(const char* pattern, int flags, int (*on_error)(const char*, int), glob_t* found) {
  if (!directory() || !is_readable(pattern)) return real_glob(pattern, flags, on_error, found);
  const Path translated(pattern);
  const int result = real_glob(translated.get(), flags, on_error, found);
  if (result == 0 && translated.ours())
    for (size_t i = 0; i < found->gl_pathc; ++i)
      strip_tree(found->gl_pathv[((flags & GLOB_DOOFFS) != 0 ? found->gl_offs : 0) + i]);
  return result;
}

}  // namespace

extern "C" DIR* shim_opendir(const char* path) PANTRY_EXPORT(opendir);
extern "C" DIR* shim_opendir(const char* path) {
  if (!directory() || !is_readable(path)) return real_opendir(path);
  return real_opendir(Path(path).get());
}

extern "C" dirent* shim_readdir(DIR* stream) PANTRY_EXPORT(readdir);
extern "C" dirent* shim_readdir(DIR* stream) { return read_entry(stream); }
extern "C" dirent* shim_readdir64(DIR* stream) PANTRY_EXPORT(readdir64);
extern "C" dirent* shim_readdir64(DIR* stream) { return read_entry(stream); }

using DirectoryFilter = int (*)(const dirent*);
using DirectoryOrder = int (*)(const dirent**, const dirent**);
extern "C" int shim_scandir(const char* path, dirent*** names, DirectoryFilter filter,
                            DirectoryOrder order) PANTRY_EXPORT(scandir);
extern "C" int shim_scandir(const char* path, dirent*** names, DirectoryFilter filter,
                            DirectoryOrder order) {
  return scan_tree(path, names, filter, order);
}
extern "C" int shim_scandir64(const char* path, dirent*** names, DirectoryFilter filter,
                              DirectoryOrder order) PANTRY_EXPORT(scandir64);
extern "C" int shim_scandir64(const char* path, dirent*** names, DirectoryFilter filter,
                              DirectoryOrder order) {
  return scan_tree(path, names, filter, order);
}

using GlobError = int (*)(const char*, int);
extern "C" int shim_glob(const char* pattern, int flags, GlobError on_error, glob_t* found)
    PANTRY_EXPORT(glob);
extern "C" int shim_glob(const char* pattern, int flags, GlobError on_error, glob_t* found) {
  return glob_tree(pattern, flags, on_error, found);
}
extern "C" int shim_glob64(const char* pattern, int flags, GlobError on_error, glob_t* found)
    PANTRY_EXPORT(glob64);
extern "C" int shim_glob64(const char* pattern, int flags, GlobError on_error, glob_t* found) {
  return glob_tree(pattern, flags, on_error, found);
}

}  // namespace pantry::shim
