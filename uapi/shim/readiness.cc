// SPDX-License-Identifier: MIT
#include "uapi/shim/readiness.h"

#include <linux/dma-buf.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/request.h"
#include "uapi/shim/uncancelled.h"

namespace pantry::shim {
namespace {

int64_t now_ns() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

}  // namespace

uint32_t events_of(wire::Socket socket, uint32_t events) {
  constexpr uint32_t kOfSocketsOnly = POLLOUT | POLLWRNORM | POLLWRBAND | POLLRDHUP;
  return is_device(socket) || socket == wire::Socket::kSyncFile ? events & ~kOfSocketsOnly : events;
}

uint32_t ready_of_dma_buf(int fd, uint32_t events) {
  wire::Request request = {};
  request.ask = wire::Ask::kReady;
  const Answer answer = ask_host(fd, request, -1);
  if (answer.result != 0) return events & kData;
  uint32_t ready = 0;
  if ((answer.reply.value & wire::kReadable) != 0) ready |= POLLIN;
  if ((answer.reply.value & wire::kWritable) != 0) ready |= POLLOUT;
  return events & ready;
}

int sync_file_for(int fd, uint32_t event) {
  dma_buf_export_sync_file args = {};
  args.flags = event == POLLIN ? DMA_BUF_SYNC_READ : DMA_BUF_SYNC_WRITE;
  wire::Request request = {};
  request.ask = wire::Ask::kIoctl;
  request.command = DMA_BUF_IOCTL_EXPORT_SYNC_FILE;
  request.argument = reinterpret_cast<uint64_t>(&args);
  const Answer answer = ask_host(fd, request, -1, sizeof args);
  if (answer.result == 0) return answer.fd;
  const Uncancelled whole;
  if (answer.fd >= 0) close(answer.fd);
  return -1;
}

Deadline::Deadline(const timespec* timeout) : limited_(timeout != nullptr) {
  if (!limited_) return;
  const int64_t now = now_ns();
  int64_t ns = 0;
  if (__builtin_mul_overflow(int64_t{timeout->tv_sec}, int64_t{1000000000}, &ns) ||
      __builtin_add_overflow(ns, int64_t{timeout->tv_nsec}, &ns) ||
      __builtin_add_overflow(ns, now, &end_))
    limited_ = false;
}

const timespec* Deadline::left() {
  if (!limited_) return nullptr;
  const int64_t ns = end_ - now_ns();
  left_ = {ns > 0 ? ns / 1000000000 : 0, ns > 0 ? ns % 1000000000 : 0};
  return &left_;
}

bool Deadline::is_over() const { return limited_ && end_ <= now_ns(); }

}  // namespace pantry::shim
