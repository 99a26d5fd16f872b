// SPDX-License-Identifier: MIT
#include "uapi/shim/fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/request.h"
#include "uapi/shim/status_flags.h"
#include "uapi/shim/uncancelled.h"

namespace pantry::shim {
namespace {

// What the kernel prints for every file; a socket has more.
constexpr const char* kCommonLines[] = {"pos:", "flags:", "mnt_id:", "ino:"};

bool is_common(const char* line) {
  for (const char* start : kCommonLines)
    if (strncmp(line, start, strlen(start)) == 0) return true;
  return false;
}

void write_all(int fd, const char* text, size_t size) {
  while (size != 0) {
    const ssize_t written = ::write(fd, text, size);
    if (written <= 0) return;
    text += written;
    size -= static_cast<size_t>(written);
  }
}

// "flags:" of `fd`, for which the kernel knows those of a socket.
void write_flags(int fd, const char* line, int to) {
  const int kernel = static_cast<int>(strtol(line + strlen("flags:"), nullptr, 8));
  char text[40];
  const int size =
      snprintf(text, sizeof text, "flags:\t0%o\n", static_cast<unsigned>(status_flags(fd, kernel)));
  write_all(to, text, static_cast<size_t>(size));
}

void copy_common_lines(int fd, int from, int to) {
  char text[1024];
  const ssize_t size = pread(from, text, sizeof text - 1, 0);
  if (size <= 0) return;
  text[size] = '\0';
  for (char* line = text; *line != '\0';) {
    char* const end = strchr(line, '\n');
    if (!end) return;
    if (strncmp(line, "flags:", 6) == 0)
      write_flags(fd, line, to);
    else if (is_common(line))
      write_all(to, line, static_cast<size_t>(end + 1 - line));
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

bool has_fdinfo(wire::Socket socket) {
  return is_device(socket) || socket == wire::Socket::kDmaBuf;
}

int with_fdinfo(int fd, int file) {
  if (file < 0) return file;
  const Uncancelled whole_file;
  const int saved = errno;
  const int text = ask_text(fd, wire::Text::kFdinfo);
  const int on_exec = (fcntl(file, F_GETFD) & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0;
  int whole = text < 0 ? -1 : memfd_create("fdinfo", MFD_CLOEXEC);
  if (whole >= 0) {
    copy_common_lines(fd, file, whole);
    char part[1024];
    for (off_t at = 0;;) {
      const ssize_t size = pread(text, part, sizeof part, at);
      if (size <= 0) break;
      write_all(whole, part, static_cast<size_t>(size));
      at += size;
    }
    whole = reopen(whole, O_RDONLY | on_exec);
  }
  if (whole >= 0) close(file);
  if (text >= 0) close(text);
  errno = saved;
  return whole >= 0 ? whole : file;
}

void read_text(int fd, wire::Text text, char* to, size_t room) {
  const Uncancelled whole;
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
