// SPDX-License-Identifier: MIT
#include "driver/vm/bind_op.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <map>

#include "driver/gem/arena_backing.h"
#include "driver/gem/buffer_store.h"

namespace pantry::driver {
namespace {

constexpr std::uint32_t kReadOnly = 1, kNoExec = 2, kUncached = 4, kSparse = 8;
constexpr std::uint32_t kMap = 0, kUnmap = 1u << 28, kSyncOnly = 2u << 28;

class BindOpTest : public testing::Test, private BufferLookup {
 protected:
  static constexpr std::uint64_t kDramBytes = 4 * kMiB;
  BindOpTest() {
    buffers_[1] = store_.create(64 * kKiB, 0, nullptr).value();
    buffers_[2] = store_.create(64 * kKiB, 0, vm_).value();
    buffers_[3] = store_.create(64 * kKiB, 0, make_ref<Reservation>()).value();
  }
  ~BindOpTest() override {
    buffers_.clear();
    sparse_ = nullptr;
    munmap(dram_.host, kDramBytes);
  }
  Ref<Buffer> find_buffer(std::uint32_t handle) override {
    ++lookups_;
    const auto found = buffers_.find(handle);
    return found == buffers_.end() ? nullptr : found->second;
  }
  Result<Ref<Buffer>> sparse_buffer() override {
    if (!sparse_) return Error(Errno::kNoMem);
    return sparse_;
  }
  Result<BindOp> validate(const BindArgs& args, BindMode mode) {
    return validate_bind(args, mode, rules_, split_, *vm_, *this);
  }
  // EINVAL in both modes.
  bool rejects(const BindArgs& args) {
    bool both = true;
    for (const BindMode mode : {BindMode::kSync, BindMode::kAsync}) {
      const auto op = validate(args, mode);
      both = both && !op && op.error() == Errno::kInval;
    }
    return both;
  }

