// SPDX-License-Identifier: MIT
#include "tools/trace/trace_file.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace pantry::trace {
namespace {

using testing::HasSubstr;

std::uint64_t any64() { return *rc::gen::arbitrary<std::uint64_t>(); }
std::uint32_t any32() { return *rc::gen::arbitrary<std::uint32_t>(); }
std::uint32_t below(std::size_t count) {
  return *rc::gen::inRange(0u, static_cast<std::uint32_t>(count));
}

// Grows a trace that keeps the rules, with numbers of any size.
class AnyTrace {
 public:
  Trace make() {
    const int events = *rc::gen::inRange(0, 40);
    for (int i = 0; i < events; ++i) add_one();
    return trace_;
  }

 private:
  struct Owned {
    std::uint32_t number, client;
  };

  std::uint32_t any_client() {
    const std::uint32_t client = below(clients_ + 1);
    clients_ = std::max(clients_, client + 1);
    return client;
  }
  std::vector<std::uint32_t> of(const std::vector<Owned>& all, std::uint32_t client) {
    std::vector<std::uint32_t> own;
    for (const Owned& one : all)
      if (one.client == client) own.push_back(one.number);
    return own;
  }
  std::uint32_t take(std::vector<Owned>& live) {
    const auto at = live.begin() + below(live.size());
    const std::uint32_t number = at->number;
    live.erase(at);
    return number;
  }

  void add_one() {
    switch (below(8)) {
      case 0: {
        const std::uint32_t client = any_client();
        live_vms_.push_back({vms_++, client});
        trace_.push_back(NewVm{client, any64()});
        return;
      }
      case 1: {
        NewBuffer buffer{any_client(), any64(), any32(), std::nullopt, {}};
        if (const auto vms = of(live_vms_, buffer.client); !vms.empty() && below(2) == 0)
          buffer.exclusive_vm = vms[below(vms.size())];
        for (std::uint32_t left = below(4); left != 0; --left)
          buffer.extents.push_back({{any64()}, any64()});
        live_buffers_.push_back({buffers_++, buffer.client});
        trace_.push_back(buffer);
        return;
      }
      case 2: {
        const std::uint32_t client = any_client();
        syncobjs_.push_back({static_cast<std::uint32_t>(syncobjs_.size()), client});
        trace_.push_back(NewSyncobj{client});
        return;
      }
      case 3:
        if (!live_vms_.empty()) trace_.push_back(EndVm{take(live_vms_)});
        return;
      case 4:
        if (!live_buffers_.empty()) trace_.push_back(EndBuffer{take(live_buffers_)});
        return;
      default:
        if (!live_vms_.empty()) add_bind(live_vms_[below(live_vms_.size())]);
    }
  }
  void add_bind(const Owned& vm) {
    Bind bind{
        vm.number, any32(), static_cast<std::int64_t>(any64()), static_cast<std::int64_t>(any64()),
        any32(),   {}};
    const auto buffers = of(live_buffers_, vm.client);
    const auto syncobjs = of(syncobjs_, vm.client);
    for (std::uint32_t left = below(4); left != 0; --left) {
      Op op{any32(), std::nullopt, any64(), any64(), any64(), {}};
      if (!buffers.empty() && below(3) != 0) op.buffer = buffers[below(buffers.size())];
      for (std::uint32_t syncs = syncobjs.empty() ? 0 : below(3); syncs != 0; --syncs)
        op.syncs.push_back({below(2) == 0 ? SyncOp::Kind::kWait : SyncOp::Kind::kSignal,
                            syncobjs[below(syncobjs.size())],
                            below(2) == 0 ? std::optional(any64()) : std::nullopt});
      bind.ops.push_back(op);
    }
    trace_.push_back(bind);
  }

  Trace trace_;
  std::uint32_t clients_ = 0, vms_ = 0, buffers_ = 0;
  std::vector<Owned> live_vms_, live_buffers_, syncobjs_;
};

std::vector<std::byte> bytes_of(const Trace& trace) {
  Writer writer;
  for (const Event& event : trace) writer.add(event);
  return writer.finish();
}
std::vector<std::byte> file_of(const std::vector<int>& after_header) {
  std::vector<std::byte> bytes = bytes_of({});
  bytes.resize(8);
  for (const int byte : after_header) bytes.push_back(static_cast<std::byte>(byte));
  return bytes;
}
std::string error_of(const std::vector<std::byte>& bytes) {
  const auto trace = parse(bytes);
  return trace ? "none" : std::to_string(trace.error().at) + ": " + trace.error().what;
}

RC_GTEST_PROP(TraceFile, GivesBackWhatWasWritten, ()) {
  const Trace trace = AnyTrace().make();
  const auto read = parse(bytes_of(trace));
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == trace);
}

// Each prefix of a file is one that ends too early, and says so at its end or before.
RC_GTEST_PROP(TraceFile, AnIncompleteFileIsRefused, ()) {
  std::vector<std::byte> bytes = bytes_of(AnyTrace().make());
  bytes.resize(below(bytes.size()));
  const auto read = parse(bytes);
  RC_ASSERT(!read.has_value());
  RC_ASSERT(read.error().at <= bytes.size());
}

