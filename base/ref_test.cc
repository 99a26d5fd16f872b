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
  {
    const DeadList::Scope scope(list);
    object = nullptr;
  }
  EXPECT_EQ(alive, 1);
  EXPECT_FALSE(list.empty());
  list.destroy_all();
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(list.empty());
}

TEST(DeadList, AScopeKnowsWhetherItsOwnListWasUsed) {
  int alive = 0;
  DeadList outer_list;
  DeadList inner_list;
  Ref<Counted> first = make_ref<Counted>(alive);
  Ref<Counted> second = make_ref<Counted>(alive);
  {
    const DeadList::Scope outer(outer_list);
    EXPECT_EQ(DeadList::current(), &outer_list);
    {
      const DeadList::Scope inner(inner_list);
      EXPECT_FALSE(inner.used());
      first = nullptr;
      EXPECT_TRUE(inner.used());
    }
    EXPECT_EQ(DeadList::current(), &outer_list);
    EXPECT_FALSE(outer.used()) << "nobody is to be woken for what another list holds";
    second = nullptr;
    EXPECT_TRUE(outer.used());
  }
  EXPECT_EQ(DeadList::current(), nullptr);
  EXPECT_EQ(alive, 2);
  inner_list.destroy_all();
  EXPECT_EQ(alive, 1);
  outer_list.destroy_all();
  EXPECT_EQ(alive, 0);
}

TEST(Ref, TryAcquireFailsOnceTheLastReferenceIsGone) {
  int alive = 0;
  DeadList list;
  Ref<Counted> object = make_ref<Counted>(alive);
  Counted* const raw = object.get();
  EXPECT_TRUE(raw->try_acquire());
  raw->release();
  {
    const DeadList::Scope scope(list);
    object = nullptr;
  }
  EXPECT_FALSE(raw->try_acquire());
  list.destroy_all();
}

}  // namespace
}  // namespace pantry
