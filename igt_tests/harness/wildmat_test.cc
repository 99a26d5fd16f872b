// SPDX-License-Identifier: MIT

#include "igt_tests/harness/wildmat.h"

#include <gtest/gtest.h>

namespace igt {
namespace {

TEST(Wildmat, LiteralsAndSingles) {
  EXPECT_TRUE(wildmat("vm_bind", "vm_bind"));
  EXPECT_FALSE(wildmat("vm_bind", "vm_bin"));
  EXPECT_FALSE(wildmat("vm_bin", "vm_bind"));
  EXPECT_TRUE(wildmat("vm_bind", "vm?bind"));
  EXPECT_FALSE(wildmat("vmbind", "vm?bind"));
  EXPECT_TRUE(wildmat("", ""));
  EXPECT_FALSE(wildmat("", "?"));
}

TEST(Wildmat, Stars) {
  EXPECT_TRUE(wildmat("", "*"));
  EXPECT_TRUE(wildmat("abc", "***"));
  EXPECT_TRUE(wildmat("unbind-huge-page", "*huge*"));
  EXPECT_TRUE(wildmat("aXbXc", "a*X*c"));
  EXPECT_FALSE(wildmat("aXbXd", "a*X*c"));
  EXPECT_TRUE(wildmat("mississippi", "m*iss*pi"));
  EXPECT_FALSE(wildmat("mississippi", "m*iss*pix"));
}

TEST(Wildmat, Sets) {
  EXPECT_TRUE(wildmat("case-7", "case-[0-9]"));
  EXPECT_FALSE(wildmat("case-x", "case-[0-9]"));
  EXPECT_TRUE(wildmat("case-x", "case-[^0-9]"));
  EXPECT_FALSE(wildmat("case-7", "case-[^0-9]"));
  EXPECT_TRUE(wildmat("a]b", "a[]x]b"));
  EXPECT_TRUE(wildmat("a-b", "a[x-]b"));
  EXPECT_TRUE(wildmat("a[b", "a[b"));
}

TEST(Wildmat, Escapes) {
  EXPECT_TRUE(wildmat("a*b", "a\\*b"));
  EXPECT_FALSE(wildmat("axb", "a\\*b"));
}

TEST(WildmatList, LastMatchDecides) {
  EXPECT_TRUE(wildmat_list("vm_unbind_small", "vm_unbind*,!*huge*"));
  EXPECT_FALSE(wildmat_list("vm_unbind_huge", "vm_unbind*,!*huge*"));
  EXPECT_TRUE(wildmat_list("vm_unbind_huge", "!*huge*,vm_unbind*"));
  EXPECT_FALSE(wildmat_list("other", "vm_unbind*,!*huge*"));
  EXPECT_TRUE(wildmat_list("b", "a,b,c"));
  EXPECT_FALSE(wildmat_list("d", "a,b,c"));
  EXPECT_TRUE(wildmat_list("x,y", "x[,]y"));
  EXPECT_TRUE(wildmat_list("x,y", "x\\,y"));
  EXPECT_FALSE(wildmat_list("a", ""));
}

}  // namespace
}  // namespace igt
