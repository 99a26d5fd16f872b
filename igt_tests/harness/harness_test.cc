// SPDX-License-Identifier: MIT
//
// Each test runs a small test program in a process of its own and reads what a parser would read:
// its two output streams and its exit status.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/sanitizer.h"
#include "igt_tests/harness/igt.h"

namespace igt {
namespace {

struct Ran {
  std::string out;
  std::string err;
  int status = 0;

  int exit_code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
  int signal_number() const { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
};

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read(fd, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

// Takes "(1.234s)" to "(T)", so that lines can be compared.
std::string without_times(std::string text) {
  for (size_t at = 0; (at = text.find('(', at)) != std::string::npos; ++at) {
    size_t end = at + 1;
    while (end < text.size() &&
           (isdigit(static_cast<unsigned char>(text[end])) != 0 || text[end] == '.'))
      ++end;
    if (end > at + 1 && text.compare(end, 2, "s)") == 0) text.replace(at, end + 2 - at, "(T)");
  }
  return text;
}

// What follows the lines that every program starts with.
std::string body_of(const std::string& out) {
  const std::string marker = " for randomisation\n";
  const size_t at = out.find(marker);
  return without_times(at == std::string::npos ? out : out.substr(at + marker.size()));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

using Environment = std::vector<std::pair<const char*, const char*>>;

enum class Shape { kSubtests, kSimple };

Ran run_program(Shape shape, std::vector<const char*> arguments, const Environment& environment,
                BodyRef body) {
  // Files, not pipes: a program may print more than a pipe holds before anybody reads.
  char out_path[] = "/tmp/igt-harness-out-XXXXXX";
  char err_path[] = "/tmp/igt-harness-err-XXXXXX";
  const int out = mkstemp(out_path);
  const int err = mkstemp(err_path);
  unlink(out_path);
  unlink(err_path);
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    for (const char* name :
         {"IGT_LOG_LEVEL", "IGT_SENTINEL_ON_STDERR", "IGT_DEVICE", "IGT_FORCE_DRIVER"}) {
      unsetenv(name);
    }
    for (const auto& [name, value] : environment) setenv(name, value, 1);
    arguments.insert(arguments.begin(), "/somewhere/prog");
    const int count = static_cast<int>(arguments.size());
    arguments.push_back(nullptr);
    char** argv = const_cast<char**>(arguments.data());
    const int code =
        shape == Shape::kSimple ? run_simple_main(count, argv, body) : run_main(count, argv, body);
    fflush(nullptr);
    _exit(code);
  }
  Ran ran;
  waitpid(child, &ran.status, 0);
  lseek(out, 0, SEEK_SET);
  lseek(err, 0, SEEK_SET);
  ran.out = read_all(out);
  ran.err = read_all(err);
  close(out);
  close(err);
  return ran;
}

Ran run(std::vector<const char*> arguments, BodyRef body) {
  return run_program(Shape::kSubtests, std::move(arguments), {}, body);
}

void three_subtests() {
  igt_fixture { igt_info("fixture\n"); };
  igt_describe("The first.");
  igt_subtest("alpha") { igt_info("in alpha\n"); };
  igt_subtest_f("beta-%d", 2) { igt_info("in beta\n"); };
  igt_describe("The third.");
  igt_subtest("gamma") { igt_info("in gamma\n"); };
  igt_fixture { igt_info("closing\n"); };
}

TEST(Listing, NamesInOrderAndNothingElse) {
  const Ran ran = run({"--list-subtests"}, [] { three_subtests(); });
  EXPECT_EQ(ran.out, "alpha\nbeta-2\ngamma\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(ran.exit_code(), 0);
}

TEST(Listing, Testlist) {
  const Ran ran = run({"--show-testlist"}, [] { three_subtests(); });
  EXPECT_EQ(ran.out, "igt@prog@alpha\nigt@prog@beta-2\nigt@prog@gamma\n");
  EXPECT_EQ(ran.exit_code(), 0);
}

TEST(Listing, Describe) {
  const Ran ran = run({"--describe"}, [] { three_subtests(); });
  EXPECT_TRUE(contains(ran.out, "SUB alpha ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "harness_test.cc:")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "  The first.\n")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "  NO DOCUMENTATION!\n")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "  The third.\n")) << ran.out;
  EXPECT_FALSE(contains(ran.out, "fixture")) << ran.out;
  EXPECT_EQ(ran.exit_code(), 0);
}

TEST(Listing, DescribeChosenAndUnknown) {
  Ran ran = run({"--describe=gam*"}, [] { three_subtests(); });
  EXPECT_TRUE(contains(ran.out, "SUB gamma ")) << ran.out;
  EXPECT_FALSE(contains(ran.out, "SUB alpha ")) << ran.out;
  EXPECT_EQ(ran.exit_code(), 0);
  ran = run({"--describe=nothing"}, [] { three_subtests(); });
  EXPECT_EQ(ran.exit_code(), kExitInvalid);
}

TEST(Listing, HelpDescription) {
  const ProgramDescription description("What it is for.");
  const Ran ran = run({"--help-description"}, [] { three_subtests(); });
  EXPECT_EQ(ran.out, "  What it is for.\n\n");
  EXPECT_EQ(ran.exit_code(), 0);
}

TEST(Running, Lines) {
  const Ran ran = run({}, [] { three_subtests(); });
  EXPECT_EQ(ran.out.rfind("IGT-Version: 2.4-", 0), 0u) << ran.out;
  EXPECT_TRUE(contains(ran.out, "(Linux: ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "\nUsing IGT_SRANDOM=")) << ran.out;
  EXPECT_EQ(body_of(ran.out),
            "fixture\n"
            "Starting subtest: alpha\nin alpha\nSubtest alpha: SUCCESS (T)\n"
            "Starting subtest: beta-2\nin beta\nSubtest beta-2: SUCCESS (T)\n"
            "Starting subtest: gamma\nin gamma\nSubtest gamma: SUCCESS (T)\n"
            "closing\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(ran.exit_code(), 0);
}

TEST(Running, Chosen) {
  Ran ran = run({"--run-subtest", "*a*,!beta*"}, [] { three_subtests(); });
  EXPECT_EQ(body_of(ran.out),
            "fixture\n"
            "Starting subtest: alpha\nin alpha\nSubtest alpha: SUCCESS (T)\n"
            "Starting subtest: gamma\nin gamma\nSubtest gamma: SUCCESS (T)\n"
            "closing\n");
  ran = run({"--run-subtest=nothing"}, [] { three_subtests(); });
  EXPECT_EQ(ran.exit_code(), kExitInvalid);
  EXPECT_TRUE(contains(ran.err, "Unknown subtest: nothing\n")) << ran.err;
}

TEST(Running, BadCommandLines) {
  EXPECT_EQ(run({"--no-such-option"}, [] { three_subtests(); }).exit_code(), kExitInvalid);
  EXPECT_EQ(run({"stray"}, [] { three_subtests(); }).exit_code(), kExitInvalid);
  EXPECT_EQ(run({"--run-subtest"}, [] { three_subtests(); }).exit_code(), kExitInvalid);
  EXPECT_EQ(run({"--help"}, [] { three_subtests(); }).exit_code(), 0);
}

TEST(Running, SentinelOnStderr) {
  const Ran ran = run_program(Shape::kSubtests, {"--run-subtest=alpha"},
                              {{"IGT_SENTINEL_ON_STDERR", "1"}}, [] { three_subtests(); });
  EXPECT_EQ(without_times(ran.err), "Starting subtest: alpha\nSubtest alpha: SUCCESS (T)\n");
}

TEST(ExitCodes, AllSkippedIs77MixedIsZero) {
  EXPECT_EQ(run({},
                [] {
                  igt_subtest("a") { igt_skip("no\n"); };
                  igt_subtest("b") { igt_require(1 == 2); };
                })
                .exit_code(),
            kExitSkip);
  EXPECT_EQ(run({},
                [] {
                  igt_subtest("a") { igt_skip("no\n"); };
                  igt_subtest("b"){};
                })
                .exit_code(),
            0);
}

TEST(ExitCodes, FirstFailureWins) {
  EXPECT_EQ(run({},
                [] {
                  igt_subtest("a"){};
                  igt_subtest("b") { igt_assert(false); };
                  igt_subtest("c") { raise(SIGSEGV); };
                })
                .exit_code(),
            kExitFailure);
  EXPECT_EQ(run({},
                [] {
                  igt_subtest("c") { raise(SIGSEGV); };
                  igt_subtest("b") { igt_assert(false); };
                })
                .exit_code(),
            128 + SIGSEGV);
}

TEST(ExitCodes, AbortStopsAtOnce) {
  const Ran ran = run({}, [] {
    igt_subtest("a") { igt_abort_on_f(true, "it is over\n"); };
    igt_subtest("b"){};
  });
  EXPECT_EQ(ran.exit_code(), kExitAbort);
  EXPECT_TRUE(contains(ran.err, "it is over")) << ran.err;
  EXPECT_FALSE(contains(ran.out, "subtest: b")) << ran.out;
}

TEST(ExitCodes, BadProgramsAbort) {
  EXPECT_EQ(run({}, [] { igt_subtest("white space"){}; }).exit_code(), kExitAbort);
  EXPECT_EQ(run({},
                [] {
                  igt_subtest("twice"){};
                  igt_subtest("twice"){};
                })
                .exit_code(),
            kExitAbort);
  EXPECT_EQ(run({},
                [] {
                  igt_subtest("outer") { igt_subtest("inner"){}; };
                })
                .exit_code(),
            kExitAbort);
  EXPECT_EQ(run({}, [] { igt_dynamic("alone"){}; }).exit_code(), kExitAbort);
}

TEST(Skipping, SaysWhatWasRequired) {
  const Ran ran = run({}, [] {
    igt_subtest("a") { igt_require_f(2 < 1, "two is %d\n", 2); };
  });
  EXPECT_TRUE(contains(ran.out, "Test requirement not met in function ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "Test requirement: !(2 < 1)\n")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "two is 2\n")) << ran.out;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest a: SKIP (T)\n")) << ran.out;
}

TEST(Failing, SaysWhatFailedAndShowsTheLog) {
  const Ran ran = run({}, [] {
    igt_subtest("a") {
      igt_debug("a secret\n");
      igt_assert_f(1 == 2, "one is %d\n", 1);
    };
  });
  EXPECT_EQ(ran.exit_code(), kExitFailure);
  EXPECT_TRUE(contains(ran.err, "CRITICAL: Test assertion failure function ")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "CRITICAL: Failed assertion: 1 == 2\n")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "one is 1\n")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "Stack trace:\n")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "Subtest a failed.\n**** DEBUG ****\n")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "DEBUG: a secret\n")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "****  END  ****\n")) << ran.err;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest a: FAIL (T)\n")) << ran.out;
}

TEST(Failing, DebugLevelPrintsAtOnceInstead) {
  const Ran ran = run_program(Shape::kSubtests, {}, {{"IGT_LOG_LEVEL", "debug"}}, [] {
    igt_subtest("a") {
      igt_debug("a secret\n");
      igt_assert(false);
    };
  });
  EXPECT_TRUE(contains(ran.out, "DEBUG: a secret\n")) << ran.out;
  EXPECT_FALSE(contains(ran.err, "**** DEBUG ****")) << ran.err;
}

TEST(Failing, ComparesWhatIsMeant) {
  const Ran ran = run({}, [] {
    igt_subtest("right") {
      igt_assert_eq(1u, 1);
      igt_assert_eq(uint64_t{1} << 32, uint64_t{1} << 32);
      igt_assert_lt(-1, 1u);
      igt_assert_lte(2, 2);
      igt_assert_neq(uint64_t{1} << 32, 0);
      igt_assert_eq(nullptr == nullptr, true);
    };
    igt_subtest("wrong") { igt_assert_eq(uint64_t{1} << 32, 0); };
    igt_subtest("sign") { igt_assert_eq(-1, ~0u); };
  });
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest right: SUCCESS (T)\n")) << ran.out << ran.err;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest wrong: FAIL (T)\n")) << ran.out;
  EXPECT_TRUE(contains(ran.err, "error: 4294967296 (0x100000000) != 0\n")) << ran.err;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest sign: FAIL (T)\n")) << ran.out;
}

TEST(Failing, DestroysWhatIsOnTheStack) {
  struct Speaker {
    ~Speaker() { igt_info("gone\n"); }
  };
  const Ran ran = run({}, [] {
    igt_subtest("a") {
      const Speaker speaker;
      igt_assert(false);
    };
  });
  EXPECT_TRUE(contains(body_of(ran.out), "gone\nSubtest a: FAIL (T)\n")) << ran.out;
}

TEST(Failing, ForeignExceptionsAndThreads) {
  const Ran ran = run({}, [] {
    igt_subtest("exception") { throw std::runtime_error("from afar"); };
    igt_subtest("thread") {
      std::thread other([] { igt_assert(false); });
      other.join();
    };
    igt_subtest("fine"){};
  });
  EXPECT_TRUE(contains(ran.err, "from afar")) << ran.err;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest exception: FAIL (T)\n")) << ran.out;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest thread: FAIL (T)\n")) << ran.out;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest fine: SUCCESS (T)\n")) << ran.out;
}

