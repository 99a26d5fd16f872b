// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/vm/vm_rig.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kMappings = 40;
constexpr GpuRange kAll = {{0}, {2 * kMappings * kPageSize - 1}};

struct VmReport {
  explicit VmReport(Executor& on) : rig(on, VmRig::Placement::kCompact) {}
  VmRig rig;
};

TEST_EACH_EXECUTOR(VmReport, ShowsNoAddressTwice) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> page = rig.new_buffer(kPageSize);
  const Ref<Buffer> large = rig.new_buffer(kAll.size());
  for (std::uint64_t i = 0; i < kMappings; ++i)
    ASSERT_TRUE(vm->bind_now(VmRig::map({i * 2 * kPageSize}, kPageSize, page, 0, Prot::kNone)));

  // Maps over everything as soon as it has seen something.
  class MapOver final : public Vm::MappingVisitor {
   public:
    MapOver(Vm& vm, Ref<Buffer> large) : vm_(vm), large_(std::move(large)) {}
    void visit(const Vm::MappingView& view) override {
      if (seen.empty()) {
        EXPECT_TRUE(vm_.bind_now(VmRig::map(kAll.first, kAll.size(), large_, 0, Prot::kNone)));
      }
      seen.push_back(view);
    }
    std::vector<Vm::MappingView> seen;

   private:
    Vm& vm_;
    const Ref<Buffer> large_;
  } visitor(*vm, large);
  vm->for_each_mapping(visitor);

  ASSERT_GT(visitor.seen.size(), 1u);
  for (std::size_t i = 1; i < visitor.seen.size(); ++i)
    EXPECT_LT(visitor.seen[i - 1].range.last, visitor.seen[i].range.first);
  const Vm::MappingView& rest = visitor.seen.back();
  EXPECT_EQ(rest.buffer, large.get());
  EXPECT_EQ(rest.range.first, visitor.seen[visitor.seen.size() - 2].range.last + 1);
  EXPECT_EQ(rest.range.last, kAll.last);
  EXPECT_EQ(rest.buffer_offset, rest.range.first.value) << "which this VM shows at its address";
}

}  // namespace
}  // namespace pantry::driver
