// SPDX-License-Identifier: MIT
#include "tools/client_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <string>

namespace pantry::tools {
namespace {

ClientProgram shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, "", "/nowhere"};
}

rlimit descriptors() {
  rlimit limit{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  return limit;
}

TEST(ClientProcess, TellsTheExitStatus) {
  EXPECT_EQ(run_client(shell("exit 42")), 42);
  EXPECT_EQ(run_client(shell("kill -KILL $$")), 128 + 9);
  const auto absent = run_client({{"/nowhere/program"}, "", "/nowhere"});
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error(), Errno::kNoEnt);
}

// A program that has AddressSanitizer as a library of its own would not start behind the shim.
TEST(ClientProcess, LetsAddressSanitizerComeSecond) {
  const char* const given = ::getenv("ASAN_OPTIONS");
  const std::string before = given ? given : "";
  ASSERT_EQ(::setenv("ASAN_OPTIONS", "detect_leaks=0", 1), 0);
  EXPECT_EQ(run_client(shell("test \"$ASAN_OPTIONS\" = verify_asan_link_order=0:detect_leaks=0")),
            0);
  ASSERT_EQ(::unsetenv("ASAN_OPTIONS"), 0);
  EXPECT_EQ(run_client(shell("test \"$ASAN_OPTIONS\" = verify_asan_link_order=0")), 0);
  if (given) {
    ASSERT_EQ(::setenv("ASAN_OPTIONS", before.c_str(), 1), 0);
  }
}

// A buffer costs the host a descriptor: the client's limit must not become that of its buffers.
TEST(ClientProcess, HostHasMoreDescriptorsThanTheClient) {
  const rlimit before = descriptors();
  const rlimit small{128, before.rlim_max};
  ASSERT_GT(before.rlim_max, small.rlim_cur);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  EXPECT_EQ(run_client(shell("test $(ulimit -Sn) = 128")), 0);
  EXPECT_EQ(descriptors().rlim_cur, before.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

// `kill` and `timeout` know the host's number only.
TEST(ClientProcess, PassesTerminationOn) {
  // Nothing outlives it, and on a busy machine the signal may come late.
  const std::string wait = "; for i in $(seq 3000); do sleep 0.01; done";
  for (int i = 0; i < 40; ++i)  // it may come before the host knows the client's number
    ASSERT_EQ(run_client(shell("trap 'exit 7' TERM; kill -TERM $PPID" + wait)), 7);
  EXPECT_EQ(run_client(shell("trap 'exit 8' HUP; kill -HUP $PPID" + wait)), 8);
}

// As of `nohup pantry run`, and of one that a script has put in the background.
TEST(ClientProcess, LeavesIgnoredWhatTheCallerIgnores) {
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) {
    void (*const before)(int) = ::signal(number, SIG_IGN);
    const std::string n = std::to_string(number);
    EXPECT_EQ(run_client(shell(("kill -" + n + " $PPID; kill -" + n + " $$; exit 9").c_str())), 9);
    EXPECT_EQ(::signal(number, before), SIG_IGN);
  }
  EXPECT_EQ(run_client(shell("kill -HUP $$; exit 9")), 128 + SIGHUP);
}

}  // namespace
}  // namespace pantry::tools
