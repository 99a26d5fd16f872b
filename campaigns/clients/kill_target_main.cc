// SPDX-License-Identifier: MIT
//
// kill_target: one of several clients that exchange buffers and fences, each of which may be killed
// at any moment (campaigns/hosts/kills_main.cc). It never ends by itself, unless it finds
// something: a byte that nobody wrote there, or a fence that does not signal.
//
// PANTRY_KILLS_SEED picks what it does. PANTRY_KILLS_MAILBOX=OUT,IN are descriptors of a datagram
// socket that all share: a letter carries a dma-buf and the sync_file of the job that writes its
// first word. Letters outlive who sent them.

#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "campaigns/clients/dice.h"
#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"

namespace {

using namespace gpu;

constexpr uint32_t kMostPages = 24;
constexpr uint64_t kInbox = kPlay + kGigabyte;
constexpr uint64_t kStorm = kPlay + 2 * kGigabyte;
constexpr uint32_t kStormPages = 512;

struct Letter {
  uint32_t seed = 0;
  uint32_t pages = 0;
};

struct Received {
  Letter letter;
  UniqueFd dma_buf;
  UniqueFd fence;
};

struct Mailbox {
  int out = -1;
  int in = -1;

  // False: it is full.
  bool send(const Letter& letter, int dma_buf, int fence) const {
    Letter copy = letter;
    iovec data{&copy, sizeof(copy)};
    const int fds[2] = {dma_buf, fence};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(header), fds, sizeof(fds));
    return sendmsg(out, &message, MSG_DONTWAIT) == sizeof(copy);
  }

  std::optional<Received> receive() const {
    Received received;
    iovec data{&received.letter, sizeof(received.letter)};
    int fds[2] = {-1, -1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fds))];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    if (recvmsg(in, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
        static_cast<ssize_t>(sizeof(Letter)))
      return std::nullopt;
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    igt_assert(header != nullptr && header->cmsg_len == CMSG_LEN(sizeof(fds)));
    memcpy(fds, CMSG_DATA(header), sizeof(fds));
    received.dma_buf = UniqueFd(fds[0]);
    received.fence = UniqueFd(fds[1]);
    return received;
  }
};

// Word `i` of a buffer with this seed; never 0.
uint32_t pattern(uint32_t seed, uint64_t i) {
  return static_cast<uint32_t>((seed * 0x9e3779b97f4a7c15 + i * 0xbf58476d1ce4e5b9) >> 31) | 1;
}
constexpr uint64_t kWordsPerPage = kPage / sizeof(uint32_t);

// New memory is zero, whatever the killed had in it; what we write stays until we write again.
Bo fresh_buffer(const Device& device, uint32_t pages) {
  Bo bo = Bo::create(device, pages * kPage);
  for (uint64_t i = 0; i < pages * kWordsPerPage; ++i) igt_assert_eq(uint32_t{bo.words()[i]}, 0u);
  return bo;
}

void fill(Bo& bo, uint32_t seed, uint64_t from) {
  for (uint64_t i = from; i < bo.size() / sizeof(uint32_t); ++i) bo.words()[i] = pattern(seed, i);
}

void expect_pattern(Bo& bo, uint32_t seed, uint64_t from) {
  for (uint64_t i = from; i < bo.size() / sizeof(uint32_t); ++i)
    igt_assert_eq(uint32_t{bo.words()[i]}, pattern(seed, i));
}

// The CPU writes all but the first word, a job writes that; the job's fence goes along.
void write_a_letter(Bench& bench, const Mailbox& mailbox, Dice& dice) {
  const Letter letter{static_cast<uint32_t>(dice.roll(UINT32_MAX)),
                      static_cast<uint32_t>(1 + dice.roll(kMostPages))};
  Bo bo = fresh_buffer(bench.device(), letter.pages);
  fill(bo, letter.seed, 1);
  bench.vm().map(bo, kPlay);
  const Stream stream =
      bench.place(Assembler().store_value(kPlay, pattern(letter.seed, 0)).publish());
  const Syncobj done = Syncobj::create(bench.device());
  bench.group().submit(0, stream, Syncs().signal(done));
  const UniqueFd dma_buf = bo.export_fd();
  const UniqueFd fence = done.export_sync_file();
  mailbox.send(letter, dma_buf.get(), fence.get());
  igt_assert_eq(done.finish(kPatience), 1);
  expect_pattern(bo, letter.seed, 0);
  bench.vm().unmap(kPlay, letter.pages * kPage);
}

