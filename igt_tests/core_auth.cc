// SPDX-License-Identifier: MIT

#include <xf86drm.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Who is who among the files of the primary node.");

using namespace gpu;

namespace {

uint32_t magic_of(const Device& device) {
  drm_auth request{};
  do_ioctl(device.fd(), DRM_IOCTL_GET_MAGIC, &request);
  return request.magic;
}

int authenticate(const Device& master, uint32_t magic) {
  drm_auth request{magic};
  return igt::ioctl_errno(master.fd(), DRM_IOCTL_AUTH_MAGIC, &request);
}

bool is_authenticated(const Device& device) {
  drm_client request{};
  do_ioctl(device.fd(), DRM_IOCTL_GET_CLIENT, &request);
  return request.auth != 0;
}

void require_master(const Device& device) {
  igt_require_f(drmIsMaster(device.fd()) != 0, "somebody else is master\n");
}

void magic_is_stable(const Device& device) {
  const Device other = device.open_again();
  const Device third = device.open_again();
  const uint32_t magic = magic_of(other);
  igt_assert_neq(magic, 0);
  igt_assert_neq(magic_of(third), magic);
  igt_assert_eq(magic_of(other), magic);
}

void master_authenticates(const Device& device) {
  require_master(device);
  igt_assert(is_authenticated(device));
  const Device other = device.open_again();
  const uint32_t magic = magic_of(other);
  igt_assert_eq(authenticate(device, magic), 0);
  igt_assert(is_authenticated(other));
  // Once it is known, the number is of no more use.
  igt_assert_eq(authenticate(device, magic), EINVAL);
  igt_assert_eq(drmIsMaster(other.fd()), 0);
}

void unknown_magic(const Device& device) {
  require_master(device);
  const Device other = device.open_again();
  const uint32_t magic = magic_of(other);
  for (const uint32_t unknown : {0U, magic + 1000, ~0U})
    igt_assert_eq(authenticate(device, unknown), EINVAL);
}

void only_the_master(const Device& device) {
  require_master(device);
  const Device other = device.open_again();
  const Device third = device.open_again();
  igt_assert_eq(authenticate(other, magic_of(third)), EACCES);
  igt_assert_eq(authenticate(other, magic_of(other)), EACCES);
  igt_assert_eq(authenticate(other, 0), EACCES);
}

// Whoever opens the node while nobody reigns does, and knows nobody who came before.
void reigns_follow_each_other(const Device& device) {
  require_master(device);
  const Device subject = device.open_again();
  const uint32_t magic = magic_of(subject);
  igt_assert_eq(drmDropMaster(device.fd()), 0);
  igt_assert_eq(drmIsMaster(device.fd()), 0);
  const Device usurper = device.open_again();
  igt_assert_neq(drmIsMaster(usurper.fd()), 0);
  drmSetMaster(device.fd());
  igt_assert_eq(drmIsMaster(device.fd()), 0);
  const int foreign = authenticate(usurper, magic);
  igt_assert_eq(drmDropMaster(usurper.fd()), 0);
  igt_assert_eq(drmSetMaster(device.fd()), 0);
  igt_assert_eq(foreign, EINVAL);
  igt_assert_eq(authenticate(device, magic), 0);
}

int set_name(const Device& device, const char* name, uint64_t length) {
  drm_set_client_name request{length, reinterpret_cast<uint64_t>(name)};
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_SET_CLIENT_NAME, &request);
}

void client_name(const Device& opened) {
  const std::string longest(DRM_CLIENT_NAME_MAX_LEN + 1, 'x');
  const Device render = Device::open_render();
  const Device primary = opened.open_again();
  for (const Device* device : {&render, &primary}) {
    const bool known = device->minor() >= 1;
    igt_assert_eq(set_name(*device, "somebody", 8), known ? 0 : EINVAL);
    igt_assert_eq(set_name(*device, longest.data(), longest.size()), EINVAL);
    igt_assert_eq(set_name(*device, longest.data(), longest.size() - 1), known ? 0 : EINVAL);
    for (const char* bad : {"two words", "a\nline", "\x01"})
      igt_assert_eq(set_name(*device, bad, strlen(bad)), EINVAL);
    igt_assert_eq(set_name(*device, "short", 6), EINVAL);
    igt_assert_eq(set_name(*device, nullptr, 4), known ? EFAULT : EINVAL);
    igt_assert_eq(set_name(*device, nullptr, 0), known ? 0 : EINVAL);
  }
}

constexpr Case kCases[] = {
    {"magic-is-stable", "Each file has a number of its own. [B2.5]", magic_is_stable},
    {"master-authenticates", "The master makes a file known, once. [B2.5]", master_authenticates},
    {"unknown-magic", "Numbers that nobody has.", unknown_magic},
    {"only-the-master", "Nobody else can, not even for himself. [B2.1 B2.5]", only_the_master},
    {"reigns-follow-each-other",
     "A number counts for the master in whose time it was given. [B2.4]", reigns_follow_each_other},
    {"client-name", "A file can be given a name. [B2.9]", client_name},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
