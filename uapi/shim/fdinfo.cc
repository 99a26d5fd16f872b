// SPDX-License-Identifier: MIT
#include "uapi/shim/fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/request.h"

namespace pantry::shim {
namespace {

// What the kernel prints for every file; a socket has more.
constexpr const char* kCommonLines[] = {"pos:", "flags:", "mnt_id:", "ino:"};

bool is_common(const char* line) {
  for (const char* start : kCommonLines)
    if (strncmp(line, start, strlen(start)) == 0) return true;
  return false;
}

int number_of(const char* digits) {
  if (*digits == '\0') return -1;
  int number = 0;
  for (; *digits; ++digits) {
    if (*digits < '0' || *digits > '9' || number > 100000000) return -1;
    number = number * 10 + (*digits - '0');
  }
  return number;
}

// Behind "/proc/self/fdinfo" or that of this process by number; null when it is neither.
const char* behind_own_fdinfo(const char* path) {
  if (strncmp(path, "/proc/", 6) != 0) return nullptr;
  char own[40];
  snprintf(own, sizeof own, "/proc/%d/fdinfo", getpid());
  const char* const names[] = {"/proc/self/fdinfo", own};
  for (const char* name : names)
    if (strncmp(path, name, strlen(name)) == 0) return path + strlen(name);
  return nullptr;
}

void write_all(int fd, const char* text, size_t size) {
  while (size != 0) {
    const ssize_t written = ::write(fd, text, size);
    if (written <= 0) return;
    text += written;
    size -= static_cast<size_t>(written);
  }
}

void copy_common_lines(int from, int to) {
  char text[1024];
  const ssize_t size = pread(from, text, sizeof text - 1, 0);
  if (size <= 0) return;
  text[size] = '\0';
  for (char* line = text; *line != '\0';) {
    char* const end = strchr(line, '\n');
    if (!end) return;
    if (is_common(line)) write_all(to, line, static_cast<size_t>(end + 1 - line));
    line = end + 1;
  }
}

}  // namespace

int ask_text(int fd, wire::Text text) {
  wire::Request request = {};
  request.ask = wire::Ask::kText;
  request.argument = static_cast<uint64_t>(text);
  const Answer answer = ask_host(fd, request, -1);
  if (answer.result == 0) return answer.fd;
  if (answer.fd >= 0) close(answer.fd);
  return -1;
}

int descriptor_of_fdinfo(int directory_fd, const char* path) {
  // A bad pointer is libc's to find.
  if (reinterpret_cast<size_t>(path) < 4096) return -1;
  if (path[0] == '/') {
    const char* const rest = behind_own_fdinfo(path);
    return rest && rest[0] == '/' ? number_of(rest + 1) : -1;
  }
  const int number = directory_fd != AT_FDCWD ? number_of(path) : -1;
  if (number < 0) return -1;
  const int saved = errno;
  char link[40];
  char name[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", directory_fd);
  const ssize_t length = readlink(link, name, sizeof name - 1);
  errno = saved;
  if (length <= 0) return -1;
  name[length] = '\0';
  const char* const rest = behind_own_fdinfo(name);
  return rest && rest[0] == '\0' ? number : -1;
}

bool has_fdinfo(wire::Socket socket) {
  return is_device(socket) || socket == wire::Socket::kDmaBuf;
}

int with_fdinfo(int fd, int file) {
  if (file < 0) return file;
  const int saved = errno;
  const int text = ask_text(fd, wire::Text::kFdinfo);
  const int flags = fcntl(file, F_GETFD);
  const int whole =
      text < 0 ? -1 : memfd_create("fdinfo", (flags & FD_CLOEXEC) != 0 ? MFD_CLOEXEC : 0);
  if (whole >= 0) {
    copy_common_lines(file, whole);
    char part[1024];
    for (off_t at = 0;;) {
      const ssize_t size = pread(text, part, sizeof part, at);
      if (size <= 0) break;
      write_all(whole, part, static_cast<size_t>(size));
      at += size;
    }
    lseek(whole, 0, SEEK_SET);
    close(file);
  }
  if (text >= 0) close(text);
  errno = saved;
  return whole >= 0 ? whole : file;
}

void read_text(int fd, wire::Text text, char* to, size_t room) {
  const int saved = errno;
  to[0] = '\0';
  const int file = ask_text(fd, text);
  if (file >= 0) {
    const ssize_t size = pread(file, to, room - 1, 0);
    to[size > 0 ? size : 0] = '\0';
    close(file);
  }
  errno = saved;
}

}  // namespace pantry::shim
