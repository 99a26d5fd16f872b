// SPDX-License-Identifier: MIT
#include "campaigns/hosts/kept_halves_job.h"

#include <fmt/core.h>

#include <vector>

#include "base/check.h"
#include "gpu_emu/datasheet/builder.h"
#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::campaigns {
namespace {

namespace isa = datasheet::isa;
using isa::d;
using isa::r;

constexpr std::uint64_t kCodeVa = 0x0100'0000;
constexpr std::uint64_t kCodeSize = 16 * kKiB;
constexpr std::uint64_t kResultsVa = 0x0200'0000;
// Short enough that a job ends long before the driver's limit, on any machine.
constexpr std::uint32_t kRoundsPerJob = 100;
constexpr std::uint32_t kTag = 0xa000'0000;
constexpr std::uint32_t kSwitchTag = 0xb000'0000;
// In each page: a tag, and how often the job was there.
constexpr std::uint64_t kCount = 4;
// In the results.
constexpr std::uint64_t kRounds = 0;
constexpr std::uint64_t kSeen = 4;       // at the switched page
constexpr std::uint64_t kDiffers = 8;    // what it found less what it should have
constexpr std::uint64_t kFailed = 12;    // 1 + the probe
constexpr std::uint64_t kPatience = 60;  // seconds

constexpr isa::Reg64 kAddress = d(64);
constexpr isa::Reg64 kResult = d(66);
constexpr isa::Reg32 kLoaded = r(70);
constexpr isa::Reg32 kLoadedCount = r(71);
constexpr isa::Reg32 kDifference = r(72);
constexpr isa::Reg32 kProbe = r(73);  // stored together with the difference
constexpr isa::Reg32 kRound = r(74);
constexpr isa::Reg32 kLeft = r(75);

constexpr isa::Wait kWaitAll{.mask = {0xff}};

std::uint32_t tag_of(std::uint64_t offset) {
  return kTag + static_cast<std::uint32_t>(offset / kPageSize);
}

}  // namespace

KeptHalvesJob::KeptHalvesJob(DirectClient& client, std::uint32_t vm)
    : client_(client),
      group_(client.create_group(vm)),
      home_(client.create_buffer(kSize, 0)),
      code_(client.create_buffer(kCodeSize, 0)),
      results_(client.create_buffer(kPageSize, 0)),
      switched_{client.create_buffer(kBlock, 0), client.create_buffer(kBlock, 0)},
      done_{client.create_syncobj(), client.create_syncobj()} {
  for (std::uint64_t at = 0; at < kSize; at += kPageSize) {
    const std::uint32_t tag = tag_of(at);
    client_.write(home_, at, &tag, sizeof tag);
  }
  for (std::uint32_t which = 0; which < 2; ++which) {
    const std::uint32_t tag = kSwitchTag + which;
    client_.write(switched_[which], kSwitchPage, &tag, sizeof tag);
  }
  // Half of them in either part: the first and the last page of it, and some between.
  for (std::size_t i = 0; i < kProbes; ++i) {
    const std::uint64_t page = i / 2 * (kMiddle / kPageSize - 1) / (kProbes / 2 - 1);
    probes_[i] = (i % 2 == 0 ? 0 : kMiddleEnd) + page * kPageSize;
  }
  std::vector<drm_panthor_vm_bind_op> ops{DirectClient::map(code_, 0, kCodeVa, kCodeSize),
                                          DirectClient::map(results_, 0, kResultsVa, kPageSize),
                                          DirectClient::map(home_, 0, kVa, kSize),
                                          DirectClient::map(switched_[0], 0, kSwitchVa, kBlock)};
  PANTRY_CHECK(client_.bind(vm, 0, ops) == 0);
  write_stream();
  for (std::size_t slot = 0; slot < done_.size(); ++slot) PANTRY_CHECK(!submit(slot));
}

