// SPDX-License-Identifier: MIT

#include <xf86drm.h>

#include <cerrno>
#include <utility>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Buffers by global name, between authenticated files of the primary node.");

using namespace gpu;

namespace {

// Another file of the node that may use names.
Device another(const Device& device) {
  Device other = device.open_again();
  drm_auth request{};
  do_ioctl(other.fd(), DRM_IOCTL_GET_MAGIC, &request);
  // Privileged files are known from the start.
  if (drmIsMaster(device.fd()) != 0) do_ioctl(device.fd(), DRM_IOCTL_AUTH_MAGIC, &request);
  drm_client client{};
  do_ioctl(other.fd(), DRM_IOCTL_GET_CLIENT, &client);
  igt_require_f(client.auth != 0, "somebody else is master\n");
  return other;
}

int try_name(const Device& device, uint32_t handle, uint32_t& name) {
  drm_gem_flink request{handle, 0};
  const int number = igt::ioctl_errno(device.fd(), DRM_IOCTL_GEM_FLINK, &request);
  name = request.name;
  return number;
}

uint32_t name_of(const Device& device, const Bo& bo) {
  uint32_t name = 0;
  igt_assert_eq(try_name(device, bo.handle(), name), 0);
  igt_assert_neq(name, 0);
  return name;
}

int try_open(const Device& device, uint32_t name) {
  drm_gem_open request{};
  request.name = name;
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_GEM_OPEN, &request);
}

Bo open_name(const Device& device, uint32_t name) {
  drm_gem_open request{};
  request.name = name;
  do_ioctl(device.fd(), DRM_IOCTL_GEM_OPEN, &request);
  return Bo::adopt(device, request.handle, request.size);
}

void names_are_stable(const Device& opened) {
  const Device device = another(opened);
  const Bo first = Bo::create(device, kPage);
  const Bo second = Bo::create(device, kPage);
  const uint32_t name = name_of(device, first);
  igt_assert_eq(name_of(device, first), name);
  igt_assert_neq(name_of(device, second), name);
}

void one_memory(const Device& opened) {
  const Device device = another(opened);
  const Device other = another(opened);
  Bench bench(other);
  Bo bo = Bo::create(device, 3 * kPage);
  bo.tag_pages(0x40);
  Bo same = open_name(other, name_of(device, bo));
  igt_assert_eq(same.size(), 3 * kPage);
  igt_assert_eq(uint32_t{same.word_at(2 * kPage)}, 0x42);
  bench.vm().map(same, kPlay);
  bench.store32(kPlay + kPage, 0x99);
  igt_assert_eq(uint32_t{bo.word_at(kPage)}, 0x99);
  igt_assert_eq(name_of(other, same), name_of(device, bo));
}

void each_opening_is_a_handle(const Device& opened) {
  const Device device = another(opened);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x11;
  const uint32_t name = name_of(device, bo);
  Bo second = open_name(device, name);
  Bo third = open_name(device, name);
  igt_assert_neq(second.handle(), bo.handle());
  igt_assert_neq(third.handle(), bo.handle());
  igt_assert_neq(third.handle(), second.handle());
  // Any of them is good for a mapping, as long as it is there.
  bo.unmap();
  bo.close_handle();
  second.close_handle();
  igt_assert_eq(uint32_t{third.word_at(0)}, 0x11);
}

void name_lasts_as_long_as_a_handle(const Device& opened) {
  const Device device = another(opened);
  const Device other = another(opened);
  Bo bo = Bo::create(device, kPage);
  const uint32_t name = name_of(device, bo);
  Bo same = open_name(other, name);
  bo.close_handle();
  Bo again = open_name(device, name);
  same.close_handle();
  again.close_handle();
  igt_assert_eq(try_open(device, name), ENOENT);
}

// A dma-buf and a mapping keep the memory; neither keeps the name.
void name_needs_a_handle(const Device& opened) {
  const Device device = another(opened);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x22;
  const uint32_t name = name_of(device, bo);
  const UniqueFd fd = bo.export_fd();
  bo.close_handle();
  igt_assert_eq(try_open(device, name), ENOENT);
  Bo back = Bo::import_fd(device, fd.get());
  igt_assert_eq(uint32_t{back.word_at(0)}, 0x22);
  igt_assert_eq(try_open(device, name), ENOENT);
}

// An import finds the handle that was exported or imported before, no other one.
void names_and_dma_bufs(const Device& opened) {
  const Device device = another(opened);
  const Device other = another(opened);
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  const Bo named = open_name(other, name_of(device, bo));
  const Bo imported = Bo::import_fd(other, fd.get());
  igt_assert_neq(imported.handle(), named.handle());
  drm_prime_handle request{0, 0, fd.get()};
  do_ioctl(other.fd(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &request);
  igt_assert_eq(request.handle, imported.handle());
  do_ioctl(device.fd(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &request);
  igt_assert_eq(request.handle, bo.handle());
}

void bad_arguments(const Device& opened) {
  const Device device = another(opened);
  uint32_t name = 0;
  for (const uint32_t handle : {0U, 4711U}) igt_assert_eq(try_name(device, handle, name), ENOENT);
  for (const uint32_t unknown : {0U, 0x7FFFFFFFU, ~0U})
    igt_assert_eq(try_open(device, unknown), ENOENT);
}

void not_on_the_render_node(const Device& opened) {
  const Device device = another(opened);
  const Device render = Device::open_render();
  const Bo bo = Bo::create(render, kPage);
  const Bo named = Bo::create(device, kPage);
  uint32_t name = 0;
  igt_assert_eq(try_name(render, bo.handle(), name), EACCES);
  igt_assert_eq(try_open(render, name_of(device, named)), EACCES);
}

constexpr Case kCases[] = {
    {"names-are-stable", "One name for each buffer.", names_are_stable},
    {"one-memory", "What is opened by name is the same buffer. [B2.8]", one_memory},
    {"each-opening-is-a-handle", "Openings are not found again.", each_opening_is_a_handle},
    {"name-lasts-as-long-as-a-handle", "Whoever has it.", name_lasts_as_long_as_a_handle},
    {"name-needs-a-handle", "Nothing else keeps it.", name_needs_a_handle},
    {"names-and-dma-bufs", "Imports do not look at names.", names_and_dma_bufs},
    {"bad-arguments", "Handles and names that are not there. [B2.8]", bad_arguments},
    {"not-on-the-render-node", "Names are of the primary node. [B2.1]", not_on_the_render_node},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