TEST(Crashing, GoesOnWithTheNext) {
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    const Ran ran = run({}, [number] {
      igt_subtest("a") { raise(number); };
      igt_subtest("b") { raise(number); };
      igt_subtest("c"){};
    });
    EXPECT_EQ(body_of(ran.out),
              "Starting subtest: a\nSubtest a: CRASH (T)\n"
              "Starting subtest: b\nSubtest b: CRASH (T)\n"
              "Starting subtest: c\nSubtest c: SUCCESS (T)\n");
    EXPECT_TRUE(contains(ran.err, "Received signal SIG")) << ran.err;
    EXPECT_EQ(ran.exit_code(), 128 + number);
  }
}

constexpr bool kSanitizer = PANTRY_ADDRESS_SANITIZER || PANTRY_THREAD_SANITIZER;

int eat_stack(int depth) {
  volatile char page[4096];
  page[0] = static_cast<char>(depth);
  return depth == 0 ? 0 : eat_stack(depth - 1) + page[0];
}

TEST(Crashing, StackOverflow) {
  if (kSanitizer) GTEST_SKIP() << "the sanitizer's own stacks differ";
  const Ran ran = run({}, [] {
    igt_subtest("a") { igt_assert_neq(eat_stack(1 << 20), 1); };
    igt_subtest("b"){};
  });
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest a: CRASH (T)\n")) << ran.out;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest b: SUCCESS (T)\n")) << ran.out;
}

