// SPDX-License-Identifier: MIT
//
// One more of everything than the quota allows, once that is full. As a control the victim, whose
// quota is its own, asks for the same.
#include "base/check.h"
#include "campaigns/attempts/attempt.h"
#include "driver/sync/test_fence.h"

namespace pantry::redteam {
namespace {

using Effect = Attempt::Effect;
using driver::Resource;

// Until it is refused.
template <class Take>
void take_all(Take take) {
  while (take() == 0) {
  }
}

int take_memory(uapi::LocalClient& client) {
  std::uint32_t handle = 0;
  return create_buffer(client, kMiB, 0, 0, handle);
}
// Two table pages, and on a new VM four.
int take_tables(uapi::LocalClient& client, std::uint32_t vm, std::uint64_t n) {
  return bind(client, vm, map_op(1, 0, n * kGiB, kPageSize));
}
constexpr std::uint64_t kFar = 4000;  // GiB: where nobody has tables yet
int take_handle(uapi::LocalClient& client) {
  std::uint32_t handle = 0;
  return create_buffer(client, kPageSize, 0, 0, handle);
}
int take_syncobj(uapi::LocalClient& client) { return create_syncobj(client, 0); }

int take_point(Scene& scene, uapi::LocalClient& client, std::uint64_t point) {
  drm_syncobj_transfer args{};
  args.src_handle = 1;
  args.dst_handle = 4;
  args.dst_point = point;
  static_cast<void>(scene);
  return client.call(DRM_IOCTL_SYNCOBJ_TRANSFER, args);
}

// For each: syncobj 1 gets a fence that does not signal while the scene lasts, and there is a
// syncobj 4.
class NeverSignals {
 public:
  explicit NeverSignals(Scene& scene) {
    for (uapi::LocalClient* client : {&scene.attacker(), &scene.victim()}) {
      client->session().file().syncobj(1)->replace(fence_);
      while (!client->session().file().syncobj(4)) PANTRY_CHECK(take_syncobj(*client) == 0);
    }
  }
  ~NeverSignals() { fence_->signal({}, 0); }

 private:
  const Ref<driver::TestFence> fence_ = make_ref<driver::TestFence>();
};

int take_job(uapi::LocalClient& client) {
  drm_panthor_sync_op sync{0, 1, 0};
  drm_panthor_vm_bind_op op{};
  op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY;
  op.syncs = {sizeof sync, 1, reinterpret_cast<std::uint64_t>(&sync)};
  return bind(client, 1, op, DRM_PANTHOR_VM_BIND_ASYNC);
}

constexpr Attempt kAttempts[] = {
    {"more memory than its quota", ENOMEM, Effect::kChanges,
     [](Scene& s, Side side) { return take_memory(s.who(side)); },
     [](Scene& s) { take_all([&] { return take_memory(s.attacker()); }); }},
    {"more page tables than its quota of memory", ENOMEM, Effect::kChanges,
     [](Scene& s, Side side) { return take_tables(s.who(side), 1, kFar); },
     [](Scene& s) {
       std::uint64_t n = 0;
       take_all([&] { return take_tables(s.attacker(), 1, ++n); });
     }},
    {"more handles than its quota", ENOSPC, Effect::kChanges,
     [](Scene& s, Side side) { return take_handle(s.who(side)); },
     [](Scene& s) { take_all([&] { return take_handle(s.attacker()); }); }},
    {"more syncobjs than its quota", ENOSPC, Effect::kChanges,
     [](Scene& s, Side side) { return take_syncobj(s.who(side)); },
     [](Scene& s) { take_all([&] { return take_syncobj(s.attacker()); }); }},
    {"more VMs than its quota", EBUSY, Effect::kChanges,
     [](Scene& s, Side side) { return create_vm(s.who(side)); },
     [](Scene& s) { take_all([&] { return create_vm(s.attacker()); }); }},
    {"more groups than its quota", EBUSY, Effect::kChanges,
     [](Scene& s, Side side) { return create_group(s.who(side), 1); },
     [](Scene& s) { take_all([&] { return create_group(s.attacker(), 1); }); }},
    {"more pending points than its quota", ENOMEM, Effect::kReads,
     [](Scene& s, Side side) {
       const NeverSignals never(s);
       if (side == Side::kControl) return take_point(s, s.victim(), 1);
       const std::string before = s.fingerprint();
       std::uint64_t point = 0;
       take_all([&] { return take_point(s, s.attacker(), ++point); });
       const std::string full = s.fingerprint();
       const int result = take_point(s, s.attacker(), point);
       PANTRY_CHECK(full != before && s.fingerprint() == full);
       for (const std::uint32_t handle : {1, 4})
         s.attacker().session().file().syncobj(handle)->replace(nullptr);
       s.victim().session().file().syncobj(1)->replace(nullptr);
       for (uapi::LocalClient* client : {&s.attacker(), &s.victim()})
         for (std::uint32_t handle = client == &s.attacker() ? 2 : 4; handle <= 4; ++handle) {
           drm_syncobj_destroy gone{handle, 0};
           PANTRY_CHECK(client->call(DRM_IOCTL_SYNCOBJ_DESTROY, gone) == 0);
         }
       return result;
     }},
    {"more queued work than its quota", ENOMEM, Effect::kReads,
     [](Scene& s, Side side) {
       int result = 0;
       {
         const NeverSignals never(s);
         if (side == Side::kControl) {
           result = take_job(s.victim());
         } else {
           take_all([&] { return take_job(s.attacker()); });
           const auto held = s.attacker().session().file().account().held(Resource::kJobs);
           PANTRY_CHECK(held == 64);
           result = take_job(s.attacker());
           PANTRY_CHECK(s.attacker().session().file().account().held(Resource::kJobs) == held);
         }
       }
       s.machine().device().settle();
       if (side == Side::kControl) return result;
       for (uapi::LocalClient* client : {&s.attacker(), &s.victim()}) {
         client->session().file().syncobj(1)->replace(nullptr);
         for (std::uint32_t handle = client == &s.attacker() ? 2 : 4; handle <= 4; ++handle) {
           drm_syncobj_destroy gone{handle, 0};
           PANTRY_CHECK(client->call(DRM_IOCTL_SYNCOBJ_DESTROY, gone) == 0);
         }
       }
       return result;
     }},
};

}  // namespace

std::span<const Attempt> exhaustion_attempts() { return kAttempts; }

}  // namespace pantry::redteam
