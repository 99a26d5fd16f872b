// SPDX-License-Identifier: MIT
//
// Hosts that send anything at all: the device answers or hangs up, and this process lives. Half of
// the histories are raw bytes; half are well-formed requests to registers that matter, over memory
// full of random page tables and interfaces.
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "base/log.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/remote/host_end.h"
#include "gpu_emu/remote/raw_host.h"
#include "gpu_emu/remote/wire.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::gpu_control;

unsigned histories() {
  const char* const wanted = std::getenv("PANTRY_SIM_SEEDS");
  return wanted ? static_cast<unsigned>(std::atoi(wanted)) : 50;
}

// Every second request is a mistake or a gap, and says so.
class RemoteFuzz : public testing::Test {
 protected:
  RemoteFuzz() { set_log_level(LogLevel::kOff); }
  ~RemoteFuzz() override { set_log_level(LogLevel::kGap); }
};

using Random = std::mt19937_64;
std::uint32_t below(Random& random, std::uint32_t limit) {
  return static_cast<std::uint32_t>(random() % limit);
}

TEST_F(RemoteFuzz, RawBytesBeforeTheHandshake) {
  for (unsigned seed = 0; seed < histories(); ++seed) {
    Random random(seed);
    HostEnd host;
    host.serve();
    std::vector<std::uint8_t> bytes(1 + below(random, 200));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    if (seed % 2 == 0 && bytes.size() >= 4) {
      const std::uint32_t magic = PANTRY_WIRE_MAGIC;
      std::memcpy(bytes.data(), &magic, sizeof magic);
    }
    send_all(host.socket.get(), bytes.data(), bytes.size());
    host.hang_up();
    EXPECT_FALSE(host.join()) << "seed " << seed;
  }
}

TEST_F(RemoteFuzz, RawBytesAfterTheHandshake) {
  for (unsigned seed = 0; seed < histories(); ++seed) {
    Random random(seed);
    HostEnd host;
    host.serve();
    ASSERT_TRUE(send_hello(host.socket.get(), host.loan()));
    for (unsigned i = below(random, 20); i != 0; --i) {
      std::vector<std::uint8_t> bytes(1 + below(random, 300));
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
      ASSERT_TRUE(send_all(host.socket.get(), bytes.data(), bytes.size()));
    }
    host.hang_up();
    EXPECT_TRUE(host.join()) << "seed " << seed;
  }
}

// A page of words that look like page-table entries, firmware interfaces or command streams.
std::uint64_t plausible(Random& random) {
  const std::uint64_t frame =
      HostEnd::kDramBase.value + below(random, HostEnd::kDramBytes / kPageSize) * kPageSize;
  switch (below(random, 6)) {
    case 0:
      return frame | 3;
    case 1:
      return frame | 0x4c3;
    case 2:
      return frame | 0x4c1;
    case 3:
      return random();
    case 4:
      return std::uint64_t{below(random, 0x40)} << 56 | (random() & 0xffff'ffff'ffff);
    default:
      return below(random, 8);
  }
}

pantry_request well_formed(Random& random) {
  std::uint32_t offset = 0;
  switch (below(random, 4)) {
    case 0:
      offset = kEventfulRegisters[below(random, std::size(kEventfulRegisters))];
      break;
    case 1:
      offset = 0x2400 + below(random, 16) * 0x40 + below(random, 16) * 4;
      break;
    case 2:
      offset = 0x8'0000 + below(random, 24) * 0x1'0000;
      break;
    default:
      offset = below(random, PANTRY_APERTURE_BYTES / 4) * 4;
      break;
  }
  const std::uint32_t values[] = {
      0, 1, 2, 3, 4, 5, 0x101, 0x102, 0x1104, ~0u, static_cast<std::uint32_t>(plausible(random))};
  return {below(random, 3) == 0 ? PANTRY_READ32 + 0u : PANTRY_WRITE32 + 0u, offset,
          values[below(random, std::size(values))], 0};
}

TEST_F(RemoteFuzz, AnyRegisterOverAnyMemory) {
  for (unsigned seed = 0; seed < histories(); ++seed) {
    Random random(seed);
    HostEnd host;
    auto* const words = static_cast<std::uint64_t*>(::mmap(
        nullptr, HostEnd::kDramBytes, PROT_READ | PROT_WRITE, MAP_SHARED, host.dram.get(), 0));
    ASSERT_NE(static_cast<void*>(words), MAP_FAILED);
    for (unsigned i = 0; i < 1 << 14; ++i)
      words[below(random, HostEnd::kDramBytes / 8)] = plausible(random);
    RemoteMmio& mmio = host.connect();
    mmio.write64(regs::kL2PwrOn.offset, 1);
    for (unsigned i = 0; i < 300; ++i) {
      const pantry_request request = well_formed(random);
      if (request.op == PANTRY_READ32)
        mmio.read32(request.offset);
      else
        mmio.write32(request.offset, request.value);
      words[below(random, HostEnd::kDramBytes / 8)] = plausible(random);
    }
    EXPECT_EQ(mmio.status(), 0) << "seed " << seed;
    if (seed % 4 == 0) {
      // And now without memory.
      ASSERT_EQ(::ftruncate(host.dram.get(), 0), 0);
      for (unsigned i = 0; i < 100; ++i) mmio.write32(well_formed(random).offset, below(random, 8));
      EXPECT_TRUE(mmio.status() == 0 || mmio.status() == -EFAULT || mmio.status() == -EPIPE);
    }
    host.hang_up();
    host.join();
    ::munmap(words, HostEnd::kDramBytes);
  }
}

}  // namespace
}  // namespace pantry::emu
