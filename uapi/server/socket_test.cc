// SPDX-License-Identifier: MIT
#include "uapi/server/socket.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace pantry::uapi {
namespace {

TEST(PairNamed, ThreadsUseTheSameName) {
  std::string directory = "/tmp/pantry-socket-test-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/sync_file";
  std::atomic<int> named{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        const auto pair = pair_named(path);
        sockaddr_un name{};
        socklen_t size = sizeof name;
        if (pair &&
            ::getpeername(pair->far_end.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
            path == name.sun_path)
          ++named;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(named.load(), 2000);
  EXPECT_TRUE(std::filesystem::is_empty(directory));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace pantry::uapi
