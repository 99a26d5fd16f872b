// SPDX-License-Identifier: MIT

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>
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

// A process that was handed the descriptors, and has no privileges of its own.
void privileges_are_the_callers(const Device& device) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
  igt_require_f(syscall(SYS_capget, &header, none) == 0, "a kernel without capabilities\n");
  require_master(device);
  const Device render = Device::open_render();
  igt_fork(child, 1) {
    memset(none, 0, sizeof none);
    igt_assert_eq(syscall(SYS_capset, &header, none), 0);
    igt_assert_eq(igt::ioctl_errno(device.fd(), DRM_IOCTL_DROP_MASTER, nullptr), EACCES);
    igt_assert_eq(igt::ioctl_errno(device.fd(), DRM_IOCTL_SET_MASTER, nullptr), EACCES);
    igt_assert_neq(drmIsMaster(device.fd()), 0);
    drm_client client{};
    do_ioctl(device.fd(), DRM_IOCTL_GET_CLIENT, &client);
    igt_assert_eq(client.pid, static_cast<unsigned long>(getpid()));
    if (render.minor() < 2) return;
    drm_panthor_group_priorities_info info{};
    drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO, sizeof info,
                                reinterpret_cast<uint64_t>(&info)};
    do_ioctl(render.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
    igt_assert_eq(info.allowed_mask,
                  1 << PANTHOR_GROUP_PRIORITY_LOW | 1 << PANTHOR_GROUP_PRIORITY_MEDIUM);
  };
  igt_waitchildren();
  igt_assert_eq(igt::ioctl_errno(device.fd(), DRM_IOCTL_DROP_MASTER, nullptr), 0);
  igt_assert_eq(igt::ioctl_errno(device.fd(), DRM_IOCTL_SET_MASTER, nullptr), 0);
}

void name_of_the_device(const Device& device) {
  require_master(device);
  drmSetVersion version{1, 4, -1, -1};
  igt_assert_eq(drmSetInterfaceVersion(device.fd(), &version), 0);
  const Device other = device.open_again();
  for (const Device* each : {&device, &other}) {
    char* const name = drmGetBusid(each->fd());
    igt_assert(name != nullptr && *name != 0);
    drmFreeBusid(name);
  }
}

void calls_of_old(const Device& device) {
  require_master(device);
  const Device render = Device::open_render();
  for (const uint32_t number : {0x10U, 0x12U, 0x13U, 0x27U, 0x28U, 0x2cU, 0x3fU}) {
    uint64_t argument[8] = {};
    const unsigned long request = _IOC(_IOC_WRITE, DRM_IOCTL_BASE, number, sizeof argument);
    igt_assert_eq(igt::ioctl_errno(render.fd(), request, argument), EACCES);
    if (number == 0x2c || geteuid() == 0)
      igt_assert_eq(igt::ioctl_errno(device.fd(), request, argument), number == 0x10 ? EINVAL : 0);
  }
}

constexpr Case kCases[] = {
    {"magic-is-stable", "Each file has a number of its own. [B2.5]", magic_is_stable},
    {"master-authenticates", "The master makes a file known, once. [B2.5]", master_authenticates},
    {"unknown-magic", "Numbers that nobody has.", unknown_magic},
    {"only-the-master", "Nobody else can, not even for himself. [B2.1 B2.5]", only_the_master},
    {"reigns-follow-each-other",
     "A number counts for the master in whose time it was given. [B2.4]", reigns_follow_each_other},
    {"privileges-of-the-caller", "Privileges do not come with a descriptor. [B2.11 A6.3]",
     privileges_are_the_callers},
    {"name-of-the-device", "A master's SET_VERSION makes GET_UNIQUE tell. [B2.10]",
     name_of_the_device},
    {"calls-of-old", "Calls that are there for old programs only. [B2.12]", calls_of_old},
    {"client-name", "A file can be given a name. [B2.9]", client_name},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
