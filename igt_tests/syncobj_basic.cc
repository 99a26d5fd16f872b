// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/channel.h"
#include "igt_tests/lib/waits.h"

IGT_TEST_DESCRIPTION("Sync objects: creation, signal and reset, handles and descriptors.");

using namespace gpu;

namespace {

constexpr uint32_t kNowhere = 4711;

uint32_t import_syncobj(const Device& device, int fd) {
  drm_syncobj_handle request{};
  request.fd = fd;
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &request);
  return request.handle;
}

int import_errno(const Device& device, int fd, uint32_t flags, uint32_t pad) {
  drm_syncobj_handle request{};
  request.fd = fd;
  request.flags = flags;
  request.pad = pad;
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &request);
}

void create_bad_flags(const Device& device) {
  for (const uint32_t flags : {2U, 3U, 4U, 0x8000'0000U, ~0U}) {
    drm_syncobj_create request{0, flags};
    do_ioctl_err(device.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &request, EINVAL);
  }
}

void handles_are_lowest_free(const Device& opened) {
  const Device device = opened.open_again();
  std::vector<Syncobj> objects;
  for (uint32_t i = 1; i <= 6; ++i) {
    objects.push_back(Syncobj::create(device));
    igt_assert_eq(objects.back().handle(), i);
  }
  { const Syncobj gone = std::move(objects[2]); }
  objects[2] = Syncobj::create_signalled(device);
  igt_assert_eq(objects[2].handle(), 3);
  igt_assert_eq(Syncobj::create(device).handle(), 7);
}

void destroy_bad_arguments(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  for (const drm_syncobj_destroy bad :
       {drm_syncobj_destroy{object.handle(), 1}, drm_syncobj_destroy{0, 0},
        drm_syncobj_destroy{kNowhere, 0}}) {
    drm_syncobj_destroy request = bad;
    do_ioctl_err(device.fd(), DRM_IOCTL_SYNCOBJ_DESTROY, &request, EINVAL);
  }
  // Still there.
  object.signal();
  igt_assert(object.is_signalled());
}

void new_ones_hold_nothing(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  igt_assert_eq(object.wait(0), EINVAL);
  igt_assert_eq(object.wait(kGlance), EINVAL);
  igt_assert_eq(object.wait_for_submit(kGlance), ETIME);
  igt_assert_eq(object.query(), 0);
}

void created_signalled(const Device& device) {
  const Syncobj object = Syncobj::create_signalled(device);
  igt_assert_eq(object.wait(0), 0);
  igt_assert_eq(object.finish(0), 1);
  igt_assert_eq(object.query(), 0);
}

void signal_and_reset(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  for (int i = 0; i < 3; ++i) {
    object.signal();
    object.signal();
    igt_assert_eq(object.wait(0), 0);
    object.reset();
    object.reset();
    igt_assert_eq(object.wait(0), EINVAL);
  }
}

void arrays(const Device& device) {
  std::vector<Syncobj> objects;
  std::vector<uint32_t> handles;
  for (int i = 0; i < 300; ++i) {
    objects.push_back(Syncobj::create(device));
    handles.push_back(objects.back().handle());
  }
  drm_syncobj_array request{};
  request.handles = reinterpret_cast<uint64_t>(handles.data());
  request.count_handles = static_cast<uint32_t>(handles.size()) - 1;
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_SIGNAL, &request);
  igt_assert_eq(objects.front().wait(0), 0);
  igt_assert_eq(objects[298].wait(0), 0);
  igt_assert_eq(objects[299].wait(0), EINVAL);
  request.count_handles = 150;
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_RESET, &request);
  igt_assert_eq(objects[149].wait(0), EINVAL);
  igt_assert_eq(objects[150].wait(0), 0);
}

