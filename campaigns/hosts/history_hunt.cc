// SPDX-License-Identifier: MIT
#include "campaigns/hosts/history_hunt.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/check.h"

namespace pantry::campaigns {
namespace {

// A history that takes longer hangs: it takes less than a second.
constexpr unsigned kPatienceSeconds = 300;
constexpr int kFound = 3;  // exit status
constexpr std::size_t kMostTrials = 600;

// What a child tells its parent.
struct Word {
  std::atomic<std::uint64_t> seed;
  std::atomic<std::uint64_t> played;
  char text[2000];
};

class SharedWord {
 public:
  SharedWord() {
    void* const memory =
        ::mmap(nullptr, sizeof(Word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    PANTRY_CHECK(memory != MAP_FAILED);
    word_ = new (memory) Word{};
  }
  ~SharedWord() { ::munmap(word_, sizeof(Word)); }
  SharedWord(const SharedWord&) = delete;
  SharedWord& operator=(const SharedWord&) = delete;
  Word& operator*() const { return *word_; }
  Word* operator->() const { return word_; }

 private:
  Word* word_;
};

std::vector<std::size_t> all_steps(const History& history, std::uint64_t seed) {
  std::vector<std::size_t> steps(history.length(seed));
  std::iota(steps.begin(), steps.end(), std::size_t{0});
  return steps;
}

// In the child. Does not return when something is found.
void play(const History& history, std::uint64_t seed, std::span<const std::size_t> kept,
          Word& word) {
  word.seed = seed;
  ::alarm(kPatienceSeconds);
  if (const auto finding = history.play(seed, kept)) {
    std::strncpy(word.text, finding->c_str(), sizeof word.text - 1);
    ++word.played;
    ::_exit(kFound);
  }
  ++word.played;
}

// How a child ended; nothing: well.
std::optional<std::string> ending(int status, const Word& word) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kFound) return word.text;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "hangs";
  if (WIFSIGNALED(status)) return fmt::format("ends with signal {}", WTERMSIG(status));
  return fmt::format("ends with status {}", WEXITSTATUS(status));
}

enum class Quiet { kNo, kYes };

template <class Body>
pid_t spawn(Body body, Quiet quiet) {
  ::fflush(stdout);
  const pid_t child = ::fork();
  PANTRY_CHECK(child >= 0);
  if (child != 0) return child;
  // What a bug prints as it ends the process was printed the first time.
  if (quiet == Quiet::kYes) PANTRY_CHECK(::freopen("/dev/null", "w", stderr));
  body();
  ::_exit(0);
}

int wait_for(pid_t child) {
  int status = 0;
  PANTRY_CHECK(::waitpid(child, &status, 0) == child);
  return status;
}

bool still_finds(const History& history, std::uint64_t seed, std::span<const std::size_t> kept) {
  const SharedWord word;
  const int status = wait_for(spawn([&] { play(history, seed, kept, *word); }, Quiet::kYes));
  return ending(status, *word).has_value();
}

// Leaves out larger and then smaller pieces, as long as something is found without them.
std::vector<std::size_t> shrink(const History& history, std::uint64_t seed) {
  std::vector<std::size_t> steps = all_steps(history, seed);
  std::size_t trials = 0;
  for (std::size_t piece = std::max<std::size_t>(steps.size() / 2, 1); trials < kMostTrials;) {
    bool smaller = false;
    // From the end: what comes after the finding goes first.
    for (std::size_t end = steps.size(); end > 0 && trials < kMostTrials;) {
      const std::size_t begin = end > piece ? end - piece : 0;
      std::vector<std::size_t> rest(steps.begin(),
                                    steps.begin() + static_cast<std::ptrdiff_t>(begin));
      rest.insert(rest.end(), steps.begin() + static_cast<std::ptrdiff_t>(end), steps.end());
      ++trials;
      if (still_finds(history, seed, rest)) {
        steps = std::move(rest);
        smaller = true;
      }
      end = begin;
    }
    if (piece == 1 && !smaller) break;
    piece = std::max<std::size_t>(piece / 2, 1);
  }
  return steps;
}

std::size_t report(const char* name, const History& history, std::uint64_t seed,
                   const std::string& finding) {
  fmt::print("FOUND in {} with seed {}: {}\n", name, seed, finding);
  const std::vector<std::size_t> all = all_steps(history, seed);
  if (!still_finds(history, seed, all)) {
    fmt::print("  which does not happen when the history is played alone\n");
    return all.size();
  }
  const std::vector<std::size_t> steps = shrink(history, seed);
  fmt::print("  {} of its {} steps still find something:\n", steps.size(), all.size());
  for (const std::size_t step : steps)
    fmt::print("    {:5} {}\n", step, history.describe(seed, step));
  return steps.size();
}

}  // namespace

Hunt hunt(const char* name, const History& history, std::uint64_t first, std::uint64_t count,
          unsigned workers) {
  struct Worker {
    SharedWord word;
    pid_t child = 0;
  };
  std::vector<Worker> team(workers);
  for (unsigned i = 0; i < workers; ++i) {
    Word& word = *team[i].word;
    team[i].child = spawn(
        [&] {
          for (std::uint64_t n = i; n < count; n += workers)
            play(history, first + n, all_steps(history, first + n), word);
        },
        Quiet::kNo);
  }
  Hunt result;
  for (Worker& worker : team) {
    const auto finding = ending(wait_for(worker.child), *worker.word);
    result.histories += worker.word->played;
    if (!finding) continue;
    ++result.findings;
    result.shrunk_to = report(name, history, worker.word->seed, *finding);
  }
  return result;
}

}  // namespace pantry::campaigns