void read_a_letter(Bench& bench, const Mailbox& mailbox, Dice& dice) {
  const auto received = mailbox.receive();
  if (!received) return;
  const Letter letter = received->letter;
  if (dice.one_in(6)) mailbox.send(letter, received->dma_buf.get(), received->fence.get());
  Bo bo = Bo::import_fd(bench.device(), received->dma_buf.get());
  // A bind that waits for the other's job, whether that is finished, cancelled or still to run.
  const Syncobj theirs = Syncobj::create(bench.device());
  theirs.import_sync_file(received->fence.get());
  const Syncobj bound = Syncobj::create(bench.device());
  Binds binds;
  binds.map(bo, 0, kInbox, letter.pages * kPage, 0, Syncs().wait(theirs).signal(bound));
  igt_assert_eq(bench.vm().bind_async(binds), 0);
  const int status = finish_sync_file(received->fence.get(), kPatience);
  igt_assert_f(status != 0, "the fence of a letter does not signal\n");
  igt_assert_eq(bound.finish(kPatience), 1);
  expect_pattern(bo, letter.seed, 1);
  const uint32_t first = bo.words()[0];
  if (status == 1)
    igt_assert_eq(first, pattern(letter.seed, 0));
  else
    igt_assert(first == 0 || first == pattern(letter.seed, 0));
  const auto seen = bench.load_tags(kInbox, letter.pages);
  for (uint32_t page = 1; page < letter.pages; ++page)
    igt_assert_eq(seen[page], pattern(letter.seed, page * kWordsPerPage));
  bench.vm().unmap(kInbox, letter.pages * kPage);
}

// Asynchronous binds of memory that is this client's alone, read back through the last of them.
void storm(Bench& bench, Bo& own, uint32_t seed, Dice& dice) {
  const Syncobj done = Syncobj::create(bench.device());
  uint64_t point = 0;
  uint64_t page = 0, slot = 0;
  for (uint64_t more = 1 + dice.roll(12); more != 0; --more) {
    page = dice.roll(kMostPages);
    slot = dice.roll(kStormPages);
    Binds binds;
    if (dice.one_in(3))
      binds.unmap(kStorm + dice.roll(kStormPages) * kPage, (1 + dice.roll(40)) * kPage, {});
    binds.map(own, page * kPage, kStorm + slot * kPage, kPage, 0, Syncs().signal(done, ++point));
    igt_assert_eq(bench.vm().bind_async(binds), 0);
  }
  igt_assert_eq(done.wait_point(point, kPatience), 0);
  igt_assert_eq(bench.load32(kStorm + slot * kPage), pattern(seed, page * kWordsPerPage));
  expect_pattern(own, seed, 0);
}

// An address space and a group that come and go, with a buffer that only the GPU has written.
void churn(Dice& dice) {
  const Device other = Device::open_render();
  Bench bench(other);
  const auto pages = static_cast<uint32_t>(1 + dice.roll(8));
  Bo bo = fresh_buffer(other, pages);
  bench.vm().map(bo, kPlay);
  const auto base = static_cast<uint32_t>(1 + dice.roll(1 << 30));
  bench.store_tags(kPlay, pages, base);
  for (uint32_t i = 0; i < pages; ++i) igt_assert_eq(uint32_t{bo.word_at(i * kPage)}, base + i);
}

}  // namespace

IGT_TEST_DESCRIPTION("One of several clients that share buffers and fences and are killed");

igt_simple_main {
  const char* const text = getenv("PANTRY_KILLS_SEED");
  const char* const box = getenv("PANTRY_KILLS_MAILBOX");
  Mailbox mailbox;
  igt_assert(text != nullptr && box != nullptr);
  igt_assert_eq(sscanf(box, "%d,%d", &mailbox.out, &mailbox.in), 2);
  Dice dice(strtoull(text, nullptr, 0));
  const Device device = Device::open_render();
  Bench bench(device);
  const auto seed = static_cast<uint32_t>(dice.roll(UINT32_MAX));
  Bo own = fresh_buffer(device, kMostPages);
  fill(own, seed, 0);
  for (;;) {
    switch (dice.roll(8)) {
      case 0:
      case 1:
        write_a_letter(bench, mailbox, dice);
        break;
      case 2:
      case 3:
      case 4:
        read_a_letter(bench, mailbox, dice);
        break;
      case 5:
        churn(dice);
        break;
      default:
        storm(bench, own, seed, dice);
    }
  }
}