TEST(Crashing, OtherSignalsEndTheProgram) {
  const Ran ran = run({}, [] {
    igt_subtest("a") { raise(SIGTERM); };
    igt_subtest("b"){};
  });
  EXPECT_EQ(ran.signal_number(), SIGTERM);
  EXPECT_TRUE(contains(ran.err, "Received signal SIGTERM.\n")) << ran.err;
  EXPECT_FALSE(contains(ran.out, "subtest: b")) << ran.out;
}

TEST(Fixtures, SkipClosesWhatFollows) {
  const Ran ran = run({}, [] {
    igt_subtest("before"){};
    igt_fixture { igt_skip("no device\n"); };
    igt_subtest("a") { igt_info("never\n"); };
    igt_fixture { igt_info("never\n"); };
    igt_subtest("b"){};
  });
  EXPECT_EQ(body_of(ran.out),
            "Starting subtest: before\nSubtest before: SUCCESS (T)\n"
            "no device\nSubtest a: SKIP (T)\nSubtest b: SKIP (T)\n");
  EXPECT_EQ(ran.exit_code(), 0);
}

TEST(Fixtures, FailureFailsWhatFollows) {
  const Ran ran = run({}, [] {
    igt_fixture { igt_assert(false); };
    igt_subtest("a") { igt_info("never\n"); };
  });
  EXPECT_EQ(body_of(ran.out), "Subtest a: FAIL (T)\n");
  EXPECT_EQ(ran.exit_code(), kExitFailure);
}

