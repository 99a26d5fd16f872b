// SPDX-License-Identifier: MIT
//
// The main job: a plain libdrm client of the Panthor driver. It makes two address spaces and some
// buffers, chains asynchronous binds by points of a timeline, copies data through those mappings,
// remaps part of a range while a job works on the rest, checks every byte, and provokes one fault.
// Without a device it says so and returns 1; anything unexpected returns 2.

#include <algorithm>
#include <cinttypes>
#include <iterator>

#include "examples/panthor_client.h"

namespace example {
namespace {

constexpr uint64_t kKib = 1024;
constexpr uint64_t kMib = 1024 * kKib;
constexpr uint64_t kGib = 1024 * kMib;
constexpr uint64_t kPage = 4 * kKib;

constexpr uint32_t kNoExec = DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC;
constexpr uint32_t kReadOnly = DRM_PANTHOR_VM_BIND_OP_MAP_READONLY;
constexpr uint32_t kUncached = DRM_PANTHOR_VM_BIND_OP_MAP_UNCACHED;

// A whole block of 2 MiB and some pages, so that entries of both sizes are used.
constexpr uint64_t kSize = 2 * kMib + 64 * kKib;

// Where things lie. The staging buffer has a different address in each space.
constexpr uint64_t kCodeVa = 16 * kMib;
constexpr uint64_t kControlVa = 17 * kMib;
constexpr uint64_t kSourceVa = 1 * kGib;
constexpr uint64_t kStagingVaA = 2 * kGib;
constexpr uint64_t kStagingVaB = 5 * kGib;
constexpr uint64_t kTargetVa = 6 * kGib;
constexpr uint64_t kEchoVa = 7 * kGib;

// The first part of the staging range, on which a job works while pieces of the same block of 2 MiB
// are replaced. The piece behind the last one is unmapped for good.
constexpr uint64_t kKept = 64 * kKib;
constexpr uint64_t kPiece = 64 * kKib;
constexpr uint32_t kPieces = 8;
constexpr uint64_t kFirstPiece = 1 * kMib;
constexpr uint64_t kHole = kFirstPiece + kPieces * kPiece;

// Words of the control page.
constexpr uint32_t kStop = 0;
constexpr uint32_t kRounds = 1;

// Prints each step with the time it took.
class Steps {
 public:
  [[gnu::format(printf, 2, 3)]] void done(const char* format, ...) {
    const int64_t now = now_ns();
    printf("%3u. %9.3f ms  ", ++number_, static_cast<double>(now - last_) / 1e6);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
    last_ = now_ns();
  }

 private:
  unsigned number_ = 0;
  int64_t last_ = now_ns();
};

// Different in each buffer, and without a period that a size of pages could hide.
void fill(const Buffer& buffer, uint64_t seed) {
  uint64_t state = seed * 0x9E37'79B9'7F4A'7C15;
  for (uint64_t i = 0; i + sizeof(state) <= buffer.size; i += sizeof(state)) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    memcpy(buffer.bytes + i, &state, sizeof(state));
  }
}

class MainJob {
 public:
  explicit MainJob(Client& client)
      : client_(client),
        chain_(client.create_timeline()),
        mill_done_{client.create_timeline(), 1},
        pieces_(client.create_timeline()) {}

  void run() {
    prepare();
    bind_asynchronously();
    copy_through_both_spaces();
    remap_beside_a_running_job();
    read_the_patchwork();
    provoke_a_fault();
    printf("done: %" PRIu64 " KiB checked byte by byte\n", checked_ / kKib);
  }

 private:
  void prepare() {
    vm_a_ = client_.create_vm();
    vm_b_ = client_.create_vm();
    steps_.done("two address spaces of %u bits",
                DRM_PANTHOR_MMU_VA_BITS(client_.info().mmu_features));
    source_ = client_.create_buffer(kSize);
    staging_ = client_.create_buffer(kSize);
    target_ = client_.create_buffer(kSize);
    spare_ = client_.create_buffer(kPieces * kPiece);
    echo_ = client_.create_buffer(kKept);
    code_ = client_.create_buffer(64 * kKib);
    control_ = client_.create_buffer(kPage);
    fill(source_, 1);
    fill(spare_, 2);
    steps_.done("seven buffers, two of them filled");
  }

