// SPDX-License-Identifier: MIT
//
// Directories of the device's files are real directories of the tree; only their names are turned.
#include <dirent.h>
#include <glob.h>
#include <string.h>

#include "uapi/shim/libc.h"
#include "uapi/shim/path.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(DIR*, opendir, const char*)
PANTRY_REAL(int, scandir, const char*, dirent***, int (*)(const dirent*),
            int (*)(const dirent**, const dirent**))
PANTRY_REAL(int, glob, const char*, int, int (*)(const char*, int), glob_t*)

int glob_tree(const char* pattern, int flags, int (*on_error)(const char*, int), glob_t* found) {
  const Path translated(pattern);
  const int result = real_glob(translated.get(), flags, on_error, found);
  if (result == 0 && translated.ours())
    for (size_t i = 0; i < found->gl_pathc; ++i)
      strip_tree(found->gl_pathv[((flags & GLOB_DOOFFS) != 0 ? found->gl_offs : 0) + i]);
  return result;
}

}  // namespace

extern "C" DIR* shim_opendir(const char* path) PANTRY_EXPORT(opendir);
extern "C" DIR* shim_opendir(const char* path) { return real_opendir(Path(path).get()); }

using DirectoryFilter = int (*)(const dirent*);
using DirectoryOrder = int (*)(const dirent**, const dirent**);
extern "C" int shim_scandir(const char* path, dirent*** names, DirectoryFilter filter,
                            DirectoryOrder order) PANTRY_EXPORT(scandir);
extern "C" int shim_scandir(const char* path, dirent*** names, DirectoryFilter filter,
                            DirectoryOrder order) {
  return real_scandir(Path(path).get(), names, filter, order);
}
extern "C" int shim_scandir64(const char* path, dirent*** names, DirectoryFilter filter,
                              DirectoryOrder order) PANTRY_EXPORT(scandir64);
extern "C" int shim_scandir64(const char* path, dirent*** names, DirectoryFilter filter,
                              DirectoryOrder order) {
  return real_scandir(Path(path).get(), names, filter, order);
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