TEST(Fixtures, LastOneCanFailTheProgram) {
  const Ran ran = run({}, [] {
    igt_subtest("a"){};
    igt_fixture { igt_assert(false); };
  });
  EXPECT_EQ(ran.exit_code(), kExitFailure);
}

TEST(Groups, KeepTheirSkipAndDescriptionToThemselves) {
  const auto body = [] {
    igt_describe("Of the group.");
    igt_subtest_group {
      igt_fixture { igt_require(false); };
      igt_subtest("in"){};
    };
    igt_subtest("out"){};
  };
  Ran ran = run({}, body);
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest in: SKIP (T)\n")) << ran.out;
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest out: SUCCESS (T)\n")) << ran.out;
  ran = run({"--describe=in"}, body);
  EXPECT_TRUE(contains(ran.out, "Of the group.")) << ran.out;
  ran = run({"--describe=out"}, body);
  EXPECT_TRUE(contains(ran.out, "NO DOCUMENTATION!")) << ran.out;
}

TEST(Dynamic, ResultOfTheContainer) {
  const Ran ran = run({}, [] {
    igt_subtest_with_dynamic("passes") {
      igt_dynamic("x"){};
      igt_dynamic("y") { igt_skip("not this\n"); };
    };
    igt_subtest_with_dynamic("fails") {
      igt_dynamic("x") { igt_assert(false); };
      igt_dynamic_f("y%d", 1){};
    };
    igt_subtest_with_dynamic("skips") {
      igt_dynamic("x") { igt_skip("not this\n"); };
    };
    igt_subtest_with_dynamic("empty"){};
  });
  const std::string out = body_of(ran.out);
  EXPECT_TRUE(contains(out,
                       "Starting subtest: passes\nStarting dynamic subtest: x\n"
                       "Dynamic subtest x: SUCCESS (T)\n"))
      << out;
  EXPECT_TRUE(contains(out, "Dynamic subtest y: SKIP (T)\nSubtest passes: SUCCESS (T)\n")) << out;
  EXPECT_TRUE(contains(out, "Dynamic subtest x: FAIL (T)\nStarting dynamic subtest: y1\n")) << out;
  EXPECT_TRUE(contains(out, "Subtest fails: FAIL (T)\n")) << out;
  EXPECT_TRUE(contains(out, "Subtest skips: SKIP (T)\n")) << out;
  EXPECT_TRUE(contains(out, "Subtest empty: SKIP (T)\n")) << out;
  EXPECT_EQ(ran.exit_code(), kExitFailure);
}

