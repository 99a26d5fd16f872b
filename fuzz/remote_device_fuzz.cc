// SPDX-License-Identifier: MIT
//
// A host that says anything to a device in a process of its own (gpu_emu/remote/wire.h): any hello
// with any descriptors, requests whole and in pieces, page tables and interfaces of any words,
// memory that it takes away. The device answers or hangs up, and keeps no descriptor.
//
//   input   options; unless they say that the hello is a good one, its fields and descriptors;
//           steps: a byte and what follows (see step)
#include <poll.h>

#include <cstring>
#include <utility>

#include "fuzz/number.h"
#include "fuzz/open_descriptors.h"
#include "fuzz/quiet_start.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/remote/host_end.h"
#include "gpu_emu/remote/raw_host.h"
#include "gpu_emu/remote/wire.h"

namespace {

using namespace pantry;
using namespace pantry::emu;
using fuzz::take_number;
namespace regs = datasheet::gpu_control;

constexpr std::size_t kMostSteps = 200;

enum Option : std::uint8_t { kGoodHello = 1, kPowered = 2, kDescriptorsLate = 4 };

void send_with_descriptors(int socket, const void* from, std::size_t bytes,
                           std::span<const int> fds) {
  iovec part{const_cast<void*>(from), bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  (void)::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void any_hello(HostEnd& host, fuzz::Input& input, bool late) {
  pantry_hello hello{};
  hello.magic = input.below(16) != 0 ? PANTRY_WIRE_MAGIC : input.take<std::uint32_t>();
  hello.version = static_cast<std::uint16_t>(take_number(input));
  hello.bytes = input.below(16) != 0 ? sizeof hello : input.take<std::uint16_t>();
  hello.flags = static_cast<std::uint32_t>(take_number(input));
  hello.dram_base = take_number(input);
  hello.dram_bytes = take_number(input);
  hello.dram_offset = take_number(input);
  hello.user_page_offset = take_number(input);
  const int known[] = {host.dram.get(), host.device_edges.get(), host.page.get(), host.stop.get()};
  int fds[4];
  const std::size_t count = input.below(5);
  for (std::size_t n = 0; n < count; ++n) fds[n] = known[input.below(4)];
  // In one piece, or in two.
  const std::size_t first = 1 + input.below(sizeof hello);
  const std::span<const int> all(fds, count);
  send_with_descriptors(host.socket.get(), &hello, first, late ? std::span<const int>() : all);
  if (first < sizeof hello)
    send_with_descriptors(host.socket.get(), reinterpret_cast<const char*>(&hello) + first,
                          sizeof hello - first, late ? all : std::span<const int>());
}

std::uint32_t take_register(fuzz::Input& input) {
  const auto which = input.take<std::uint8_t>();
  if (which < 0x80) return kEventfulRegisters[which % std::size(kEventfulRegisters)];
  if (which < 0xc0) return 0x2400 + input.below(16) * 0x40 + (which & 0xf) * 4;  // address spaces
  if (which < 0xe0) return 0x8'0000 + (which & 0x1f) * 0x1'0000;                 // doorbells
  return input.take<std::uint32_t>();
}

class Host {
 public:
  Host(HostEnd& host, fuzz::Input& input)
      : host_(host),
        input_(input),
        words_(
            static_cast<std::uint64_t*>(::mmap(nullptr, HostEnd::kDramBytes, PROT_READ | PROT_WRITE,
                                               MAP_SHARED, host.dram.get(), 0))) {
    PANTRY_CHECK(words_ != MAP_FAILED);
  }
  ~Host() { ::munmap(words_, HostEnd::kDramBytes); }

  bool request(std::uint32_t op, std::uint32_t offset, std::uint32_t value) {
    const pantry_request asked{op, offset, value, 0};
    return send(&asked, sizeof asked);
  }
  // False: the device has gone.
  bool step() {
    const auto what = input_.take<std::uint8_t>();
    switch (what & 7) {
      case 0:
      case 1:
      case 2: {
        const std::uint32_t offset = take_register(input_);
        return request(PANTRY_WRITE32, offset, static_cast<std::uint32_t>(take_number(input_)));
      }
      case 3:
        return request(PANTRY_READ32, take_register(input_), 0);
      case 4:
      case 5:
        poke(what >> 3);
        return true;
      case 6: {
        if (what & 8) return request(input_.take<std::uint32_t>(), input_.take<std::uint32_t>(), 0);
        std::uint8_t bytes[64];
        const std::size_t count = 1 + input_.below(sizeof bytes);
        for (std::size_t n = 0; n < count; ++n) bytes[n] = input_.take<std::uint8_t>();
        return send(bytes, count);
      }
      default:
        if (what >> 3 == 0) taken_ = ::ftruncate(host_.dram.get(), 0) == 0;
        return hear();
    }
  }

 private:
  bool send(const void* from, std::size_t bytes) {
    unheard_ = true;
    return send_all(host_.socket.get(), from, bytes);
  }
  // Waits a little for a device that was asked something since it was last heard.
  bool hear() {
    pollfd patience{host_.socket.get(), POLLIN, 0};
    ::poll(&patience, 1, std::exchange(unheard_, false) ? 1 : 0);
    return drain(host_.socket.get());
  }
  // Words that look like page-table entries, interfaces or streams, where tables would lie.
  void poke(unsigned kind) {
    const std::uint64_t at = input_.take<std::uint16_t>() % (HostEnd::kDramBytes / 8);
    const std::uint64_t frame =
        HostEnd::kDramBase.value + input_.take<std::uint16_t>() % 64 * kPageSize;
    const std::uint64_t words[] = {frame | 3, frame | 0x4c3, frame | 0x4c1, frame | 0x401,
                                   take_number(input_)};
    if (!taken_) words_[at] = words[kind % std::size(words)];
  }

  HostEnd& host_;
  fuzz::Input& input_;
  std::uint64_t* const words_;
  bool taken_ = false;
  bool unheard_ = true;
};

void run(fuzz::Input input) {
  const auto options = input.take<std::uint8_t>();
  HostEnd host;
  host.serve();
  bool there = true;
  if (options & kGoodHello)
    there = send_hello(host.socket.get(), host.loan()).has_value();
  else
    any_hello(host, input, (options & kDescriptorsLate) != 0);
  Host peer(host, input);
  if (options & kPowered) there = there && peer.request(PANTRY_WRITE32, regs::kL2PwrOn.offset, 1);
  for (std::size_t n = 0; n < kMostSteps && there && !input.is_over(); ++n) there = peer.step();
  host.hang_up();
  const auto& totals = host.join();
  if (totals) PANTRY_CHECK(totals->refused <= totals->requests);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t before = fuzz::open_descriptors();
  run(fuzz::Input(data, size));
  PANTRY_CHECK(fuzz::open_descriptors() == before);
  return 0;
}
