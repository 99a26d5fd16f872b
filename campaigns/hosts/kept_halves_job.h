// SPDX-License-Identifier: MIT
//
// A job that reads and writes, round after round, what must stay as it is while binds around it
// come and go: pages in the outer parts of a range of three blocks of 2 MiB, of which only the
// middle ever changes. It also tells which buffer it finds at a page that changes at once. It is
// submitted anew whenever it ends.
//
// What it checks by itself: the first word of each page that it reads. What finish() checks: that
// each round was counted once on each page, and that no other word of the buffer has changed.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "campaigns/hosts/direct_client.h"

namespace pantry::campaigns {

class KeptHalvesJob {
 public:
  static constexpr std::uint64_t kBlock = 2 * kMiB;
  static constexpr std::uint64_t kVa = 0x4000'0000;
  static constexpr std::uint64_t kSize = 3 * kBlock;
  // The middle: what is outside is never without a mapping to the same place of home().
  static constexpr std::uint64_t kMiddle = kBlock / 2;
  static constexpr std::uint64_t kMiddleEnd = kSize - kBlock / 2;
  // A block that is mapped from one of two buffers; the job looks at one page of it.
  static constexpr std::uint64_t kSwitchVa = 0x5000'0000;
  static constexpr std::uint64_t kSwitchPage = 7 * kPageSize;

  // Maps all of it in `vm` of `client`'s and submits the first two.
  KeptHalvesJob(DirectClient& client, std::uint32_t vm);

  std::uint32_t home() const { return home_; }
  std::uint32_t switched(unsigned which) const { return switched_[which]; }

  // Submits what has ended anew. What the job has found, if anything: then it runs no more.
  std::optional<std::string> look();
  // After a bind of switched(which) has completed: waits until a round that began later has ended.
  std::optional<std::string> expect_switched(unsigned which);
  // Ends it.
  std::optional<std::string> finish();
  std::uint64_t rounds();

 private:
  static constexpr std::size_t kProbes = 24;

  void write_stream();
  std::optional<std::string> submit(std::size_t slot);
  std::optional<std::string> end_of(std::size_t slot);
  std::optional<std::string> check_counts();
  std::uint32_t result(std::uint64_t offset) { return client_.word(results_, offset); }

  DirectClient& client_;
  const std::uint32_t group_;
  const std::uint32_t home_;
  const std::uint32_t code_;
  const std::uint32_t results_;
  std::array<std::uint32_t, 2> switched_;
  std::array<std::uint32_t, 2> done_;
  std::array<std::uint64_t, kProbes> probes_{};  // offsets in the range
  std::uint32_t bytes_ = 0;
  std::size_t oldest_ = 0;
  std::uint64_t submitted_ = 0;
};

}  // namespace pantry::campaigns