TEST(Dynamic, Chosen) {
  const Ran ran = run({"--run-subtest=a", "--dynamic-subtest=y*"}, [] {
    igt_subtest_with_dynamic("a") {
      igt_dynamic("x1") { igt_assert(false); };
      igt_dynamic("y1"){};
    };
  });
  EXPECT_EQ(ran.exit_code(), 0);
  EXPECT_FALSE(contains(ran.out, "x1")) << ran.out;
}

TEST(Dynamic, CrashCountsAsFailure) {
  const Ran ran = run({}, [] {
    igt_subtest_with_dynamic("a") {
      igt_dynamic("x") { raise(SIGSEGV); };
      igt_dynamic("y"){};
    };
  });
  EXPECT_EQ(body_of(ran.out),
            "Starting subtest: a\n"
            "Starting dynamic subtest: x\nDynamic subtest x: CRASH (T)\n"
            "Starting dynamic subtest: y\nDynamic subtest y: SUCCESS (T)\n"
            "Subtest a: FAIL (T)\n");
}

TEST(Simple, OneResultNoSubtests) {
  Ran ran = run_program(Shape::kSimple, {}, {}, [] { igt_info("hello\n"); });
  EXPECT_EQ(body_of(ran.out), "hello\nSUCCESS (T)\n");
  EXPECT_EQ(ran.exit_code(), 0);
  ran = run_program(Shape::kSimple, {}, {}, [] { igt_skip("no\n"); });
  EXPECT_EQ(body_of(ran.out), "no\nSKIP (T)\n");
  EXPECT_EQ(ran.exit_code(), kExitSkip);
  ran = run_program(Shape::kSimple, {}, {}, [] { igt_assert(false); });
  EXPECT_EQ(body_of(ran.out), "FAIL (T)\n");
  EXPECT_EQ(ran.exit_code(), kExitFailure);
  ran = run_program(Shape::kSimple, {"--list-subtests"}, {}, [] {});
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.exit_code(), kExitInvalid);
}