void arrays_bad_arguments(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  const uint32_t handles[] = {object.handle(), kNowhere};
  const auto address = reinterpret_cast<uint64_t>(handles);
  const struct {
    drm_syncobj_array request;
    int number;
  } cases[] = {{{address, 1, 1}, EINVAL}, {{address, 0, 0}, EINVAL}, {{address, 2, 0}, ENOENT},
               {{8, 1, 0}, EFAULT},       {{0, 1, 0}, EFAULT},       {{8, 0, 0}, EINVAL}};
  for (const auto& each : cases) {
    for (const unsigned long call : {static_cast<unsigned long>(DRM_IOCTL_SYNCOBJ_SIGNAL),
                                     static_cast<unsigned long>(DRM_IOCTL_SYNCOBJ_RESET)}) {
      drm_syncobj_array request = each.request;
      do_ioctl_err(device.fd(), call, &request, each.number);
    }
  }
  // An unknown handle spoils the call for the known one.
  igt_assert_eq(object.wait(0), EINVAL);
}

void handles_belong_to_their_file(const Device& opened) {
  const Device a = opened.open_again();
  const Device b = opened.open_again();
  const Syncobj of_a = Syncobj::create_signalled(a);
  igt_assert_eq(Waits(b).add_handle(of_a.handle()).run(0, 0), ENOENT);
  const Syncobj of_b = Syncobj::create(b);
  igt_assert_eq(of_a.handle(), of_b.handle());
  of_b.signal();
  of_b.reset();
  igt_assert(of_a.is_signalled());
}

