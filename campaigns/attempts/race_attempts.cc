// SPDX-License-Identifier: MIT
//
// A second thread that changes, while a call is under way, what the call has been told or what it
// works on. Each looks for a call that did what neither version of its argument asks for.
#include <atomic>
#include <thread>

#include "base/check.h"
#include "campaigns/attempts/attempt.h"

namespace pantry::redteam {
namespace {

using Effect = Attempt::Effect;

constexpr int kRounds = 20000;

// Does `deed` over and over, on a thread of its own, from the construction on.
template <class Deed>
class Meanwhile {
 public:
  explicit Meanwhile(Deed deed)
      : thread_([this, deed] {
          while (!over_.load(std::memory_order_relaxed)) {
            deed();
            begun_.store(true, std::memory_order_relaxed);
          }
        }) {
    while (!begun_) std::this_thread::yield();
  }
  ~Meanwhile() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

void set(__u64& word, std::uint64_t value) { __atomic_store_n(&word, value, __ATOMIC_RELAXED); }

// The operation's size is one page or far too much: a server that read it twice would check one and
// use the other. The control has no check in the way: what was asked for is there.
int change_the_size_of_a_bind(Scene& scene, Side side) {
  constexpr std::uint64_t kPlace = 4 * kVa;
  uapi::LocalClient& client = scene.attacker();
  drm_panthor_vm_bind_op op = map_op(1, 0, kPlace, kPageSize);
  drm_panthor_vm_bind args{};
  args.vm_id = 1;
  args.ops = {sizeof op, 1, reinterpret_cast<std::uint64_t>(&op)};
  const auto mapped_too_much = [&](std::uint64_t most) {
    bool found = false;
    for_each_mapping(*client.session().file().vm(1), [&](const driver::Vm::MappingView& mapping) {
      found |= mapping.range.first.value >= kPlace && mapping.range.last.value >= kPlace + most;
    });
    return found;
  };
  bool found = false;
  {
    const Meanwhile changing([&] {
      set(op.size, kPageSize);
      set(op.size, side == Side::kAttack ? 64 * kBytes : 2 * kPageSize);
    });
    for (int i = 0; i < kRounds && !found; ++i) {
      client.call(DRM_IOCTL_PANTHOR_VM_BIND, args);
      found = mapped_too_much(kPageSize);
    }
  }
  drm_panthor_vm_bind_op gone{};
  gone.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
  gone.va = kPlace;
  gone.size = 64 * kBytes;
  PANTRY_CHECK(bind(client, 1, gone) == 0);
  return found ? 0 : Attempt::kNothing;
}

// The handle is the attacker's own or a number of the victim's.
int change_the_handle_of_an_export(Scene& scene, Side side) {
  uapi::LocalClient& client = scene.who(side);
  const Ref<driver::Buffer> loot = scene.victim().session().file().buffer(3);
  drm_prime_handle args{1, 0, -1};
  bool found = false;
  const Meanwhile changing([&] {
    __atomic_store_n(&args.handle, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&args.handle, 3, __ATOMIC_RELAXED);
  });
  for (int i = 0; i < kRounds && !found; ++i) {
    if (client.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, args) != 0) continue;
    const auto object = client.object(args.fd);
    const auto* buffer = std::get_if<Ref<driver::Buffer>>(&object);
    found = buffer && buffer->get() == loot.get();
    client.close(args.fd);
  }
  return found ? 0 : Attempt::kNothing;
}

// The handle is closed while it is bound: afterwards the mapping has its buffer, or there is none.
// Looks for a mapping of a buffer that another client has by then.
int close_while_it_is_bound(Scene& scene, Side side) {
  constexpr std::uint64_t kPlace = 4 * kVa;
  uapi::LocalClient& client = scene.attacker();
  std::atomic<std::uint32_t> handle{0};
  bool found = false;
  {
    const Meanwhile closing([&] {
      if (const std::uint32_t now = handle.exchange(0); now != 0) close_buffer(client, now);
    });
    for (int i = 0; i < kRounds / 50 && !found; ++i) {
      std::uint32_t made = 0;
      PANTRY_CHECK(create_buffer(client, kPageSize, 0, 0, made) == 0);
      const Ref<driver::Buffer> ours = client.session().file().buffer(made);
      handle = made;
      const bool bound = bind(client, 1, map_op(made, 0, kPlace, kPageSize)) == 0;
      std::uint32_t victims = 0;
      PANTRY_CHECK(create_buffer(scene.victim(), kPageSize, 0, 0, victims) == 0);
      const PhysAddr theirs =
          scene.victim().session().file().buffer(victims)->frames().front().start;
      for_each_mapping(*client.session().file().vm(1), [&](const driver::Vm::MappingView& mapping) {
        if (mapping.range.first.value != kPlace) return;
        const PhysAddr frame = mapping.buffer->frames().front().start;
        found |= side == Side::kAttack ? frame == theirs : frame == ours->frames().front().start;
      });
      PANTRY_CHECK(close_buffer(scene.victim(), victims) == 0);
      drm_panthor_vm_bind_op gone{};
      gone.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
      gone.va = kPlace;
      gone.size = kPageSize;
      if (bound) PANTRY_CHECK(bind(client, 1, gone) == 0);
      while (handle != 0) std::this_thread::yield();
    }
  }
  return found ? 0 : Attempt::kNothing;
}

constexpr Attempt kAttempts[] = {
    {"change the size of a bind while it is read", Attempt::kNothing, Effect::kReads,
     change_the_size_of_a_bind},
    {"change the handle of an export while it is read", Attempt::kNothing, Effect::kReads,
     change_the_handle_of_an_export},
    {"close a buffer while it is bound", Attempt::kNothing, Effect::kReads,
     close_while_it_is_bound},
};

}  // namespace

std::span<const Attempt> race_attempts() { return kAttempts; }

}  // namespace pantry::redteam
