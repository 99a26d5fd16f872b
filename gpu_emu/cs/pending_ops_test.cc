// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/pending_ops.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <vector>

namespace pantry::emu {
namespace {

RC_GTEST_PROP(OpList, BehavesLikeAVectorOfBoundedSize, (const std::vector<std::uint16_t>& moves)) {
  OpList<DeferredOp, 16> list;
  std::vector<std::uint64_t> model;
  std::uint64_t next = 1;
  for (const std::uint16_t move : moves) {
    if (move % 2 == 0 && !list.full()) {
      list.push({.word = next});
      model.push_back(next++);
    } else if (!model.empty()) {
      const auto index = static_cast<std::uint32_t>(move / 2 % model.size());
      list.remove(index);
      model.erase(model.begin() + index);
    }
    RC_ASSERT(list.size() == model.size());
    RC_ASSERT(list.empty() == model.empty());
    for (std::uint32_t i = 0; i < list.size(); ++i) RC_ASSERT(list[i].word == model[i]);
  }
}

TEST(OpList, RemovedOperationsLeaveNoTraceInTheSavedBytes) {
  InFlightOps used;
  used.push({.done_ns = 6, .entry = 2, .kind = InFlightKind::kFlush});
  used.remove(0);
  const InFlightOps fresh;
  EXPECT_EQ(std::memcmp(&used, &fresh, sizeof(used)), 0);
}

}  // namespace
}  // namespace pantry::emu
