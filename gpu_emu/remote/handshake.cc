// SPDX-License-Identifier: MIT
#include "gpu_emu/remote/handshake.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

#include "base/log.h"

namespace pantry::emu {
namespace {

constexpr const char* kRoom = "gpu_emu/remote";
constexpr Errno kPipe = static_cast<Errno>(EPIPE);
constexpr Errno kProtocol = static_cast<Errno>(EPROTO);
constexpr Errno kVersion = static_cast<Errno>(EPROTONOSUPPORT);
constexpr std::size_t kMostDescriptors = 4;

// The descriptors that came with the first byte. More than fit are an error, and are closed by the
// kernel.
struct Received {
  std::array<Descriptor, kMostDescriptors> fds;
  std::size_t count = 0;
  bool too_many = false;
};

ssize_t receive_with_descriptors(int socket, void* to, std::size_t bytes, Received& received) {
  iovec part{to, bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) return got;
  if ((message.msg_flags & MSG_CTRUNC) != 0) received.too_many = true;
  for (cmsghdr* part_of = CMSG_FIRSTHDR(&message); part_of;
       part_of = CMSG_NXTHDR(&message, part_of)) {
    if (part_of->cmsg_level != SOL_SOCKET || part_of->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part_of->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part_of) + i * sizeof fd, sizeof fd);
      Descriptor owned(fd);
      if (received.count == kMostDescriptors)
        received.too_many = true;
      else
        received.fds[received.count++] = std::move(owned);
    }
  }
  return got;
}

Result<> wait_readable(int socket, int stop) {
  pollfd fds[] = {{socket, POLLIN, 0}, {stop, POLLIN, 0}};
  while (::poll(fds, 2, -1) < 0)
    if (errno != EINTR) return Error(kPipe);
  if (fds[1].revents != 0) return Error(Errno::kCanceled);
  return {};
}

Result<pantry_hello> receive_bytes(int socket, int stop, Received& received) {
  pantry_hello hello;
  std::size_t have = 0;
  while (have < sizeof hello) {
    PANTRY_TRY(wait_readable(socket, stop));
    const ssize_t got = receive_with_descriptors(socket, reinterpret_cast<char*>(&hello) + have,
                                                 sizeof hello - have, received);
    if (got == 0) return Error(have == 0 ? kPipe : kProtocol);
    if (got < 0 && errno != EAGAIN && errno != EINTR) return Error(kPipe);
    if (got > 0) have += static_cast<std::size_t>(got);
    // A peer that is not one of ours is told at once; it might wait for our answer before it goes
    // on.
    if (have >= sizeof hello.magic && hello.magic != PANTRY_WIRE_MAGIC) return Error(kProtocol);
  }
  return hello;
}

bool is_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
         (type == SOCK_STREAM || type == SOCK_SEQPACKET);
}

Result<SharedWindow> own_page() {
  const Descriptor file(::memfd_create("pantry-flush-id", MFD_CLOEXEC));
  if (!file || ::ftruncate(file.get(), kPageSize) != 0) return Error(Errno::kNoMem);
  return SharedWindow::map(file.get(), 0, kPageSize);
}

// One for each 4 KiB of DRAM and the one that counts.
constexpr std::uint64_t bytes_of_frames(std::uint64_t dram_bytes) {
  return align_up((1 + dram_bytes / kPageSize) * sizeof(pantry_frame), kPageSize);
}

