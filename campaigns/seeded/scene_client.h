// SPDX-License-Identifier: MIT
//
// A client with one VM and one group, in the words of the scenes.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "campaigns/seeded/workload.h"
#include "uapi/machine/test_client.h"

namespace pantry::seeded {

class SceneClient {
 public:
  SceneClient(uapi::Machine& machine, driver::Executor& executor, Seeds& seeds, Effects effects)
      : machine_(machine),
        executor_(executor),
        seeds_(seeds),
        effects_(effects),
        client_(machine),
        vm_(client_.create_vm()),
        stream_(client_.create_buffer(kPageSize)),
        done_(client_.create_syncobj()) {
    bind(uapi::TestClient::map(stream_.handle, kStream, kPageSize));
  }
  std::unique_ptr<SceneClient> another(Effects effects) {
    return std::make_unique<SceneClient>(machine_, executor_, seeds_, effects);
  }

  template <class Step>
  void armed(Step step) {
    seeds_.arm();
    step();
    seeds_.disarm();
  }

  // A new buffer; its handle.
  std::uint32_t map(std::uint64_t va, std::uint64_t size) {
    const uapi::TestBuffer buffer = client_.create_buffer(size);
    bind(uapi::TestClient::map(buffer.handle, va, size));
    mapped_[va] = {buffer, size};
    return buffer.handle;
  }
  void map_read_only(std::uint32_t buffer, std::uint64_t va, std::uint64_t size) {
    drm_panthor_vm_bind_op op = uapi::TestClient::map(buffer, va, size);
    op.flags |= DRM_PANTHOR_VM_BIND_OP_MAP_READONLY;
    bind(op);
  }
  void unmap(std::uint64_t va, std::uint64_t size) { bind(uapi::TestClient::unmap(va, size)); }
  void close(std::uint32_t buffer) {
    std::erase_if(mapped_, [&](const auto& item) { return item.second.buffer.handle == buffer; });
    EXPECT_EQ(client_.close_buffer(buffer), 0);
  }
  // So many that every frame that is free now has a new owner.
  void take_free_pages() {
    for (int n = 0; n < 64; ++n) taken_.push_back(client_.create_buffer(kPageSize));
  }

  // A job that stores to `va` gets there.
  void use(std::uint64_t va) {
    const std::uint32_t value = ++last_value_;
    const int result = run_job(va, value);
    if (effects_ == Effects::kIgnored) return;
    EXPECT_EQ(result, 0);
    const auto mapping = std::prev(mapped_.upper_bound(va));
    EXPECT_EQ(mapping->second.buffer.word(va - mapping->first), value);
  }
  // A job that stores to `va` ends, most likely in a fault.
  void use_unmapped(std::uint64_t va) { run_job(va, ++last_value_); }

  void end_group() {
    if (group_ != 0) client_.destroy_group(group_);
    group_ = 0;
    machine_.device().settle();
  }
  void end_vm() {
    EXPECT_EQ(client_.destroy_vm(vm_), 0);
    machine_.device().settle();
  }

 private:
  static constexpr std::uint64_t kStream = 0x100'0000;

  void bind(drm_panthor_vm_bind_op op) { EXPECT_EQ(client_.bind(vm_, op), 0); }
  int run_job(std::uint64_t va, std::uint32_t value) {
    if (group_ == 0) group_ = client_.create_group(vm_, 1);
    const std::uint32_t bytes = uapi::write_store_stream(stream_, 0, va, value);
    const int submitted =
        client_.submit(group_, 0, kStream, bytes, {uapi::TestClient::signals(done_)});
    if (submitted != 0) return submitted;
    return client_.wait(done_, executor_.clock().now() + seconds(30));
  }

  struct Mapped {
    uapi::TestBuffer buffer;
    std::uint64_t size = 0;
  };
  uapi::Machine& machine_;
  driver::Executor& executor_;
  Seeds& seeds_;
  const Effects effects_;
  uapi::TestClient client_;
  const std::uint32_t vm_;
  const uapi::TestBuffer stream_;
  const std::uint32_t done_;
  std::uint32_t group_ = 0;
  std::uint32_t last_value_ = 0x1000;
  std::map<std::uint64_t, Mapped> mapped_;
  std::vector<uapi::TestBuffer> taken_;
};

}  // namespace pantry::seeded
