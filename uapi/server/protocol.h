// SPDX-License-Identifier: MIT
//
// What a client's shim and the host say to each other. Both are of one build, so there is no
// version; a message of the wrong size or with the wrong magic is ignored.
//
// The host listens on SOCK_SEQPACKET sockets in a private directory, named after kinds of
// descriptor. A descriptor of the client's *is* the client end of a connection: which kind,
// getpeername tells; when the last copy is closed (dup, fork, exec and SCM_RIGHTS included, and
// after a kill), the host sees a hang-up.
//
//   card, render   an open device node; connecting opens it. The host greets it with a Hello
//   sw_sync        the same: each connection is a timeline of its own
//   gpuvas, gems, clients, gem_names
//                  over it the text of that file of debugfs is asked for
//   profiling      the same for that attribute in sysfs; text that comes as a plain message, by a
//                  write() that the shim does not see, is stored in it, and Ask::kStore does so
//                  with an answer. The host greets it with a Hello and the text, and ends its side:
//                  so a reader of the descriptor itself gets the text once
//   channel        where one thread of a client gets its replies. The host's Hello names it
//   sync_file      made by the host, handed over by SCM_RIGHTS; readable once the fence has
//                  signalled
//   syncobj        the same, opaque
//   dma_buf        the same; mmap and size are asked for over it
//
// A host that does not serve a device node or a channel greets with an error, or hangs up when it
// has no descriptor left, and serves no user but its own.
//
// Requests go over the descriptor they are about, so a client can only ask about what it holds; the
// kernel stamps each with the sender's pid (SCM_CREDENTIALS), and a channel takes replies for the
// process that opened it only, and for one request at a time: another one, before the answer, is
// ignored. What such a descriptor is not asked has the answer EINVAL.
//
// The argument struct of an ioctl comes behind its Request, as the client had it when it asked, and
// what becomes of it goes behind the Reply: so neither has to reach into the other for it. Arrays
// that it points to, arguments of more than kMostCarried bytes and those that the client cannot
// send (a bad pointer) are fetched from the client's memory, and put there, by the host.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

namespace pantry::wire {

inline constexpr char kDirectoryVariable[] = "PANTRY_DIR";

enum class Socket : std::uint32_t {
  kCard,
  kRender,
  kSyncFile,
  kSyncobj,
  kDmaBuf,
  kChannel,
  kSwSync,
  kGpuvas,
  kGems,
  kProfiling,
  kClients,
  kGemNames
};
inline constexpr std::uint32_t kSocketCount = 12;
inline constexpr const char* kSocketNames[kSocketCount] = {
    "card",    "render", "sync_file", "syncobj",   "dma_buf", "channel",
    "sw_sync", "gpuvas", "gems",      "profiling", "clients", "gem_names"};

// To the others nobody can connect.
inline constexpr Socket kListening[] = {Socket::kCard,      Socket::kRender,  Socket::kChannel,
                                        Socket::kSwSync,    Socket::kGpuvas,  Socket::kGems,
                                        Socket::kProfiling, Socket::kClients, Socket::kGemNames};

// How a file was opened (O_RDONLY, O_WRONLY, O_RDWR, or 3) is kept in the client end itself, where
// all copies of it in all processes find it, in an option without a meaning for local sockets. It
// says what a client may expect of its own calls, and is no protection.
inline bool note_access_mode(int fd, int mode) {
  const int value = 1 + mode;
  return ::setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &value, sizeof value) == 0;
}
// `otherwise`: where nothing was noted.
inline int noted_access_mode(int fd, int otherwise) {
  int value = 0;
  socklen_t size = sizeof value;
  const bool noted = ::getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &value, &size) == 0 && value > 0 &&
                     value <= 1 + O_ACCMODE;
  return noted ? value - 1 : otherwise;
}

inline constexpr std::uint32_t kMagic = 0x59525450;  // "PTRY"

enum class Ask : std::uint32_t {
  kIoctl,      // command, argument, fd_state
  kMmap,       // argument = offset, length, protection, flags; comes back with the memfd to map
  kSize,       // of a dma-buf, in Reply::value; in Reply::number_at its inode
  kText,       // argument: a Text; comes back as a descriptor of a file that holds it
  kStore,      // argument, length: text of the client's for an attribute
  kCancel,     // token of an ioctl of this connection that waits; no reply of its own
  kUnwritten,  // command, argument: what came behind a reply had no memory to go to, and the client
               // has EFAULT. For the log only; no reply
  kReady,      // of a dma-buf: kReadable and kWritable, in Reply::value
};

// Whether all writes, and all uses, that fences of the buffer stand for are over.
inline constexpr std::uint64_t kReadable = 1;
inline constexpr std::uint64_t kWritable = 2;

enum class Text : std::uint64_t {
  kFdinfo,  // of a device node or dma-buf: what /proc/self/fdinfo shows of it
  kWhole,   // of a file of debugfs or an attribute
  kName,    // of a dma-buf: DMA_BUF_SET_NAME's, or nothing
};

enum class FdState : std::uint32_t {
  kNone,      // the command takes no descriptor
  kAttached,  // one descriptor comes with the message
  kBad,       // the number that the client passed is not open, or only by O_PATH
};

struct Request {
  std::uint32_t magic;
  Ask ask;
  std::uint64_t channel;
  std::uint64_t token;
  std::uint32_t command;
  FdState fd_state;
  std::uint64_t argument;
  std::uint64_t length;
  std::int32_t protection;
  std::int32_t flags;
  std::uint64_t processor;  // that the client's thread runs on; a hint, any value
};
static_assert(sizeof(Request) == 64);

// Larger than any struct of the uAPI. Only behind a kIoctl.
inline constexpr std::size_t kMostCarried = 128;

struct Reply {
  std::uint64_t token;
  std::int32_t result;                                                    // 0 or a negated errno
  enum class Fd : std::uint32_t { kNone, kCloseOnExec, kKeepOnExec } fd;  // comes with the message
  std::uint64_t
      number_at;        // where in the client the number of the descriptor goes; 0: nowhere (mmap)
  std::uint64_t value;  // kSize: bytes; kMmap: the offset in the memfd
  enum class OnFork : std::uint64_t {
    kCopy,
    kLeaveOut
  } on_fork = OnFork::kCopy;    // kMmap: what a child gets of it
  std::uint64_t processor = 0;  // that the host's thread runs on; a hint, set by Channel
};
static_assert(sizeof(Reply) == 48);
// Behind it: the first bytes of the argument as they are to be, where it came behind the Request
// and the ioctl has an answer.

struct Hello {
  std::uint64_t channel;  // 0: no channel but a file that was opened
  std::int64_t error;     // 0 or a negated errno: EACCES, another user's; EMFILE, its quota is full
};

}  // namespace pantry::wire