void KeptHalvesJob::write_stream() {
  std::vector<std::uint64_t> words(kCodeSize / sizeof(std::uint64_t));
  datasheet::CsBuilder stream(words);
  std::vector<std::size_t> to_the_failure;
  const auto distance = [](std::size_t from, std::size_t to) {
    return static_cast<std::int16_t>(static_cast<std::int64_t>(to) -
                                     static_cast<std::int64_t>(from) - 1);
  };
  stream.add(isa::Move48{kResult, kResultsVa});
  stream.add(isa::LoadMultiple{kRound, kResult, 1, kRounds});
  stream.add(isa::Move32{kLeft, kRoundsPerJob});
  stream.add(kWaitAll);
  const std::size_t again = stream.size();
  stream.add(isa::Move48{kAddress, kSwitchVa + kSwitchPage});
  stream.add(isa::LoadMultiple{kLoaded, kAddress, 1, 0});
  stream.add(kWaitAll);
  stream.add(isa::StoreMultiple{kLoaded, kResult, 1, kSeen});
  for (std::size_t i = 0; i < kProbes; ++i) {
    stream.add(isa::Move32{kProbe, static_cast<std::uint32_t>(i + 1)});
    stream.add(isa::Move48{kAddress, kVa + probes_[i]});
    stream.add(isa::LoadMultiple{kLoaded, kAddress, 3, 0});
    stream.add(kWaitAll);
    stream.add(isa::AddImm32{kDifference, kLoaded, -static_cast<std::int32_t>(tag_of(probes_[i]))});
    to_the_failure.push_back(stream.size());
    stream.add_word(0);
    stream.add(isa::AddImm32{kLoadedCount, kLoadedCount, 1});
    stream.add(isa::StoreMultiple{kLoadedCount, kAddress, 1, kCount});
  }
  stream.add(isa::AddImm32{kRound, kRound, 1});
  stream.add(kWaitAll);
  stream.add(isa::StoreMultiple{kRound, kResult, 1, kRounds});
  stream.add(isa::AddImm32{kLeft, kLeft, -1});
  stream.add(isa::Branch{kLeft, isa::BranchCondition::kNotEqual, distance(stream.size(), again)});
  const std::size_t over_the_failure = stream.size();
  stream.add_word(0);
  const std::size_t failure = stream.size();
  stream.add(isa::StoreMultiple{kDifference, kResult, 3, kDiffers});
  const std::size_t end = stream.size();
  stream.add(kWaitAll);
  for (const std::size_t at : to_the_failure)
    words[at] = isa::encode(
        isa::Branch{kDifference, isa::BranchCondition::kNotEqual, distance(at, failure)});
  words[over_the_failure] = isa::encode(
      isa::Branch{kLeft, isa::BranchCondition::kAlways, distance(over_the_failure, end)});
  bytes_ = static_cast<std::uint32_t>(stream.bytes());
  client_.write(code_, 0, words.data(), bytes_);
}

std::optional<std::string> KeptHalvesJob::submit(std::size_t slot) {
  if (const int result = client_.submit(group_, kCodeVa, bytes_, done_[slot]); result != 0)
    return fmt::format("the group takes no job any more, {}, in round {}", result, rounds());
  ++submitted_;
  return std::nullopt;
}

std::optional<std::string> KeptHalvesJob::end_of(std::size_t slot) {
  if (const int status = client_.finish(done_[slot]); status != 1)
    return fmt::format("the job ends with {}, in round {}", status, rounds());
  if (const std::uint32_t failed = result(kFailed); failed != 0) {
    const std::uint64_t offset = probes_[failed - 1];
    return fmt::format("the job reads {:#x} at {:#x}, where {:#x} belongs, in round {}",
                       tag_of(offset) + result(kDiffers), kVa + offset, tag_of(offset), rounds());
  }
  return std::nullopt;
}

std::optional<std::string> KeptHalvesJob::look() {
  while (client_.file().syncobj(done_[oldest_])->fence()->signalled()) {
    if (auto finding = end_of(oldest_)) return finding;
    if (auto finding = submit(oldest_)) return finding;
    oldest_ = (oldest_ + 1) % done_.size();
  }
  return std::nullopt;
}

std::optional<std::string> KeptHalvesJob::expect_switched(unsigned which) {
  driver::Clock& clock = client_.file().device().executor().clock();
  const TimePoint limit = clock.now() + seconds(kPatience);
  // The round that runs now may have looked before.
  const std::uint64_t until = rounds() + 2;
  while (rounds() < until) {
    if (auto finding = look()) return finding;
    if (clock.now() > limit) return fmt::format("the job stands still in round {}", rounds());
    clock.sleep(microseconds(5));
  }
  if (const std::uint32_t seen = result(kSeen); seen != kSwitchTag + which)
    return fmt::format("the job reads {:#x} at {:#x} after {:#x} was mapped there, in round {}",
                       seen, kSwitchVa + kSwitchPage, kSwitchTag + which, rounds());
  return std::nullopt;
}

std::optional<std::string> KeptHalvesJob::finish() {
  for (std::size_t n = 0; n < done_.size(); ++n)
    if (auto finding = end_of((oldest_ + n) % done_.size())) return finding;
  return check_counts();
}

std::uint64_t KeptHalvesJob::rounds() { return result(kRounds); }

std::optional<std::string> KeptHalvesJob::check_counts() {
  const std::uint64_t rounds = submitted_ * kRoundsPerJob;
  if (this->rounds() != rounds)
    return fmt::format("{} rounds have ended of {}", this->rounds(), rounds);
  std::vector<std::uint32_t> words(kSize / 4);
  PANTRY_CHECK(client_.file().buffer(home_)->read(0, words.data(), kSize));
  std::vector<std::uint32_t> expected(words.size());
  for (std::uint64_t at = 0; at < kSize; at += kPageSize) expected[at / 4] = tag_of(at);
  for (const std::uint64_t at : probes_)
    expected[(at + kCount) / 4] = static_cast<std::uint32_t>(rounds);
  for (std::size_t i = 0; i < words.size(); ++i)
    if (words[i] != expected[i])
      return fmt::format("after {} rounds the buffer has {:#x} at {:#x}, where {:#x} belongs",
                         rounds, words[i], 4 * i, expected[i]);
  return std::nullopt;
}

}  // namespace pantry::campaigns