  // The binds of both spaces form one chain: each waits for the point of the one before it, which
  // may be in the other space.
  void bind_asynchronously() {
    const struct {
      uint32_t vm;
      const Buffer& buffer;
      uint64_t va;
      uint32_t flags;
    } binds[] = {
        {vm_a_, code_, kCodeVa, kReadOnly},
        {vm_b_, code_, kCodeVa, kReadOnly},
        {vm_a_, source_, kSourceVa, kReadOnly | kNoExec},
        {vm_b_, target_, kTargetVa, kNoExec},
        {vm_a_, staging_, kStagingVaA, kNoExec},
        {vm_b_, staging_, kStagingVaB, kNoExec},
        {vm_b_, echo_, kEchoVa, kNoExec},
        {vm_b_, control_, kControlVa, kNoExec | kUncached},
    };
    for (const auto& bind : binds) {
      client_.map(bind.vm, bind.buffer, 0, bind.va, bind.buffer.size, bind.flags, next(chain_));
    }
    steps_.done("%zu binds queued, a chain of %" PRIu64 " points", std::size(binds), chain_.value);
  }

  // A job in the first space and one in the second, each behind the one before it, the first one
  // behind the binds. The CPU waits for the last only.
  void copy_through_both_spaces() {
    const uint32_t group_a = client_.create_group(vm_a_);
    group_b_ = client_.create_group(vm_b_);
    steps_.done("a group in each space");
    submit(group_a, CommandStream().copy(kStagingVaA, kSourceVa, kSize).publish(), next(chain_));
    submit(group_b_, CommandStream().copy(kTargetVa, kStagingVaB, kSize).publish(), next(chain_));
    const uint64_t reached = client_.reached(chain_.timeline);
    steps_.done("two jobs to copy %" PRIu64 " KiB each, at point %" PRIu64 " of %" PRIu64,
                kSize / kKib, reached, chain_.value);
    client_.wait(chain_.last());
    steps_.done("both have run");
    expect_same("staging", staging_, 0, source_, 0, kSize);
    expect_same("target", target_, 0, source_, 0, kSize);
    steps_.done("every byte went through both spaces");
    client_.destroy_group(group_a);
  }

  // A job copies the first pages of the staging range over and over. Meanwhile pieces behind them
  // are replaced, one by one, and a second group copies from each piece.
  void remap_beside_a_running_job() {
    CommandStream mill;
    mill.address(30, kControlVa).number(26, 0);
    const size_t round = mill.here();
    mill.copy(kEchoVa, kStagingVaB, kKept).publish();
    mill.add32(26, 1).store(26, 1, 30, kRounds * 4).load(27, 1, 30, kStop * 4).wait();
    mill.back_if_zero(27, round).publish();
    submit(group_b_, mill, {chain_.last(), mill_done_});
    wait_for_rounds(1);
    steps_.done("a job that copies %" PRIu64 " KiB over and over is under way", kKept / kKib);

    memset(target_.bytes, 0, target_.size);
    const uint32_t helper = client_.create_group(vm_b_);
    const uint32_t rounds_before = rounds();
    for (uint32_t i = 0; i < kPieces; ++i) {
      const uint64_t offset = kFirstPiece + i * kPiece;
      client_.map(vm_b_, spare_, i * kPiece, kStagingVaB + offset, kPiece, kNoExec, next(pieces_));
      submit(helper,
             CommandStream().copy(kTargetVa + offset, kStagingVaB + offset, kPiece).publish(),
             next(pieces_));
    }
    client_.unmap(vm_b_, kStagingVaB + kHole, kPiece, next(pieces_));
    client_.wait(pieces_.last());
    wait_for_rounds(rounds_before + 2);
    steps_.done("%u pieces replaced and copied, one unmapped; rounds %u to %u beside it", kPieces,
                rounds_before, rounds());
    if (client_.reached(mill_done_.timeline) != 0) fail("the job ended before it was told to");

    control_word(kStop) = 1;
    client_.wait(mill_done_);
    client_.destroy_group(helper);
    steps_.done("the job was told to stop and did");
    expect_same("echo", echo_, 0, source_, 0, kKept);
    expect_same("copied pieces", target_, kFirstPiece, spare_, 0, kPieces * kPiece);
    expect_zero("target before the pieces", 0, kFirstPiece);
    expect_zero("target behind the pieces", kHole, kSize - kHole);
    steps_.done("every byte of the kept part and of the pieces is right");
  }

  // The whole range as it now is: the old buffer around the new pieces and the hole.
  void read_the_patchwork() {
    constexpr uint64_t kBehind = kHole + kPiece;
    memset(target_.bytes, 0, target_.size);
    submit(group_b_,
           CommandStream()
               .copy(kTargetVa, kStagingVaB, kHole)
               .copy(kTargetVa + kBehind, kStagingVaB + kBehind, kSize - kBehind)
               .publish(),
           next(chain_));
    client_.wait(chain_.last());
    expect_same("before the pieces", target_, 0, source_, 0, kFirstPiece);
    expect_same("the pieces", target_, kFirstPiece, spare_, 0, kPieces * kPiece);
    expect_zero("the hole", kHole, kPiece);
    expect_same("behind the hole", target_, kBehind, source_, kBehind, kSize - kBehind);
    // Replaced mappings, not memory.
    expect_same("staging", staging_, 0, source_, 0, kSize);
    steps_.done("old and new pieces of the range, in one job");
  }

