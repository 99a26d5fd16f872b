// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <cstring>
#include <vector>

#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/remote/host_end.h"
#include "gpu_emu/remote/wire.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::gpu_control;

static_assert(sizeof(pantry_hello) == 64);
static_assert(sizeof(pantry_welcome) == 16);
static_assert(sizeof(pantry_request) == 16);
static_assert(sizeof(pantry_reply) == 16);

template <class Done>
bool eventually(Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done())
    if (std::chrono::steady_clock::now() > end) return false;
  return true;
}

bool readable(int fd, int milliseconds) {
  pollfd fds = {fd, POLLIN, 0};
  return ::poll(&fds, 1, milliseconds) == 1;
}

TEST(Remote, RegistersAreThoseOfTheDevice) {
  HostEnd host;
  RemoteMmio& mmio = host.connect();
  EXPECT_EQ(mmio.read32(regs::kGpuId.offset), 0xa867'0005u);
  EXPECT_EQ(mmio.read64(regs::kShaderPresent.offset), 0x5'0005u);
  mmio.write32(regs::kIrqMask.offset, 0x100);
  EXPECT_EQ(mmio.read32(regs::kIrqMask.offset), 0x100u);
  EXPECT_EQ(mmio.status(), 0);
  host.hang_up();
  ASSERT_TRUE(host.join());
  EXPECT_EQ((*host.result)->requests, 5u);
  EXPECT_EQ((*host.result)->refused, 0u);
}

TEST(Remote, AnEdgeIsOneByteAndTheLevelStaysWithTheDevice) {
  HostEnd host;
  RemoteMmio& mmio = host.connect();
  mmio.write32(regs::kIrqMask.offset, 0x100);
  mmio.write32(regs::kCommand.offset, 0x101);  // soft reset
  std::uint8_t line = 0xff;
  ASSERT_EQ(::recv(host.edges.get(), &line, 1, 0), 1);
  EXPECT_EQ(line, PANTRY_LINE_GPU);
  EXPECT_NE(mmio.read32(regs::kIrqRawstat.offset) & 0x100, 0u);
  EXPECT_EQ(mmio.levels(), 1u << PANTRY_LINE_GPU);
  EXPECT_FALSE(readable(host.edges.get(), 20)) << "a level that stays is no edge";
  // A mask write can take the line down and up again.
  mmio.write32(regs::kIrqMask.offset, 0);
  EXPECT_EQ(mmio.levels(), 0u);
  mmio.write32(regs::kIrqMask.offset, 0x100);
  EXPECT_EQ(mmio.levels(), 1u << PANTRY_LINE_GPU);
  ASSERT_EQ(::recv(host.edges.get(), &line, 1, 0), 1);
  mmio.write32(regs::kIrqClear.offset, 0x100);
  EXPECT_EQ(mmio.levels(), 0u);
  ASSERT_TRUE(host.end());
  EXPECT_EQ((*host.result)->edges, 2u);
  EXPECT_EQ((*host.result)->resets, 1u);
  EXPECT_EQ((*host.result)->recoveries, 0u) << "no firmware ran yet";
}

TEST(Remote, TheDeviceRunsWithoutBeingAsked) {
  HostEnd host;
  RemoteMmio& mmio = host.connect();
  mmio.write32(regs::kIrqMask.offset, 0x200);  // a power domain has changed
  mmio.write64(regs::kL2PwrOn.offset, 1);
  // No access: the edge comes from the device's own clock.
  EXPECT_TRUE(readable(host.edges.get(), 20'000));
  EXPECT_EQ(mmio.read64(regs::kL2Ready.offset), 1u);
}

TEST(Remote, ThePeersUserPageHoldsTheFlushId) {
  HostEnd host;
  auto* const word = static_cast<std::atomic<std::uint32_t>*>(
      ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, host.page.get(), 0));
  ASSERT_NE(static_cast<void*>(word), MAP_FAILED);
  RemoteMmio& mmio = host.connect();
  word->store(0xdead);
  mmio.write64(regs::kL2PwrOn.offset, 1);
  EXPECT_TRUE(eventually([&] { return mmio.read64(regs::kL2Ready.offset) == 1; }));
  EXPECT_NE(word->load(), 0xdeadu);
  ::munmap(static_cast<void*>(word), kPageSize);
}

TEST(Remote, RequestsMayComeInPiecesAndInBatches) {
  HostEnd host;
  host.serve();
  ASSERT_TRUE(send_hello(host.socket.get(), host.loan()));
  constexpr std::size_t kMany = 500;
  std::vector<pantry_request> requests(kMany);
  for (std::uint32_t i = 0; i < kMany; ++i)
    requests[i] = i % 2 == 0 ? pantry_request{PANTRY_WRITE32, regs::kIrqMask.offset, i, 0}
                             : pantry_request{PANTRY_READ32, regs::kIrqMask.offset, 0, 0};
  const auto* const bytes = reinterpret_cast<const char*>(requests.data());
  const std::size_t all = kMany * sizeof(pantry_request);
  for (std::size_t at = 0, piece = 1; at < all; at += piece, piece = piece % 37 + 1) {
    piece = std::min(piece, all - at);
    ASSERT_EQ(::send(host.socket.get(), bytes + at, piece, MSG_NOSIGNAL),
              static_cast<ssize_t>(piece));
  }
  for (std::uint32_t i = 0; i < kMany; ++i) {
    pantry_reply reply;
    ASSERT_EQ(::recv(host.socket.get(), &reply, sizeof reply, MSG_WAITALL),
              static_cast<ssize_t>(sizeof reply));
    ASSERT_EQ(reply.status, 0);
    if (i % 2 == 1) {
      ASSERT_EQ(reply.value, i - 1) << "an access overtook another";
    }
  }
}

TEST(Remote, ARequestThatCannotBeServedChangesNothing) {
  HostEnd host;
  RemoteMmio& mmio = host.connect();
  mmio.write32(regs::kIrqMask.offset, 0x111);
  EXPECT_EQ(mmio.read32(2), 0xffff'ffffu);
  EXPECT_EQ(mmio.status(), -EINVAL);
  mmio.write32(PANTRY_APERTURE_BYTES, 1);
  mmio.write32(0xffff'fffc, 1);
  EXPECT_EQ(mmio.read32(regs::kIrqMask.offset), 0x111u);
  ASSERT_TRUE(host.end());
  EXPECT_EQ((*host.result)->refused, 3u);
}

TEST(Remote, AnUnknownOperationIsNotSupportedAndTheConnectionGoesOn) {
  HostEnd host;
  host.serve();
  ASSERT_TRUE(send_hello(host.socket.get(), host.loan()));
  for (const auto& [op, status] :
       {std::pair{0u, -EOPNOTSUPP}, {77u, -EOPNOTSUPP}, {PANTRY_LEVELS + 0u, 0}}) {
    const pantry_request request{op, 0, 0, 0};
    pantry_reply reply{};
    ASSERT_EQ(::send(host.socket.get(), &request, sizeof request, 0),
              static_cast<ssize_t>(sizeof request));
    ASSERT_EQ(::recv(host.socket.get(), &reply, sizeof reply, MSG_WAITALL),
              static_cast<ssize_t>(sizeof reply));
    EXPECT_EQ(reply.status, status);
  }
}

TEST(Remote, AHostThatReadsNoRepliesDoesNotHoldTheDevice) {
  HostEnd host;
  host.serve();
  ASSERT_TRUE(send_hello(host.socket.get(), host.loan()));
  const pantry_request request{PANTRY_READ32, 0, 0, 0};
  while (::send(host.socket.get(), &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_TRUE(host.end());
}

TEST(Remote, TheCheckerNamesTheHostsMistakes) {
  namespace as = datasheet::address_space;
  const auto flush_without_lock = [](HostEnd& host) {
    RemoteMmio& mmio = host.connect();
    mmio.write32(as::offset_of(1, as::kCommand), static_cast<std::uint32_t>(as::Command::kFlushPt));
    mmio.read32(as::offset_of(1, as::kStatus));
    host.hang_up();
    return host.join()->mistakes;
  };
  HostEnd off;
  EXPECT_TRUE(flush_without_lock(off).empty());
  HostEnd on;
  on.config.checker = RemoteDeviceConfig::Check::kReport;
  const std::vector<CheckerReport> mistakes = flush_without_lock(on);
  ASSERT_EQ(mistakes.size(), 1u);
  EXPECT_EQ(mistakes[0].mistake, Mistake::kFlushWithoutLock);
  EXPECT_EQ(mistakes[0].as, AsIndex{1});
}

TEST(Remote, ASeamStandsBetweenTheRequestsAndTheRegisters) {
  class Inverted final : public Mmio, public MmioSeam {
   public:
    Mmio& put_before(Mmio& device) override {
      device_ = &device;
      return *this;
    }
    std::uint32_t read32(std::uint32_t offset) override { return ~device_->read32(offset); }
    void write32(std::uint32_t offset, std::uint32_t value) override {
      device_->write32(offset, ~value);
    }

   private:
    Mmio* device_ = nullptr;
  } inverted;
  HostEnd host;
  host.config.seam = &inverted;
  RemoteMmio& mmio = host.connect();
  EXPECT_EQ(mmio.read32(regs::kGpuId.offset), ~0xa867'0005u);
  mmio.write32(regs::kIrqMask.offset, ~0x100u);
  EXPECT_EQ(mmio.read32(regs::kIrqMask.offset), ~0x100u);
}

TEST(Remote, AFullInterruptSocketDropsEdges) {
  HostEnd host;
  RemoteMmio& mmio = host.connect();
  mmio.write32(regs::kIrqMask.offset, 0x100);
  mmio.write32(regs::kCommand.offset, 0x101);
  ASSERT_TRUE(eventually([&] { return (mmio.read32(regs::kIrqRawstat.offset) & 0x100) != 0; }));
  for (int i = 0; i < 2000; ++i) {
    mmio.write32(regs::kIrqMask.offset, 0);
    mmio.write32(regs::kIrqMask.offset, 0x100);
  }
  EXPECT_EQ(mmio.status(), 0);
  EXPECT_EQ(mmio.levels(), 1u);
}

struct BadHello {
  const char* what;
  int status;
  void (*spoil)(pantry_hello& hello, std::vector<int>& fds, HostEnd& host);
};

const BadHello kBadHellos[] = {
    {"magic", EPROTO, [](auto& hello, auto&, auto&) { hello.magic ^= 1; }},
    {"size", EPROTO, [](auto& hello, auto&, auto&) { hello.bytes = 63; }},
    {"version", EPROTONOSUPPORT, [](auto& hello, auto&, auto&) { hello.version = 0; }},
    {"flag", EPROTONOSUPPORT, [](auto& hello, auto&, auto&) { hello.flags |= 4; }},
    {"frames without a descriptor", EPROTO,
     [](auto& hello, auto&, auto&) { hello.flags |= PANTRY_HAS_FRAME_OWNERS; }},
    {"too few frames", EFAULT,
     [](auto& hello, auto& fds, auto& host) {
       hello.flags |= PANTRY_HAS_FRAME_OWNERS;
       fds.push_back(host.page.get());
     }},
    {"no descriptors", EPROTO, [](auto&, auto& fds, auto&) { fds.clear(); }},
    {"one too few", EPROTO, [](auto&, auto& fds, auto&) { fds.pop_back(); }},
    {"one too many", EPROTO, [](auto&, auto& fds, auto&) { fds.push_back(fds[0]); }},
    {"many too many", EPROTO, [](auto&, auto& fds, auto&) { fds.resize(100, fds[0]); }},
    {"unaligned base", EINVAL, [](auto& hello, auto&, auto&) { hello.dram_base += 8; }},
    {"unaligned size", EINVAL, [](auto& hello, auto&, auto&) { hello.dram_bytes -= 1; }},
    {"unaligned offset", EINVAL, [](auto& hello, auto&, auto&) { hello.dram_offset = 512; }},
    {"unaligned page", EINVAL, [](auto& hello, auto&, auto&) { hello.user_page_offset = 4; }},
    {"no DRAM", EINVAL, [](auto& hello, auto&, auto&) { hello.dram_bytes = 0; }},
    {"wrap", EINVAL, [](auto& hello, auto&, auto&) { hello.dram_base = ~std::uint64_t{0xfff}; }},
    {"larger than the file", EFAULT, [](auto& hello, auto&, auto&) { hello.dram_bytes *= 2; }},
    {"offset past the file", EFAULT, [](auto& hello, auto&, auto&) { hello.dram_offset = kGiB; }},
    {"offset near the end of numbers", EFAULT,
     [](auto& hello, auto&, auto&) { hello.dram_offset = ~std::uint64_t{0xfff}; }},
    {"page past the file", EFAULT,
     [](auto& hello, auto&, auto&) { hello.user_page_offset = kPageSize; }},
    {"DRAM is a socket", EFAULT, [](auto&, auto& fds, auto&) { fds[0] = fds[1]; }},
    {"interrupts go to a file", EFAULT, [](auto&, auto& fds, auto&) { fds[1] = fds[0]; }},
    {"page is an eventfd", EFAULT, [](auto&, auto& fds, auto& host) { fds[2] = host.stop.get(); }},
};

void send_raw_hello(int socket, const pantry_hello& hello, const std::vector<int>& fds) {
  iovec part{const_cast<pantry_hello*>(&hello), sizeof hello};
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  ASSERT_EQ(::sendmsg(socket, &message, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof hello));
}

pantry_hello good_hello() {
  pantry_hello hello{};
  hello.magic = PANTRY_WIRE_MAGIC;
  hello.version = PANTRY_WIRE_VERSION;
  hello.bytes = sizeof hello;
  hello.flags = PANTRY_HAS_USER_PAGE;
  hello.dram_base = HostEnd::kDramBase.value;
  hello.dram_bytes = HostEnd::kDramBytes;
  return hello;
}

class RemoteBadHello : public testing::TestWithParam<BadHello> {};

TEST_P(RemoteBadHello, IsRefusedWithItsErrno) {
  HostEnd host;
  host.serve();
  pantry_hello hello = good_hello();
  std::vector<int> fds = {host.dram.get(), host.device_edges.get(), host.page.get()};
  GetParam().spoil(hello, fds, host);
  send_raw_hello(host.socket.get(), hello, fds);
  pantry_welcome welcome{};
  ASSERT_EQ(::recv(host.socket.get(), &welcome, sizeof welcome, MSG_WAITALL),
            static_cast<ssize_t>(sizeof welcome));
  EXPECT_EQ(welcome.magic, PANTRY_WIRE_MAGIC);
  EXPECT_EQ(welcome.status, -GetParam().status);
  char more;
  EXPECT_LE(::recv(host.socket.get(), &more, 1, 0), 0) << "and it hangs up";
  EXPECT_EQ(host.join().error(), static_cast<Errno>(GetParam().status));
}

INSTANTIATE_TEST_SUITE_P(All, RemoteBadHello, testing::ValuesIn(kBadHellos), [](const auto& info) {
  std::string name = info.param.what;
  std::erase_if(name, [](char c) { return c == ' '; });
  return name;
});

TEST(RemoteHello, ANewerHostGetsOurVersion) {
  HostEnd host;
  host.serve();
  pantry_hello hello = good_hello();
  hello.version = 9;
  send_raw_hello(host.socket.get(), hello,
                 {host.dram.get(), host.device_edges.get(), host.page.get()});
  pantry_welcome welcome{};
  ASSERT_EQ(::recv(host.socket.get(), &welcome, sizeof welcome, MSG_WAITALL),
            static_cast<ssize_t>(sizeof welcome));
  EXPECT_EQ(welcome.status, 0);
  EXPECT_EQ(welcome.version, 1);
}

TEST(RemoteHello, AHangUpBeforeAndInsideTheHelloIsNoNews) {
  HostEnd before;
  before.serve();
  before.hang_up();
  EXPECT_EQ(before.join().error(), static_cast<Errno>(EPIPE));
  HostEnd inside;
  inside.serve();
  const pantry_hello hello = good_hello();
  ASSERT_EQ(::send(inside.socket.get(), &hello, 20, 0), 20);
  inside.hang_up();
  EXPECT_EQ(inside.join().error(), static_cast<Errno>(EPROTO));
}

TEST(RemoteHello, CanBeStoppedWhileItWaits) {
  HostEnd host;
  host.serve();
  EXPECT_EQ(host.end().error(), Errno::kCanceled);
}

TEST(RemoteMemory, ATruncatedUserPageEndsTheConnectionOnly) {
  HostEnd host;
  RemoteMmio& mmio = host.connect();
  ASSERT_EQ(::ftruncate(host.page.get(), 0), 0);
  mmio.write64(regs::kL2PwrOn.offset, 1);  // publishes the flush id when it is on
  EXPECT_TRUE(eventually([&] {
    mmio.read64(regs::kL2Ready.offset);
    return mmio.status() != 0;
  }));
  EXPECT_TRUE(mmio.status() == -EFAULT || mmio.status() == -EPIPE) << mmio.status();
  EXPECT_EQ(host.join().error(), Errno::kFault);
}

TEST(RemoteMemory, AWindowOutlivesItsFile) {
  const Descriptor file(::memfd_create("file", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), 4 * kPageSize), 0);
  auto window = SharedWindow::map(file.get(), kPageSize, 3 * kPageSize);
  ASSERT_TRUE(window);
  window->data()[0] = 7;
  EXPECT_FALSE(window->lost());
  ASSERT_EQ(::ftruncate(file.get(), 2 * kPageSize), 0);
  EXPECT_EQ(window->data()[0], 7);
  EXPECT_FALSE(window->lost());
  window->data()[kPageSize] = 1;
  EXPECT_EQ(window->data()[kPageSize], 1);
  EXPECT_TRUE(window->lost());
  EXPECT_EQ(window->data()[3 * kPageSize - 1], 0);
}

TEST(RemoteMemory, WindowsComeAndGo) {
  const Descriptor file(::memfd_create("file", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), kPageSize), 0);
  for (int round = 0; round < 3; ++round) {
    std::vector<SharedWindow> windows;
    for (;;) {
      auto window = SharedWindow::map(file.get(), 0, kPageSize);
      if (!window) {
        EXPECT_EQ(window.error(), static_cast<Errno>(ENFILE));
        break;
      }
      windows.push_back(*std::move(window));
      ASSERT_LE(windows.size(), static_cast<std::size_t>(SharedWindow::kMax));
    }
    EXPECT_EQ(windows.size(), static_cast<std::size_t>(SharedWindow::kMax));
  }
}

}  // namespace
}  // namespace pantry::emu
