// SPDX-License-Identifier: MIT
//
// Descriptors that are not what a call takes them for.
#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/check.h"
#include "campaigns/attempts/attempt.h"
#include "uapi/drm_abi.h"

namespace pantry::redteam {
namespace {

using Effect = Attempt::Effect;

constexpr int kClosed = 987654;

int dma_buf(uapi::LocalClient& client) {
  drm_prime_handle args{1, DRM_RDWR, -1};
  PANTRY_CHECK(client.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, args) == 0);
  return args.fd;
}

// Of the victim's syncobj 2, which has a fence.
int syncobj_fd(uapi::LocalClient& client, std::uint32_t flags) {
  uapi::DrmSyncobjHandle args{};
  args.handle = 2;
  args.flags = flags;
  PANTRY_CHECK(client.call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args) == 0);
  return args.fd;
}

// Of this process.
struct Foreign {
  Foreign() : null(::open("/dev/null", O_RDWR | O_CLOEXEC)), event(::eventfd(0, EFD_CLOEXEC)) {}
  driver::OwnedFd null;
  driver::OwnedFd event;
};

// All by the victim, which has something of each kind.
int import_buffer(Scene& scene, int fd) {
  drm_prime_handle args{0, 0, fd};
  return scene.victim().call(DRM_IOCTL_PRIME_FD_TO_HANDLE, args);
}
int import_syncobj(Scene& scene, int fd, std::uint32_t flags) {
  uapi::DrmSyncobjHandle args{};
  args.fd = fd;
  args.flags = flags;
  args.handle = flags != 0 ? 1 : 0;
  return scene.victim().call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, args);
}
int tell(Scene& scene, int fd) {
  uapi::DrmSyncobjEventfd args{};
  args.handle = 3;
  args.fd = fd;
  return scene.victim().call(DRM_IOWR(0xCF, uapi::DrmSyncobjEventfd), args);
}

constexpr Attempt kAttempts[] = {
    {"import a file as a buffer", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       const Foreign foreign;
       return import_buffer(s, side == Side::kAttack ? foreign.null.get() : dma_buf(s.victim()));
     }},
    {"import a sync_file as a buffer", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       return import_buffer(s, side == Side::kAttack
                                   ? syncobj_fd(s.victim(), uapi::kSyncobjFdAsSyncFile)
                                   : dma_buf(s.victim()));
     }},
    {"import what is not open as a buffer", EBADF, Effect::kReads,
     [](Scene& s, Side side) {
       return import_buffer(s, side == Side::kAttack ? kClosed : dma_buf(s.victim()));
     }},
    {"import a buffer as a syncobj", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return import_syncobj(
           s, side == Side::kAttack ? dma_buf(s.victim()) : syncobj_fd(s.victim(), 0), 0);
     }},
    {"import a sync_file as a syncobj", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return import_syncobj(
           s, syncobj_fd(s.victim(), side == Side::kAttack ? uapi::kSyncobjFdAsSyncFile : 0), 0);
     }},
    {"import a syncobj as a sync_file", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return import_syncobj(
           s, syncobj_fd(s.victim(), side == Side::kAttack ? 0 : uapi::kSyncobjFdAsSyncFile),
           uapi::kSyncobjFdAsSyncFile);
     }},
    {"be told over a file that is no eventfd", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       const Foreign foreign;
       return tell(s, side == Side::kAttack ? foreign.null.get() : foreign.event.get());
     }},
    {"be told over what is not open", EBADF, Effect::kChanges,
     [](Scene& s, Side side) {
       const Foreign foreign;
       return tell(s, side == Side::kAttack ? kClosed : foreign.event.get());
     }},
};

}  // namespace

std::span<const Attempt> descriptor_attempts() { return kAttempts; }

}  // namespace pantry::redteam
