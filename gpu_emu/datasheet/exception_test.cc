// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/exception.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace pantry::datasheet {
namespace {

static_assert(at_level(Exception::kTranslationFault0, 3) == Exception::kTranslationFault3);
static_assert(at_level(Exception::kPermissionFault0, 2) == Exception::kPermissionFault2);
static_assert(at_level(Exception::kAccessFlag0, 3) == Exception::kAccessFlag3);
static_assert(at_level(Exception::kAddressSizeFaultOut0, 1) == Exception::kAddressSizeFaultOut1);
static_assert(at_level(Exception::kMemoryAttributeFault0, 3) == Exception::kMemoryAttributeFault3);
static_assert(!is_fault(Exception::kCsResourceTerm) && is_fault(Exception::kCsConfigFault));

TEST(Exception, CodesOfTheDataSheet) {
  EXPECT_EQ(static_cast<int>(Exception::kCsUnrecoverable), 0x41);
  EXPECT_EQ(static_cast<int>(Exception::kCsBusFault), 0x48);
  EXPECT_EQ(static_cast<int>(Exception::kCsInstrInvalid), 0x49);
  EXPECT_EQ(static_cast<int>(Exception::kCsInheritFault), 0x4b);
  EXPECT_EQ(static_cast<int>(Exception::kCsfFwInternalError), 0x68);
  EXPECT_EQ(static_cast<int>(Exception::kGpuBusFault), 0x80);
  EXPECT_EQ(static_cast<int>(Exception::kAccessFlag1), 0xd9);
  EXPECT_EQ(static_cast<int>(Exception::kMemoryAttributeFault3), 0xeb);
}

TEST(Exception, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  int known = 0;
  for (int code = 0; code < 256; ++code) {
    const std::string name = name_of(static_cast<Exception>(code));
    if (name == "UNKNOWN") continue;
    ++known;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(known, 49);
  EXPECT_STREQ(name_of(Exception::kTranslationFault2), "TRANSLATION_FAULT_2");
  EXPECT_STREQ(name_of(AccessType::kExecute), "execute");
}

TEST(ExceptionDeathTest, LevelsEndAtThree) {
  EXPECT_DEATH(at_level(Exception::kPermissionFault0, 4), "level < 4");
}

}  // namespace
}  // namespace pantry::datasheet