void imports_share_the_object(const Device& device) {
  const Device other = device.open_again();
  const Syncobj object = Syncobj::create(device);
  const UniqueFd fd = object.export_syncobj();
  igt_assert(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
  const Syncobj again = Syncobj::adopt(device, import_syncobj(device, fd.get()));
  const Syncobj there = Syncobj::adopt(other, import_syncobj(other, fd.get()));
  // No handle is ever found again, not even on the same file.
  igt_assert_neq(again.handle(), object.handle());
  object.signal();
  igt_assert(again.is_signalled());
  igt_assert(there.is_signalled());
  there.reset();
  igt_assert_eq(object.wait(0), EINVAL);
  again.signal_point(7);
  igt_assert_eq(there.query(), 7);
}

void export_bad_arguments(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  const auto call = [&](uint32_t handle, uint32_t flags, uint32_t pad) {
    drm_syncobj_handle request{};
    request.handle = handle;
    request.flags = flags;
    request.pad = pad;
    return igt::ioctl_errno(device.fd(), DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &request);
  };
  constexpr uint32_t kSyncFile = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
  igt_assert_eq(call(object.handle(), 0, 1), EINVAL);
  igt_assert_eq(call(object.handle(), 0x10, 0), EINVAL);
  igt_assert_eq(call(kNowhere, 0, 0), EINVAL);
  igt_assert_eq(call(0, 0, 0), EINVAL);
  igt_assert_eq(call(kNowhere, kSyncFile, 0), ENOENT);
  // There is no fence to export.
  igt_assert_eq(call(object.handle(), kSyncFile, 0), EINVAL);
}

void import_bad_arguments(const Device& device) {
  const Syncobj object = Syncobj::create_signalled(device);
  const UniqueFd good = object.export_syncobj();
  const UniqueFd sync_file = object.export_sync_file();
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  igt_assert_eq(import_errno(device, good.get(), 0, 1), EINVAL);
  igt_assert_eq(import_errno(device, good.get(), 0x10, 0), EINVAL);
  for (const int fd : {-1, 1000000, event.get(), null.get(), sync_file.get(), device.fd()}) {
    igt_assert_eq(import_errno(device, fd, 0, 0), EINVAL);
  }
}

void descriptor_outlives_handle(const Device& device) {
  UniqueFd fd;
  {
    const Syncobj object = Syncobj::create(device);
    object.signal_point(12);
    fd = object.export_syncobj();
  }
  const Syncobj again = Syncobj::adopt(device, import_syncobj(device, fd.get()));
  igt_assert_eq(again.query(), 12);
}

// A pending fence lives on without the file that its job belongs to.
void descriptor_outlives_file(const Device& device) {
  Gate gate(device);
  UniqueFd fd;
  {
    const Device other = device.open_again();
    const Syncobj handed =
        Syncobj::adopt(other, import_syncobj(other, gate.fence().export_syncobj().get()));
    fd = handed.export_syncobj();
  }
  const Syncobj again = Syncobj::adopt(device, import_syncobj(device, fd.get()));
  igt_assert_eq(again.wait(0), ETIME);
  gate.open();
  igt_assert_eq(again.wait(kPatience), 0);
}

void duplicates_are_the_same(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  UniqueFd fd = object.export_syncobj();
  const UniqueFd copy(dup(fd.get()));
  fd.reset();
  const Syncobj again = Syncobj::adopt(device, import_syncobj(device, copy.get()));
  again.signal();
  igt_assert(object.is_signalled());
}

// A child signals what its parent waits for.
void across_fork(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  const UniqueFd fd = object.export_syncobj();
  igt_fork(child, 1) {
    const Device own = device.open_again();
    const Syncobj imported = Syncobj::adopt(own, import_syncobj(own, fd.get()));
    sleep_ns(kGlance);
    imported.signal();
  };
  igt_assert_eq(object.wait_for_submit(kPatience), 0);
  igt_waitchildren();
}

// A child makes an object, signals it and sends it in a message; it is gone when that is read.
void through_a_socket(const Device& device) {
  const Channel channel;
  igt_fork(child, 1) {
    const Device own = device.open_again();
    const Syncobj object = Syncobj::create(own);
    object.signal_point(99);
    channel.send(object.export_syncobj().get());
  };
  igt_waitchildren();
  const UniqueFd fd = channel.receive();
  const Syncobj object = Syncobj::adopt(device, import_syncobj(device, fd.get()));
  igt_assert_eq(object.query(), 99);
}

void many(const Device& opened) {
  const Device device = opened.open_again();
  std::vector<Syncobj> objects;
  for (uint32_t i = 1; i <= 2000; ++i) {
    objects.push_back(Syncobj::create(device));
    igt_assert_eq(objects.back().handle(), i);
    if (i % 3 == 0) objects.back().signal();
  }
  for (uint32_t i = 1; i <= 2000; i += 97) {
    igt_assert_eq(objects[i - 1].wait(0), i % 3 == 0 ? 0 : EINVAL);
  }
}

constexpr Case kCases[] = {
    {"create-bad-flags", "Unknown flags are refused. [B4.1]", create_bad_flags},
    {"handles-are-lowest-free", "Handles count from 1 and are used again. [B4.1]",
     handles_are_lowest_free},
    {"destroy-bad-arguments", "Pads and unknown handles are refused. [B4.2]",
     destroy_bad_arguments},
    {"new-ones-hold-nothing", "There is nothing to wait for in a new object.",
     new_ones_hold_nothing},
    {"created-signalled", "Or there is, and it has signalled.", created_signalled},
    {"signal-and-reset", "By hand, as often as one likes. [B4.16]", signal_and_reset},
    {"arrays", "300 objects at a time.", arrays},
    {"arrays-bad-arguments", "What SIGNAL and RESET refuse. [B4.15]", arrays_bad_arguments},
    {"handles-belong-to-their-file", "One number, two objects.", handles_belong_to_their_file},
    {"imports-share-the-object", "Each import is a new handle of the same object. [B4.6]",
     imports_share_the_object},
    {"export-bad-arguments", "What HANDLE_TO_FD refuses. [B4.3 B4.4]", export_bad_arguments},
    {"import-bad-arguments", "What FD_TO_HANDLE refuses. [B4.5]", import_bad_arguments},
    {"descriptor-outlives-handle", "A descriptor keeps the object.", descriptor_outlives_handle},
    {"descriptor-outlives-file", "Even without the file it came from. [G1.4]",
     descriptor_outlives_file},
    {"duplicates-are-the-same", "dup() of a descriptor.", duplicates_are_the_same},
    {"across-fork", "A child signals an inherited object.", across_fork},
    {"through-a-socket", "An object arrives after its sender is gone.", through_a_socket},
    {"many", "2000 objects.", many},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
