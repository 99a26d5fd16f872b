// SPDX-License-Identifier: MIT
//
// Plays many histories, each made from a seed, until one finds something: in several child
// processes, so that a history that crashes or hangs is found as well. What is found is shrunk: as
// few of its steps as still find something, printed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace pantry::campaigns {

class History {
 public:
  virtual std::size_t length(std::uint64_t seed) const = 0;
  // Plays the steps with the numbers `kept`, which are in order, and says what it has found. Any
  // subset of the steps is a history.
  virtual std::optional<std::string> play(std::uint64_t seed,
                                          std::span<const std::size_t> kept) const = 0;
  virtual std::string describe(std::uint64_t seed, std::size_t step) const = 0;

 protected:
  ~History() = default;
};

struct Hunt {
  std::uint64_t histories = 0;  // played to their end, or to where they found something
  std::uint64_t findings = 0;
  std::size_t shrunk_to = 0;  // steps of the last finding
};

// Plays the histories with the seeds from `first` on, `count` of them, in `workers` processes. Each
// worker ends with its first finding. No thread of the caller's process runs.
Hunt hunt(const char* name, const History& history, std::uint64_t first, std::uint64_t count,
          unsigned workers);

}  // namespace pantry::campaigns