Result<Lent> accept_hello(const pantry_hello& hello, Received& received) {
  if (hello.bytes != sizeof hello) return Error(kProtocol);
  if (hello.version < PANTRY_WIRE_VERSION) return Error(kVersion);
  constexpr std::uint32_t kKnown = PANTRY_HAS_USER_PAGE | PANTRY_HAS_FRAME_OWNERS;
  if ((hello.flags & ~kKnown) != 0) return Error(kVersion);
  const bool has_page = (hello.flags & PANTRY_HAS_USER_PAGE) != 0;
  const bool has_frames = (hello.flags & PANTRY_HAS_FRAME_OWNERS) != 0;
  if (received.too_many || received.count != 2u + has_page + has_frames) return Error(kProtocol);
  const std::uint64_t all =
      hello.dram_base | hello.dram_bytes | hello.dram_offset | hello.user_page_offset;
  if (!is_aligned(all, kPageSize) || hello.dram_bytes == 0) return Error(Errno::kInval);
  if (hello.dram_base + hello.dram_bytes < hello.dram_base) return Error(Errno::kInval);
  if (!is_socket(received.fds[1].get())) return Error(Errno::kFault);
  PANTRY_TRY_ASSIGN(SharedWindow dram,
                    SharedWindow::map(received.fds[0].get(), hello.dram_offset, hello.dram_bytes));
  auto page = has_page ? SharedWindow::map(received.fds[2].get(), hello.user_page_offset, kPageSize)
                       : own_page();
  if (!page) return Error(page.error());
  Lent lent{PhysAddr{hello.dram_base}, std::move(dram), *std::move(page),
            std::move(received.fds[1]), std::nullopt};
  if (has_frames) {
    PANTRY_TRY_ASSIGN(SharedWindow frames, SharedWindow::map(received.fds[has_page ? 3 : 2].get(),
                                                             0, bytes_of_frames(hello.dram_bytes)));
    lent.frames.emplace(std::move(frames));
  }
  return lent;
}

void send_welcome(int socket, int status) {
  const pantry_welcome welcome{PANTRY_WIRE_MAGIC, PANTRY_WIRE_VERSION, sizeof welcome, status, 0};
  // A peer that is gone or does not read is found out by the next receive.
  (void)::send(socket, &welcome, sizeof welcome, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Result<Lent> receive_hello(int socket, int stop) {
  Received received;
  const auto hello = receive_bytes(socket, stop, received);
  if (!hello && (hello.error() == Errno::kCanceled || hello.error() == kPipe))
    return Error(hello.error());
  auto lent = hello ? accept_hello(*hello, received) : Result<Lent>(Error(hello.error()));
  send_welcome(socket, lent ? 0 : negated(lent.error()));
  if (!lent) log_client(kRoom, "a host was refused: {}", name_of(lent.error()));
  return lent;
}

Result<> send_hello(int socket, const Loan& loan) {
  pantry_hello hello{};
  hello.magic = PANTRY_WIRE_MAGIC;
  hello.version = PANTRY_WIRE_VERSION;
  hello.bytes = sizeof hello;
  hello.flags = (loan.user_page >= 0 ? PANTRY_HAS_USER_PAGE : 0) |
                (loan.frames >= 0 ? PANTRY_HAS_FRAME_OWNERS : 0);
  hello.dram_base = loan.dram_base.value;
  hello.dram_bytes = loan.dram_bytes;
  hello.dram_offset = loan.dram_offset;
  hello.user_page_offset = loan.user_page_offset;
  int fds[kMostDescriptors] = {loan.dram, loan.edges};
  std::size_t count = 2;
  if (loan.user_page >= 0) fds[count++] = loan.user_page;
  if (loan.frames >= 0) fds[count++] = loan.frames;
  const std::size_t fd_bytes = sizeof(int) * count;

  iovec part{&hello, sizeof hello};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(fd_bytes);
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(fd_bytes);
  std::memcpy(CMSG_DATA(rights), fds, fd_bytes);
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) != sizeof hello) return Error(kPipe);

  pantry_welcome welcome{};
  if (::recv(socket, &welcome, sizeof welcome, MSG_WAITALL) != sizeof welcome) return Error(kPipe);
  if (welcome.magic != PANTRY_WIRE_MAGIC) return Error(kProtocol);
  if (welcome.status != 0) return Error(static_cast<Errno>(-welcome.status));
  return {};
}

}  // namespace pantry::emu
