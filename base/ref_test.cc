// SPDX-License-Identifier: MIT
#include "base/ref.h"

#include <gtest/gtest.h>

namespace pantry {
namespace {

class Counted final : public RefCounted {
 public:
  explicit Counted(int& alive) : alive_(alive) { ++alive_; }
  ~Counted() override { --alive_; }

 private:
  int& alive_;
};

TEST(Ref, LastReferenceDestroys) {
  int alive = 0;
  Ref<Counted> first = make_ref<Counted>(alive);
  Ref<Counted> second = first;
  first = nullptr;
  EXPECT_EQ(alive, 1);
  second = nullptr;
  EXPECT_EQ(alive, 0);
}

TEST(Ref, LastReferenceIsDeferredWhileADeadListIsCurrent) {
  int alive = 0;
  DeadList list;
  Ref<Counted> object = make_ref<Counted>(alive);
  DeadList::set_current(&list);
  object = nullptr;
  DeadList::set_current(nullptr);
  EXPECT_EQ(alive, 1);
  EXPECT_FALSE(list.empty());
  list.destroy_all();
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(list.empty());
}

TEST(Ref, TryAcquireFailsOnceTheLastReferenceIsGone) {
  int alive = 0;
  DeadList list;
  Ref<Counted> object = make_ref<Counted>(alive);
  Counted* const raw = object.get();
  EXPECT_TRUE(raw->try_acquire());
  raw->release();
  DeadList::set_current(&list);
  object = nullptr;
  DeadList::set_current(nullptr);
  EXPECT_FALSE(raw->try_acquire());
  list.destroy_all();
}

}  // namespace
}  // namespace pantry
