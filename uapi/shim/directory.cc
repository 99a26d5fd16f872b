// SPDX-License-Identifier: MIT
//
// Directories of the device's files are real directories of the tree; only their names are turned,
// and what their entries are said to be.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/path.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(DIR*, opendir, const char*)
PANTRY_REAL(dirent*, readdir, DIR*)
PANTRY_REAL(int, readdir_r, DIR*, dirent*, dirent**)
PANTRY_REAL(ssize_t, getdents64, int, void*, size_t)
PANTRY_REAL(int, openat, int, const char*, int, ...)
PANTRY_REAL(int, glob, const char*, int, int (*)(const char*, int), glob_t*)

// In the tree a node or an attribute is a socket.
void correct(int directory_fd, dirent& entry) {
  if (entry.d_type != DT_SOCK || !directory()) return;
  const int saved = errno;
  if (const wire::Socket file = node_in(directory_fd, entry.d_name); file != kForeign)
    entry.d_type = is_device(file) ? DT_CHR : DT_REG;
  errno = saved;
}

dirent* read_entry(DIR* stream) {
  dirent* const entry = real_readdir(stream);
  if (entry) correct(dirfd(stream), *entry);
  return entry;
}

int read_entry_into(DIR* stream, dirent* entry, dirent** result) {
  const int error = real_readdir_r(stream, entry, result);
  if (error == 0 && *result) correct(dirfd(stream), **result);
  return error;
}

using DirectoryFilter = int (*)(const dirent*);
using DirectoryOrder = int (*)(const dirent**, const dirent**);

// The entries that `filter` wants, each a client's to free. False: there is no memory.
bool collect(DIR* stream, DirectoryFilter filter, dirent**& all, size_t& count) {
  size_t room = 0;
  while (const dirent* const entry = read_entry(stream)) {
    if (filter && filter(entry) == 0) continue;
    if (count == room) {
      room = room == 0 ? 16 : 2 * room;
      void* const more = realloc(all, room * sizeof *all);
      if (!more) return false;
      all = static_cast<dirent**>(more);
    }
    void* const copy = malloc(entry->d_reclen);
    if (!copy) return false;
    all[count++] = static_cast<dirent*>(memcpy(copy, entry, entry->d_reclen));
  }
  return true;
}

int by(const void* a, const void* b, void* order) {
  auto* const first = static_cast<const dirent**>(const_cast<void*>(a));
  auto* const second = static_cast<const dirent**>(const_cast<void*>(b));
  return (*static_cast<DirectoryOrder*>(order))(first, second);
}

// libc's own would show its filter, and return, what the entries are in the tree.
int scan(int at, const char* path, dirent*** names, DirectoryFilter filter, DirectoryOrder order) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;
  const int fd =
      real_openat(at, directory() && is_readable(path) ? Path(at, path).get() : path, kFlags);
  DIR* const stream = fd < 0 ? nullptr : fdopendir(fd);
  if (!stream) {
    const int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
    return -1;
  }
  const int saved = errno;
  dirent** all = nullptr;
  size_t count = 0;
  const bool collected = collect(stream, filter, all, count);
  closedir(stream);
  if (!collected) {
    while (count != 0) free(all[--count]);
    free(all);
    errno = ENOMEM;
    return -1;
  }
  if (order && count != 0) qsort_r(all, count, sizeof *all, by, &order);
  *names = all;
  errno = saved;
  return static_cast<int>(count);
}

int glob_tree(const char* pattern, int flags, int (*on_error)(const char*, int), glob_t* found) {
  // What a relative pattern finds is relative.
  if (!directory() || !is_readable(pattern) || pattern[0] != '/')
    return real_glob(pattern, flags, on_error, found);
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

extern "C" int shim_readdir_r(DIR* stream, dirent* entry, dirent** result) PANTRY_EXPORT(readdir_r);
extern "C" int shim_readdir_r(DIR* stream, dirent* entry, dirent** result) {
  return read_entry_into(stream, entry, result);
}
extern "C" int shim_readdir64_r(DIR* stream, dirent* entry, dirent** result)
    PANTRY_EXPORT(readdir64_r);
extern "C" int shim_readdir64_r(DIR* stream, dirent* entry, dirent** result) {
  return read_entry_into(stream, entry, result);
}

extern "C" ssize_t shim_getdents64(int fd, void* buffer, size_t size) PANTRY_EXPORT(getdents64);
extern "C" ssize_t shim_getdents64(int fd, void* buffer, size_t size) {
  const ssize_t bytes = real_getdents64(fd, buffer, size);
  for (ssize_t at = 0; at < bytes;) {
    auto* const entry = reinterpret_cast<dirent*>(static_cast<char*>(buffer) + at);
    correct(fd, *entry);
    at += entry->d_reclen;
  }
  return bytes;
}

#define PANTRY_SCANDIR(symbol)                                                            \
  extern "C" int shim_##symbol(const char* path, dirent*** names, DirectoryFilter filter, \
                               DirectoryOrder order) PANTRY_EXPORT(symbol);               \
  extern "C" int shim_##symbol(const char* path, dirent*** names, DirectoryFilter filter, \
                               DirectoryOrder order) {                                    \
    return scan(AT_FDCWD, path, names, filter, order);                                    \
  }
PANTRY_SCANDIR(scandir)
PANTRY_SCANDIR(scandir64)

#define PANTRY_SCANDIRAT(symbol)                                                                  \
  extern "C" int shim_##symbol(int at, const char* path, dirent*** names, DirectoryFilter filter, \
                               DirectoryOrder order) PANTRY_EXPORT(symbol);                       \
  extern "C" int shim_##symbol(int at, const char* path, dirent*** names, DirectoryFilter filter, \
                               DirectoryOrder order) {                                            \
    return scan(at, path, names, filter, order);                                                  \
  }
PANTRY_SCANDIRAT(scandirat)
PANTRY_SCANDIRAT(scandirat64)

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
