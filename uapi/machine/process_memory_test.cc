// SPDX-License-Identifier: MIT
#include "uapi/machine/process_memory.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include "driver/gem/backing.h"

namespace pantry::uapi {
namespace {

std::uint64_t word = 1;
const UserAddr kWord{reinterpret_cast<std::uint64_t>(&word)};

// A child that goes on without its first thread, until the test lets go of it.
class Headless {
 public:
  Headless() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    driver::OwnedFd stays_open(ends[0]);
    lifeline_ = driver::OwnedFd(ends[1]);
    pid_ = ::fork();
    if (pid_ != 0) return;
    lifeline_ = {};
    std::thread([&] {
      char byte = 0;
      ::_exit(::read(stays_open.get(), &byte, 1) == 0 ? 0 : 1);
    }).detach();
    // Of this thread only, and without unwinding the test.
    ::syscall(SYS_exit, 0);
  }
  ~Headless() {
    lifeline_ = {};
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_EQ(status, 0);
  }
  pid_t pid() const { return pid_; }
  bool lost_its_first_thread() const {
    for (int i = 0; i < 5000; ++i) {
      std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
      std::string number, name, state;
      stat >> number >> name >> state;
      if (state == "Z") return true;
      ::usleep(1000);
    }
    return false;
  }

 private:
  driver::OwnedFd lifeline_;
  pid_t pid_ = -1;
};

TEST(ProcessMemory, IsThereWithoutTheFirstThread) {
  const Headless child;
  ASSERT_TRUE(child.lost_its_first_thread());
  ProcessMemory memory(child.pid());
  const Result<std::uint64_t> before = memory.get<std::uint64_t>(kWord);
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(*before, 1u);
  EXPECT_TRUE(memory.put(kWord, std::uint64_t{7}));
  EXPECT_EQ(memory.get<std::uint64_t>(kWord), 7u);
  EXPECT_EQ(word, 1u) << "the child's, not ours";
  EXPECT_EQ(memory.get<std::uint64_t>(UserAddr{8}).error(), Errno::kFault);
}

TEST(ProcessMemory, OfThisProcess) {
  ProcessMemory memory(::getpid());
  std::uint64_t here = 5;
  EXPECT_EQ(memory.get<std::uint64_t>({reinterpret_cast<std::uint64_t>(&here)}), 5u);
  EXPECT_EQ(memory.get<std::uint64_t>({}).error(), Errno::kFault);
  EXPECT_TRUE(memory.read({}, nullptr, 0));
}

TEST(ProcessMemory, OfNobody) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_EQ(ProcessMemory(pid).get<std::uint64_t>(kWord).error(), Errno::kFault);
}

}  // namespace
}  // namespace pantry::uapi
