// SPDX-License-Identifier: MIT
#include "tools/report.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "driver/kernel/thread_executor.h"
#include "uapi/drm_abi.h"
#include "uapi/machine/process_memory.h"
#include "uapi/machine/test_client.h"

namespace pantry::tools {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using uapi::TestClient;

class ReportTest : public testing::Test {
 protected:
  ReportTest() {
    uapi::MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    config.memory = uapi::MachineConfig::Memory::kArena;
    // Gives back what it laid in too much, so that the columns differ.
    config.provisioning = driver::Provisioning::kWorstCase;
    auto machine = uapi::Machine::create(executor_, config);
    EXPECT_TRUE(machine.has_value());
    machine_ = *std::move(machine);
  }
  // As the server would tell of it.
  int destroy(Report& report, TestClient& client, drm_panthor_vm_destroy args) {
    uapi::ProcessMemory memory(::getpid());
    const uapi::UserAddr at{reinterpret_cast<std::uint64_t>(&args)};
    report.on_start(client.raw().session(), {DRM_IOCTL_PANTHOR_VM_DESTROY, at, uapi::BadFd{}},
                    memory);
    uapi::ServerObserver::Ioctl done;
    done.command = DRM_IOCTL_PANTHOR_VM_DESTROY;
    done.result = client.raw().call(DRM_IOCTL_PANTHOR_VM_DESTROY, args);
    report.on_ioctl(done);
    return done.result;
  }

  driver::ThreadExecutor executor_{1};
  std::unique_ptr<uapi::Machine> machine_;
};

TEST_F(ReportTest, ShowsWhatADestroyedVmWasLike) {
  Report report(*machine_);
  TestClient client(*machine_);
  const std::uint32_t vm = client.create_vm();
  const uapi::TestBuffer buffer = client.create_buffer(64 * kKiB);
  EXPECT_EQ(client.bind(vm, TestClient::map(buffer.handle, 0x4000'0000, 0x10000)), 0);
  EXPECT_EQ(client.bind(vm, TestClient::unmap(0x4000'8000, 0x1000)), 0);
  EXPECT_EQ(client.create_group(vm, 1), 1u);

  EXPECT_EQ(destroy(report, client, {vm, 1}), -EINVAL);
  EXPECT_EQ(destroy(report, client, {vm + 1, 0}), -EINVAL);
  EXPECT_THAT(report.text(), Not(HasSubstr("VM 1 of"))) << "it is still there";
  EXPECT_EQ(destroy(report, client, {vm, 0}), 0);
  report.on_release(client.raw().session());

  const std::string text = report.text();
  EXPECT_THAT(text, HasSubstr("VM 1 of process 1, destroyed at"));
  EXPECT_THAT(text, Not(HasSubstr(", closed")));
  EXPECT_THAT(text, HasSubstr("0x000040000000..0x000040007fff"));
  EXPECT_THAT(text, HasSubstr("0x000040009000..0x00004000ffff"));
  EXPECT_THAT(text, HasSubstr(", kernel\n"));
  EXPECT_THAT(text, HasSubstr("2 binds, table pages reserved 6, used 3, given back 3;"));
  EXPECT_THAT(text, ContainsRegex("map   now   0x000040000000..0x00004000ffff +3 +3 +0 +0 "));
  EXPECT_THAT(text, ContainsRegex("unmap now   0x000040008000..0x000040008fff +3 +0 +3 +0 "));
}

TEST_F(ReportTest, ShowsTheNamesThatAClientGives) {
  Report report(*machine_);
  TestClient client(*machine_);
  const std::uint32_t vm = client.create_vm();
  const uapi::TestBuffer buffer = client.create_buffer(64 * kKiB);
  EXPECT_EQ(client.bind(vm, TestClient::map(buffer.handle, 0x4000'0000, 0x10000)), 0);
  const std::string_view name = "renderer";
  uapi::DrmSetClientName set{name.size(), reinterpret_cast<std::uint64_t>(name.data())};
  EXPECT_EQ(client.raw().call(DRM_IOWR(0xD1, uapi::DrmSetClientName), set), 0);
  drm_panthor_bo_set_label label{buffer.handle, 0,
                                 reinterpret_cast<std::uint64_t>("vertices\x1b of it")};
  EXPECT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_BO_SET_LABEL, label), 0);
  report.on_release(client.raw().session());
  const std::string text = report.text();
  EXPECT_THAT(text, HasSubstr("VM 1 of process 1 (renderer), closed at"));
  EXPECT_THAT(text, ContainsRegex("buffer [0-9]+ \"vertices. of it\" . 0x0, client"))
      << "what a terminal would act on is not shown";
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST_F(ReportTest, ShowsEachVmOfAFileThatIsClosed) {
  Report report(*machine_);
  TestClient client(*machine_);
  client.create_vm();
  const std::uint32_t second = client.create_vm();
  for (int i = 0; i < 70; ++i) EXPECT_EQ(client.bind(second, TestClient::unmap(0, 0x1000)), 0);
  report.on_release(client.raw().session());
  const std::string text = report.text();
  EXPECT_THAT(text, HasSubstr("VM 1 of process 1, closed at"));
  EXPECT_THAT(text, HasSubstr("VM 2 of process 1, closed at"));
  EXPECT_THAT(text, HasSubstr("70 binds"));
  EXPECT_THAT(text, HasSubstr("the latest 64 binds"));
}

}  // namespace
}  // namespace pantry::tools