  void provoke_a_fault() {
    memset(target_.bytes, 0, target_.size);
    CommandStream stream;
    stream.copy(kTargetVa + kHole, kStagingVaB + kHole, 2 * kPiece).publish();
    const int status = client_.run_to_status(group_b_, place(stream), stream.size_bytes());
    const drm_panthor_group_get_state state = client_.group_state(group_b_);
    if (status != -EINVAL) fail("the fence of the faulting job says %d", status);
    if (state.state != DRM_PANTHOR_GROUP_STATE_FATAL_FAULT) fail("group state %u", state.state);
    expect_zero("behind the fault", kHole, kSize - kHole);
    steps_.done("a load from the hole at %#" PRIx64 ": fence %d, queues dead %#x",
                kStagingVaB + kHole, status, state.fatal_queues);
    client_.destroy_group(group_b_);
    if (!client_.is_usable(vm_b_)) fail("the space died with its group");
    group_b_ = client_.create_group(vm_b_);
    submit(group_b_, CommandStream().copy(kTargetVa, kStagingVaB, kPage).publish(), next(chain_));
    client_.wait(chain_.last());
    expect_same("after the fault", target_, 0, source_, 0, kPage);
    steps_.done("a new group in the same space works");
  }

  // A timeline and how far it has been given out.
  struct Chain {
    explicit Chain(uint32_t handle) : timeline(handle) {}
    Point last() const { return {timeline, value}; }

    uint32_t timeline;
    uint64_t value = 0;
  };

  // The next link of a chain: after its last point, signalling a new one.
  static Order next(Chain& chain) {
    const Point after = chain.last();
    ++chain.value;
    return {after, chain.last()};
  }

  // Copies a stream to where no other lies, and returns its address.
  uint64_t place(const CommandStream& stream) {
    constexpr uint64_t kAlignment = 64;
    if (code_end_ + stream.size_bytes() > code_.size) fail("the code buffer is full");
    memcpy(code_.bytes + code_end_, stream.words().data(), stream.size_bytes());
    const uint64_t va = kCodeVa + code_end_;
    code_end_ = (code_end_ + stream.size_bytes() + kAlignment - 1) / kAlignment * kAlignment;
    return va;
  }
  void submit(uint32_t group, const CommandStream& stream, const Order& order) {
    client_.submit(group, place(stream), stream.size_bytes(), order);
  }

  volatile uint32_t& control_word(uint32_t word) {
    return reinterpret_cast<volatile uint32_t*>(control_.bytes)[word];
  }
  uint32_t rounds() { return control_word(kRounds); }
  void wait_for_rounds(uint32_t wanted) {
    const int64_t end = now_ns() + kPatience;
    while (rounds() < wanted) {
      if (now_ns() > end) fail("the job does not get on: round %u of %u", rounds(), wanted);
      usleep(100);
    }
  }

  void expect_same(const char* what, const Buffer& got, uint64_t got_offset, const Buffer& wanted,
                   uint64_t wanted_offset, uint64_t size) {
    const uint8_t* a = got.bytes + got_offset;
    const uint8_t* b = wanted.bytes + wanted_offset;
    const uint8_t* wrong = std::mismatch(a, a + size, b).first;
    if (wrong != a + size) {
      fail("%s: byte %#tx is %#x, not %#x", what, wrong - a, *wrong, b[wrong - a]);
    }
    checked_ += size;
  }
  void expect_zero(const char* what, uint64_t offset, uint64_t size) {
    const uint8_t* start = target_.bytes + offset;
    const uint8_t* wrong =
        std::find_if(start, start + size, [](uint8_t byte) { return byte != 0; });
    if (wrong != start + size) fail("%s: byte %#tx is %#x, not 0", what, wrong - start, *wrong);
    checked_ += size;
  }

  Client& client_;
  Chain chain_;
  Point mill_done_;
  Chain pieces_;
  Steps steps_;
  uint64_t checked_ = 0;
  uint64_t code_end_ = 0;
  uint32_t vm_a_ = 0;
  uint32_t vm_b_ = 0;
  uint32_t group_b_ = 0;
  Buffer source_;
  Buffer staging_;
  Buffer target_;
  Buffer spare_;
  Buffer echo_;
  Buffer code_;
  Buffer control_;
};

}  // namespace
}  // namespace example

int main() {
  const int fd = example::open_device();
  if (fd < 0) {
    printf("no device\n");
    return 1;
  }
  example::Client client(fd);
  example::MainJob(client).run();
  return 0;
}