  emu::Dram dram_{{0},
                  kDramBytes,
                  static_cast<std::uint8_t*>(mmap(nullptr, kDramBytes, PROT_READ | PROT_WRITE,
                                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))};
  FrameAllocator frames_{{{0}, kDramBytes}, {}};
  ArenaBacking backing_{dram_};
  BufferStore store_{frames_, dram_, backing_};
  Ref<Reservation> vm_ = make_ref<Reservation>();
  std::map<std::uint32_t, Ref<Buffer>> buffers_;
  Ref<Buffer> sparse_;
  BindRules rules_;
  VaSplit split_ = split_va(48, 0).value();
  int lookups_ = 0;
};

TEST_F(BindOpTest, Map) {
  const auto op = validate({kMap | kReadOnly | kNoExec | kUncached, 1, 0x1000, 0x200000, 0xf000, 7},
                           BindMode::kAsync);
  ASSERT_TRUE(op);
  EXPECT_EQ(op->type, BindType::kMap);
  EXPECT_EQ(op->range, GpuRange::of_size({0x200000}, 0xf000));
  EXPECT_EQ(op->buffer, buffers_[1]);
  EXPECT_EQ(op->buffer_offset, 0x1000u);
  EXPECT_EQ(op->prot, Prot::kReadOnly | Prot::kNoExec | Prot::kUncached);
  EXPECT_FALSE(op->fails_with);
  EXPECT_TRUE(validate({kMap, 2, 0, 0, 0x1000, 0}, BindMode::kSync)) << "private to this VM; VA 0";
}

TEST_F(BindOpTest, Unmap) {
  const auto op = validate({kUnmap, 0, 0, 0x1000, 0x100000000, 0}, BindMode::kSync);
  ASSERT_TRUE(op);
  EXPECT_EQ(op->type, BindType::kUnmap);
  EXPECT_EQ(op->range, GpuRange::of_size({0x1000}, 0x100000000));
  EXPECT_FALSE(op->buffer);
}

TEST_F(BindOpTest, SyncOnly) {
  const auto op = validate({kSyncOnly, 0, 0, 0, 0, 1}, BindMode::kAsync);
  ASSERT_TRUE(op);
  EXPECT_EQ(op->type, BindType::kSyncOnly);
  EXPECT_FALSE(op->range);
}

TEST_F(BindOpTest, EverythingIsAMultipleOfFourKiB) {
  EXPECT_TRUE(rejects({kMap, 1, 0, 0x800, 0x1000, 0}));
  EXPECT_TRUE(rejects({kMap, 1, 0, 0x1000, 0x1001, 0}));
  EXPECT_TRUE(rejects({kMap, 1, 0x10, 0x1000, 0x1000, 0}));
  EXPECT_TRUE(rejects({kUnmap, 0, 0, 0x1000, 0x1fff, 0}));
  EXPECT_EQ(lookups_, 0) << "before the handle is looked at";
}

TEST_F(BindOpTest, RangesStayInTheClientsPart) {
  const std::uint64_t end = split_.user_size;
  EXPECT_TRUE(validate({kMap, 1, 0, end - 0x1000, 0x1000, 0}, BindMode::kSync));
  for (const std::uint32_t type : {kMap, kUnmap}) {
    const std::uint32_t handle = type == kMap ? 1 : 0;
    EXPECT_TRUE(rejects({type, handle, 0, end - 0x1000, 0x2000, 0}));
    EXPECT_TRUE(rejects({type, handle, 0, end, 0x1000, 0}));
    EXPECT_TRUE(rejects({type, handle, 0, end, 0, 0})) << "the start alone";
    EXPECT_TRUE(rejects({type, handle, 0, ~std::uint64_t{0xfff}, 0x1000, 0}));
    EXPECT_TRUE(rejects({type, handle, 0, 0x1000, ~std::uint64_t{0xfff}, 0})) << "wraps";
  }
  EXPECT_EQ(lookups_, 1) << "before the handle is looked at";
}

TEST_F(BindOpTest, OlderRulesLeaveThatToTheFenceInAsyncMode) {
  rules_.past_user_area = BindRules::PastUserArea::kFailAtEntryWhenSync;
  const BindArgs args{kMap, 1, 0, std::uint64_t{1} << 48, 0x1000, 0};
  EXPECT_EQ(validate(args, BindMode::kSync).error(), Errno::kInval);
  const auto op = validate(args, BindMode::kAsync);
  ASSERT_TRUE(op);
  EXPECT_EQ(op->fails_with, Errno::kInval);
  EXPECT_FALSE(op->range);
  EXPECT_EQ(validate({kMap, 9, 0, std::uint64_t{1} << 48, 0x1000, 0}, BindMode::kAsync).error(),
            Errno::kInval)
      << "the other rules are not deferred";
}

TEST_F(BindOpTest, MapRules) {
  EXPECT_TRUE(rejects({kMap, 9, 0, 0, 0x1000, 0})) << "unknown buffer";
  EXPECT_TRUE(rejects({kMap, 0, 0, 0, 0x1000, 0}));
  EXPECT_TRUE(rejects({kMap | 0x10, 1, 0, 0, 0x1000, 0})) << "unknown flag";
  EXPECT_TRUE(rejects({kMap | kSparse | kNoExec, 0, 0, 0, 0x1000, 0})) << "before uAPI 1.9";
  EXPECT_TRUE(rejects({kMap, 1, 0, 0, 0x11000, 0})) << "larger than the buffer";
  EXPECT_TRUE(rejects({kMap, 1, 0x1000, 0, 0x10000, 0}));
  EXPECT_TRUE(rejects({kMap, 1, ~std::uint64_t{0xfff}, 0, 0x1000, 0}));
  EXPECT_TRUE(rejects({kMap, 1, 0x11000, 0, 0, 0})) << "an offset outside, though size is 0";
  EXPECT_TRUE(rejects({kMap, 3, 0, 0, 0x1000, 0})) << "private to another VM";
}

TEST_F(BindOpTest, UnmapRules) {
  EXPECT_TRUE(rejects({kUnmap | kReadOnly, 0, 0, 0, 0x1000, 0}));
  EXPECT_TRUE(rejects({kUnmap, 1, 0, 0, 0x1000, 0}));
  EXPECT_TRUE(rejects({kUnmap, 0, 0x1000, 0, 0x1000, 0}));
}

TEST_F(BindOpTest, SyncOnlyRules) {
  EXPECT_TRUE(rejects({kSyncOnly | kNoExec, 0, 0, 0, 0, 1}));
  EXPECT_TRUE(rejects({kSyncOnly, 1, 0, 0, 0, 1}));
  EXPECT_TRUE(rejects({kSyncOnly, 0, 0x1000, 0, 0, 1}));
  EXPECT_TRUE(rejects({kSyncOnly, 0, 0, 0x1000, 0, 1}));
  EXPECT_TRUE(rejects({kSyncOnly, 0, 0, 0, 0x1000, 1}));
  EXPECT_TRUE(rejects({kSyncOnly, 0, 0, 0, 0, 0}));
}

TEST_F(BindOpTest, OtherTypes) {
  for (std::uint32_t type = 3; type < 16; ++type)
    EXPECT_TRUE(rejects({type << 28, 0, 0, 0, 0x1000, 1})) << type;
}

TEST_F(BindOpTest, NothingToDoIsNoRange) {
  EXPECT_FALSE(validate({kMap, 1, 0, 0x1000, 0, 0}, BindMode::kAsync)->range);
  EXPECT_FALSE(validate({kUnmap, 0, 0, 0x1000, 0, 0}, BindMode::kAsync)->range);
}

TEST_F(BindOpTest, SparseRules) {
  rules_.sparse = true;
  EXPECT_TRUE(rejects({kMap | kSparse, 0, 0, 0, 0x1000, 0})) << "without NOEXEC";
  EXPECT_TRUE(rejects({kMap | kSparse | kNoExec, 1, 0, 0, 0x1000, 0}));
  EXPECT_TRUE(rejects({kMap | kSparse | kNoExec, 0, 0x1000, 0, 0x1000, 0}));
  EXPECT_EQ(lookups_, 0);
  EXPECT_TRUE(rejects({kMap | kSparse | kNoExec | 0x10, 0, 0, 0, 0x1000, 0})) << "unknown flag";
  EXPECT_TRUE(rejects({kMap | kSparse | kNoExec, 0, 0, 0x800, 0x1000, 0}));
  EXPECT_FALSE(validate({kMap | kSparse | kNoExec, 0, 0, split_.user_size, 0x1000, 0},
                        BindMode::kSync));
  EXPECT_EQ(validate({kMap | kSparse | kNoExec, 0, 0, 0, 0x1000, 0}, BindMode::kSync).error(),
            Errno::kNoMem);
  EXPECT_FALSE(validate({kMap | kSparse | kNoExec, 0, 0, 0, 0, 0}, BindMode::kSync)->range)
      << "nothing is mapped, nothing is needed";
}

TEST_F(BindOpTest, SparseIsOfTheClientsOwnBuffer) {
  rules_.sparse = true;
  sparse_ = store_.create(2 * kMiB, 0, make_ref<Reservation>()).value();
  // Larger than any buffer.
  const auto op = validate({kMap | kSparse | kNoExec | kUncached, 0, 0, 0x3000, 256 * kGiB, 0},
                           BindMode::kAsync);
  ASSERT_TRUE(op);
  EXPECT_EQ(op->type, BindType::kMap);
  EXPECT_EQ(op->content, BindOp::Content::kRepeated);
  EXPECT_EQ(op->among, BindOp::Among::kRepeated);
  EXPECT_EQ(op->range, GpuRange::of_size({0x3000}, 256 * kGiB));
  EXPECT_EQ(op->buffer, sparse_);
  EXPECT_EQ(op->prot, Prot::kNoExec | Prot::kUncached);
  EXPECT_EQ(lookups_, 0);
  EXPECT_EQ(validate({kUnmap, 0, 0, 0, 0x1000, 0}, BindMode::kSync)->among,
            BindOp::Among::kRepeated)
      << "it may cut one";
}

}  // namespace
}  // namespace pantry::driver