TEST(Children, FailuresReachTheSubtest) {
  const Ran ran = run({}, [] {
    igt_subtest("fine") {
      igt_fork(child, 3) { igt_assert_lte(child, 2); };
      igt_waitchildren();
    };
    igt_subtest("one-fails") {
      igt_fork(child, 3) { igt_assert_neq(child, 1); };
      igt_waitchildren();
    };
    igt_subtest("one-dies") {
      igt_fork(child, 2) {
        if (child == 0) raise(SIGKILL);
      };
      igt_waitchildren();
    };
    igt_subtest("one-crashes") {
      igt_fork(child, 1) { raise(SIGSEGV); };
      igt_waitchildren();
    };
    igt_subtest("last"){};
  });
  const std::string out = body_of(ran.out);
  EXPECT_TRUE(contains(out, "Subtest fine: SUCCESS (T)\n")) << out << ran.err;
  EXPECT_TRUE(contains(out, "Subtest one-fails: FAIL (T)\n")) << out;
  EXPECT_TRUE(contains(out, "Subtest one-dies: FAIL (T)\n")) << out;
  EXPECT_TRUE(contains(out, "Subtest one-crashes: FAIL (T)\n")) << out;
  EXPECT_TRUE(contains(out, "Subtest last: SUCCESS (T)\n")) << out;
  EXPECT_EQ(out.find("Subtest last"), out.rfind("Subtest last")) << "a child went on: " << out;
}

TEST(Children, NoneMayBeLeft) {
  Ran ran = run({}, [] {
    igt_subtest("forgets") {
      igt_fork(child, 1) { pause(); };
    };
  });
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest forgets: FAIL (T)\n")) << ran.out;
  ran = run({}, [] {
    igt_subtest("hides") {
      if (fork() == 0) {
        alarm(10);
        pause();
      }
    };
  });
  EXPECT_TRUE(contains(body_of(ran.out), "Subtest hides: SUCCESS (T)\n")) << ran.out;
  EXPECT_TRUE(contains(ran.err, "a child process outlives the program")) << ran.err;
  EXPECT_EQ(ran.exit_code(), kExitFailure);
}

TEST(Ioctl, SuccessAndErrno) {
  const Ran ran = run({}, [] {
    igt_subtest("works") {
      int ends[2];
      igt_assert_eq(pipe(ends), 0);
      igt_assert_eq(write(ends[1], "abc", 3), 3);
      int waiting = 0;
      do_ioctl(ends[0], FIONREAD, &waiting);
      igt_assert_eq(waiting, 3);
      do_ioctl_err(-1, FIONREAD, &waiting, EBADF);
      const IoctlFunction before = igt_ioctl;
      int passes = 0;
      igt_while_interruptible(true) {
        igt_assert(igt_ioctl != before);
        do_ioctl(ends[0], FIONREAD, &waiting);
        ++passes;
      }
      igt_assert_lte(1, passes);
      igt_assert(igt_ioctl == before);
      passes = 0;
      igt_while_interruptible(false)++ passes;
      igt_assert_eq(passes, 1);
    };
    igt_subtest("fails") {
      int waiting = 0;
      do_ioctl(-1, FIONREAD, &waiting);
    };
    igt_subtest("wrong-errno") {
      int waiting = 0;
      do_ioctl_err(-1, FIONREAD, &waiting, EINVAL);
    };
  });
  const std::string out = body_of(ran.out);
  EXPECT_TRUE(contains(out, "Subtest works: SUCCESS (T)\n")) << out << ran.err;
  EXPECT_TRUE(contains(out, "Subtest fails: FAIL (T)\n")) << out;
  EXPECT_TRUE(contains(out, "Subtest wrong-errno: FAIL (T)\n")) << out;
  EXPECT_TRUE(contains(ran.err, "do_ioctl(FIONREAD)")) << ran.err;
}

TEST(Device, FiltersThatFindNothingSkip) {
  const auto body = [] {
    igt_fixture { drm_open_driver(DRIVER_PANTHOR); };
    igt_subtest("a"){};
  };
  Ran ran = run_program(Shape::kSubtests, {}, {{"IGT_DEVICE", "drm:/dev/null"}}, body);
  EXPECT_TRUE(contains(body_of(ran.out), "No device matches the filter\nSubtest a: SKIP (T)\n"))
      << ran.out;
  EXPECT_EQ(ran.exit_code(), kExitSkip);
  ran = run_program(Shape::kSubtests, {"--device", "pci:vendor=8086"}, {}, body);
  EXPECT_EQ(ran.exit_code(), kExitSkip);
}

}  // namespace
}  // namespace igt
