// SPDX-License-Identifier: MIT

#include <cerrno>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Spaces that a failed bind has made unusable.");

using namespace gpu;

namespace {

// The one way in which a client can make a bind fail in its turn: a range past its own part of the
// space, from 1.1 on. Before, and again in the newest kernels, that is refused at the call.
int fail_later(Vm& vm, const Bo& bo, Syncs syncs) {
  igt_require_f(vm.device().minor() >= 1, "needs uAPI 1.1\n");
  Binds binds;
  binds.map(bo, 0, vm.user_va_range(), kPage, 0, std::move(syncs));
  const int number = vm.bind_async(binds);
  igt_require_f(number == 0 || runs_on_pantry(), "this driver fails no bind in its turn\n");
  return number;
}

void make_unusable(Vm& vm, const Bo& bo) {
  const Syncobj done = Syncobj::create(vm.device());
  igt_assert_eq(fail_later(vm, bo, Syncs().signal(done)), 0);
  igt_assert_eq(done.finish(kPatience), -EINVAL);
  igt_assert_eq(vm.state(), DRM_PANTHOR_VM_STATE_UNUSABLE);
}

void fence_tells(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  const Bo bo = Bo::create(device, kPage);
  const Syncobj done = Syncobj::create(device);
  igt_assert_eq(fail_later(bench.vm(), bo, Syncs().wait(gate.fence()).signal(done)), 0);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), -EINVAL);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_UNUSABLE);
}

// No group can be made in an unusable space, since its rings cannot be mapped: each test has one
// before, and ends with the fault that it shows.

// What is mapped stays, and can still be taken away, but nothing new comes.
void unmap_only(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 2 * kPage);
  bo.tag_pages(60);
  bench.vm().map(bo, kPlay);
  bench.group();
  make_unusable(bench.vm(), bo);
  uint32_t failed_at = 0;
  Binds map;
  map.map(bo, 0, kPlay + 4 * kPage, kPage, 0, {});
  igt_assert_eq(bench.vm().bind_sync(map, failed_at), EINVAL);
  Binds unmap;
  unmap.unmap(kPlay, kPage, {});
  igt_assert_eq(bench.vm().bind_async(unmap), EINVAL);
  igt_assert_eq(bench.load32(kPlay), 60);
  igt_assert_eq(bench.vm().bind_sync(unmap, failed_at), 0);
  igt_assert_eq(bench.load32(kPlay + kPage), 61);
  bench.expect_load_fault(kPlay);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_UNUSABLE);
}

void queued_behind_the_failure(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, 2 * kPage);
  bo.tag_pages(70);
  bench.vm().map(bo, kPlay);
  bench.group();
  const Syncobj failed = Syncobj::create(device);
  const Syncobj unmapped = Syncobj::create(device);
  const Syncobj mapped = Syncobj::create(device);
  igt_assert_eq(fail_later(bench.vm(), bo, Syncs().wait(gate.fence()).signal(failed)), 0);
  Binds behind;
  behind.unmap(kPlay, kPage, Syncs().signal(unmapped));
  behind.map(bo, 0, kPlay + 4 * kPage, kPage, 0, Syncs().signal(mapped));
  igt_assert_eq(bench.vm().bind_async(behind), 0);
  gate.open_and_finish();
  igt_assert_eq(failed.finish(kPatience), -EINVAL);
  igt_assert_eq(unmapped.finish(kPatience), 1);
  igt_assert_eq(mapped.finish(kPatience), -EINVAL);
  igt_assert_eq(bench.load32(kPlay + kPage), 71);
  bench.expect_load_fault(kPlay);
}

void groups_go_on(const Device& device) {
  Bench bench(device);
  const Bo bo = Bo::create(device, kPage);
  bench.store32(bench.result_va(0), 1);
  make_unusable(bench.vm(), bo);
  bench.store32(bench.result_va(0), 2);
  igt_assert_eq(bench.result(0), 2);
  drm_panthor_queue_create queue{0, {}, 4096};
  drm_panthor_group_create request = group_request(device, bench.vm().id(), &queue, 1);
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_GROUP_CREATE, &request, EINVAL);
}

constexpr Case kCases[] = {
    {"fence-tells", "The errno comes by the fence, when the bind's turn has come. [C4.1]",
     fence_tells},
    {"unmap-only", "Synchronous unmaps work, and nothing else. [C4.2]", unmap_only},
    {"queued-behind-the-failure", "Unmaps that wait still happen, maps fail. [C4.3]",
     queued_behind_the_failure},
    {"groups-go-on", "Jobs of the space run as before. [C4.4]", groups_go_on},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