// Nothing crashes, and what is accepted keeps the rules: written again, it is read the same.
RC_GTEST_PROP(TraceFile, ADamagedFileIsRefusedOrATrace, ()) {
  std::vector<std::byte> bytes = bytes_of(AnyTrace().make());
  for (std::uint32_t left = below(8); left != 0; --left) {
    const std::size_t at = below(bytes.size());
    switch (below(3)) {
      case 0:
        bytes[at] = static_cast<std::byte>(below(256));
        break;
      case 1:
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                     static_cast<std::byte>(below(256)));
        break;
      case 2:
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
        if (bytes.empty()) bytes.push_back({});
        break;
    }
  }
  if (const auto read = parse(bytes)) {
    const auto again = parse(bytes_of(*read));
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == *read);
  }
}

RC_GTEST_PROP(TraceFile, AnyBytesAfterTheHeaderAreRefusedOrATrace,
              (const std::vector<std::uint8_t>& any)) {
  const auto read = parse(file_of({any.begin(), any.end()}));
  if (!read) RC_ASSERT(read.error().at <= any.size() + 8);
}

TEST(TraceFile, LooksAsDocumented) {
  const Trace trace = {
      NewVm{0, 0x1000},
      NewBuffer{0, 0x2000, 1, 0, {{{0x80}, 0x2000}}},
      NewSyncobj{0},
      Bind{0, 1, 0, -2, 0, {{2, 0, 0, 0x40, 0x1000, {{SyncOp::Kind::kSignal, 0, 5}}}}},
      EndBuffer{0},
      EndVm{0}};
  const std::vector<std::byte> bytes = file_of({
      1, 0, 0x80, 0x20,                                            // NewVm
      3, 0, 0x80, 0x40, 1,    1,    1,    0x80, 0x02, 0x80, 0x40,  // NewBuffer; 0x80 folds to 0x100
      5, 0,                                                        // NewSyncobj
      6, 0, 1,    0,    3,    0,    1,                             // Bind
      2, 1, 0,    0x80, 0x01, 0x80, 0x20, 1,    3,    5,           // op; 0x40 folds to 0x80
      4, 0,                                                        // EndBuffer
      2, 0,                                                        // EndVm
      0, 6,                                                        // end
  });
  EXPECT_EQ(bytes_of(trace), bytes);
  const auto read = parse(bytes);
  ASSERT_TRUE(read.has_value()) << read.error().what;
  EXPECT_EQ(*read, trace);
}

TEST(TraceFile, IsReadOnlyIfMemoryHoldsIt) {
  const std::string path = testing::TempDir() + "some.trace";
  const std::vector<std::byte> bytes = bytes_of({NewVm{0, 0x1000}});
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  EXPECT_EQ(read_file(path), bytes);
  // The file takes no room on the disk: it is a hole.
  std::filesystem::resize_file(path, kLargestFile + 1);
  EXPECT_EQ(read_file(path).error(), "has 134217729 bytes, a trace at most 134217728");
  std::filesystem::remove(path);
  EXPECT_EQ(read_file(path).error(), "cannot be read");
  EXPECT_EQ(read_file(testing::TempDir()).error(), "cannot be read");
}

TEST(TraceFile, NamesTheMistake) {
  EXPECT_EQ(error_of({}), "0: not a trace of VM_BIND");
  std::vector<std::byte> newer = bytes_of({});
  newer[7] = std::byte{2};
  EXPECT_EQ(error_of(newer), "7: version 2, not 1");
  EXPECT_EQ(error_of(file_of({})), "8: it ends in the middle");
  EXPECT_EQ(error_of(file_of({0, 0})), "none");
  EXPECT_EQ(error_of(file_of({0, 1})), "10: 1 events, of which 0 are there");
  EXPECT_EQ(error_of(file_of({0, 0, 0})), "10: bytes after the end");
  EXPECT_THAT(error_of(file_of({7})), HasSubstr("an event of kind 7"));
  EXPECT_THAT(error_of(file_of({1, 1, 0, 0, 1})), HasSubstr("client 1 comes before client 0"));
  EXPECT_THAT(error_of(file_of({2, 0, 0, 1})), HasSubstr("VM 0 is unknown"));
  EXPECT_THAT(error_of(file_of({1, 0, 0, 2, 0, 2, 0, 0, 3})), HasSubstr("VM 0 has ended"));
  EXPECT_THAT(
      error_of(file_of({1, 0, 0, 3, 1, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0})),
      HasSubstr("buffer 0 is of client 1, not 0"));
  EXPECT_THAT(error_of(file_of({1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2})),
              HasSubstr("a number has more than 64 bits"));
  EXPECT_THAT(error_of(file_of({1, 0, 0, 6, 0, 0, 0, 0, 0, 0x7f})),
              HasSubstr("127 things in the 0 bytes that are left"));
}

}  // namespace
}  // namespace pantry::trace
