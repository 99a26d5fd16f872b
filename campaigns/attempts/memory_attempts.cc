// SPDX-License-Identifier: MIT
//
// Memory of another: by mmap offsets, by ranges that reach too far, and by what freed memory and
// stale translations may still show.
#include <sys/mman.h>

#include <vector>

#include "base/check.h"
#include "campaigns/attempts/attempt.h"
#include "gpu_emu/datasheet/builder.h"

namespace pantry::redteam {
namespace {

using Effect = Attempt::Effect;

constexpr std::uint64_t kMmio = DRM_PANTHOR_USER_MMIO_OFFSET_64BIT;
constexpr Duration kPatience = seconds(60);

int on_own_side(Scene& scene, std::uint64_t offset, std::uint64_t length, int protection) {
  return mmap(scene.attacker(), offset, length, protection);
}

bool shows_secret(driver::Buffer& buffer) {
  for (std::uint64_t at = 0; at < buffer.size(); at += sizeof kSecret) {
    std::uint32_t word = 0;
    PANTRY_CHECK(buffer.read(at, &word, sizeof word));
    if (word == kSecret) return true;
  }
  return false;
}

int found(bool secret) { return secret ? 0 : Attempt::kNothing; }

// The victim gives its memory up. As a control it keeps it and the reader is itself.
int read_freed_memory(Scene& scene, Side side) {
  if (side == Side::kControl)
    return found(shows_secret(*scene.victim().session().file().buffer(3)));
  for (const std::uint32_t handle : {2, 3}) PANTRY_CHECK(close_buffer(scene.victim(), handle) == 0);
  bool seen = false;
  std::vector<std::uint32_t> handles(100);
  for (std::uint32_t& handle : handles) {
    if (create_buffer(scene.attacker(), kBytes, 0, 0, handle) != 0) break;
    seen |= shows_secret(*scene.attacker().session().file().buffer(handle));
  }
  for (const std::uint32_t handle : handles)
    if (handle != 0) PANTRY_CHECK(close_buffer(scene.attacker(), handle) == 0);
  // As before, for the fingerprint.
  for (int i = 0; i < 2; ++i) {
    std::uint32_t handle = 0;
    PANTRY_CHECK(create_buffer(scene.victim(), kBytes, 0, 0, handle) == 0);
    for (std::uint64_t at = 0; at < kBytes; at += sizeof kSecret)
      PANTRY_CHECK(
          scene.victim().session().file().buffer(handle)->write(at, &kSecret, sizeof kSecret));
  }
  return found(seen);
}

// A job of `client`'s group 1 of VM 1 that loads the word at `from` and stores it at `to`; both and
// the stream, at `code`, are addresses of the VM. False: it faulted.
bool run_copy(Scene& scene, uapi::LocalClient& client, driver::Buffer& buffer, std::uint64_t from,
              std::uint64_t to) {
  constexpr std::uint64_t kCode = kVa + 2 * kPageSize;
  std::uint64_t words[16] = {};
  datasheet::CsBuilder stream(words);
  stream.add_word(0x0144'0000'0000'0000 | from);  // MOVE48 r68:69, from
  stream.add_word(0x1446'4400'0001'0000);         // LOAD_MULTIPLE r70 <- [r68:69]
  stream.add_word(0x0300'0000'00ff'0000);         // WAIT all
  stream.add_word(0x0144'0000'0000'0000 | to);    // MOVE48 r68:69, to
  stream.add_word(0x1546'4400'0001'0000);         // STORE_MULTIPLE r70 -> [r68:69]
  stream.add_word(0x0300'0000'00ff'0000);         // WAIT all
  PANTRY_CHECK(buffer.write(2 * kPageSize, words, stream.bytes()));
  PANTRY_CHECK(create_group(client, 1) == 0);
  std::uint32_t group = 1;
  while (client.session().file().group(group + 1)) ++group;
  drm_syncobj_create done{};
  PANTRY_CHECK(client.call(DRM_IOCTL_SYNCOBJ_CREATE, done) == 0);
  drm_panthor_sync_op sync{static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), done.handle, 0};
  drm_panthor_queue_submit job{};
  job.stream_addr = kCode;
  job.stream_size = static_cast<std::uint32_t>(stream.bytes());
  job.syncs = {sizeof sync, 1, reinterpret_cast<std::uint64_t>(&sync)};
  drm_panthor_group_submit args{};
  args.group_handle = group;
  args.queue_submits = {sizeof job, 1, reinterpret_cast<std::uint64_t>(&job)};
  PANTRY_CHECK(client.call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args) == 0);
  drm_syncobj_wait wait{};
  wait.handles = reinterpret_cast<std::uint64_t>(&done.handle);
  wait.count_handles = 1;
  wait.timeout_nsec = (scene.executor().clock().now() + kPatience).ns;
  PANTRY_CHECK(client.call(DRM_IOCTL_SYNCOBJ_WAIT, wait) == 0);
  const bool ran = client.session().file().syncobj(done.handle)->fence()->status() == 1;
  drm_syncobj_destroy gone{done.handle, 0};
  PANTRY_CHECK(client.call(DRM_IOCTL_SYNCOBJ_DESTROY, gone) == 0);
  drm_panthor_group_destroy end{group, 0};
  PANTRY_CHECK(client.call(DRM_IOCTL_PANTHOR_GROUP_DESTROY, end) == 0);
  return ran;
}

// The GPU of the attacker has read a page, and so has its translation; the page is unmapped, freed,
// and becomes the victim's, with its secret. Whether the attacker's GPU reads that. As a control
// the page stays mapped and has the secret.
int read_through_a_stale_translation(Scene& scene, Side side) {
  constexpr std::uint64_t kPeek = 4 * kVa;
  uapi::LocalClient& attacker = scene.attacker();
  std::uint32_t bait = 0;
  PANTRY_CHECK(create_buffer(attacker, kBytes, 0, 0, bait) == 0 &&
               bind(attacker, 1, map_op(bait, 0, kPeek, kPageSize)) == 0);
  const Ref<driver::Buffer> own = attacker.session().file().buffer(1);
  PANTRY_CHECK(run_copy(scene, attacker, *own, kPeek, kVa));
  std::vector<std::uint32_t> victims;
  const auto unmap = [&] {
    drm_panthor_vm_bind_op op{};
    op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
    op.va = kPeek;
    op.size = kPageSize;
    PANTRY_CHECK(bind(attacker, 1, op) == 0);
    PANTRY_CHECK(close_buffer(attacker, bait) == 0);
  };
  if (side == Side::kControl) {
    PANTRY_CHECK(attacker.session().file().buffer(bait)->write(0, &kSecret, sizeof kSecret));
  } else {
    unmap();
    for (int i = 0; i < 40; ++i) {
      std::uint32_t handle = 0;
      PANTRY_CHECK(create_buffer(scene.victim(), kBytes, 0, 0, handle) == 0);
      PANTRY_CHECK(
          scene.victim().session().file().buffer(handle)->write(0, &kSecret, sizeof kSecret));
      victims.push_back(handle);
    }
  }
  run_copy(scene, attacker, *own, kPeek, kVa);
  std::uint32_t seen = 0;
  PANTRY_CHECK(own->read(0, &seen, sizeof seen));
  if (side == Side::kControl) unmap();
  for (const std::uint32_t handle : victims)
    PANTRY_CHECK(close_buffer(scene.victim(), handle) == 0);
  // The attacker's buffer is its own to write; the fingerprint has it empty.
  const std::vector<std::byte> zero(kBytes);
  PANTRY_CHECK(own->write(0, zero.data(), zero.size()));
  return found(seen == kSecret);
}

// Of an address that only the victim's VM maps, at the same place.
int read_the_address_of_another(Scene& scene, Side side) {
  constexpr std::uint64_t kPeek = 8 * kVa;
  PANTRY_CHECK(bind(scene.victim(), 1, map_op(3, 0, kPeek, kPageSize)) == 0);
  uapi::LocalClient& reader = scene.who(side);
  const Ref<driver::Buffer> own = reader.session().file().buffer(1);
  std::vector<std::byte> content(kBytes);
  PANTRY_CHECK(own->read(0, content.data(), content.size()));
  const std::uint32_t nothing = 0;
  PANTRY_CHECK(own->write(0, &nothing, sizeof nothing));
  run_copy(scene, reader, *own, kPeek, kVa);
  std::uint32_t seen = 0;
  PANTRY_CHECK(own->read(0, &seen, sizeof seen));
  PANTRY_CHECK(own->write(0, content.data(), content.size()));
  drm_panthor_vm_bind_op op{};
  op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
  op.va = kPeek;
  op.size = kPageSize;
  PANTRY_CHECK(bind(scene.victim(), 1, op) == 0);
  return found(seen == kSecret);
}

int bind_range(Scene& scene, Side side, std::uint64_t offset, std::uint64_t va,
               std::uint64_t size) {
  return bind(
      scene.attacker(), 1,
      side == Side::kAttack ? map_op(1, offset, va, size) : map_op(1, 0, 2 * kVa, kPageSize));
}

// A buffer that is private to VM 1 of the attacker.
std::uint32_t private_buffer(Scene& scene, std::uint32_t vm) {
  std::uint32_t handle = 0;
  PANTRY_CHECK(create_buffer(scene.attacker(), kPageSize, 0, vm, handle) == 0);
  return handle;
}

constexpr Attempt kAttempts[] = {
    {"mmap at the offset of a foreign buffer", EACCES, Effect::kReads,
     [](Scene& s, Side side) {
       return mmap(s.who(side), mmap_offset(s.victim(), 3), kBytes, PROT_READ);
     }},
    {"mmap inside a buffer's offsets, at one of no buffer", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       const std::uint64_t offset = mmap_offset(s.attacker(), 1);
       return on_own_side(s, offset + (side == Side::kAttack ? kPageSize : 0), kPageSize,
                          PROT_READ);
     }},
    {"mmap past the end of a buffer", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       return on_own_side(s, mmap_offset(s.attacker(), 1),
                          side == Side::kAttack ? kBytes + 1 : kBytes, PROT_READ);
     }},
    {"mmap with a length that wraps around when rounded up", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       return on_own_side(s, mmap_offset(s.attacker(), 1),
                          side == Side::kAttack ? UINT64_MAX - kPageSize : kBytes, PROT_READ);
     }},
    {"mmap the flush id page for writing", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       return on_own_side(s, kMmio, kPageSize,
                          side == Side::kAttack ? PROT_READ | PROT_WRITE : PROT_READ);
     }},
    {"mmap the registers behind the flush id page", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       return on_own_side(s, kMmio + (side == Side::kAttack ? kPageSize : 0), kPageSize, PROT_READ);
     }},
    {"mmap a buffer that was created NO_MMAP", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       std::uint32_t handle = 0;
       const std::uint32_t flags = side == Side::kAttack ? DRM_PANTHOR_BO_NO_MMAP : 0;
       PANTRY_CHECK(create_buffer(s.attacker(), kPageSize, flags, 0, handle) == 0);
       const std::uint64_t offset = s.attacker().session().file().buffer(handle)->mmap_offset();
       const int result = on_own_side(s, offset, kPageSize, PROT_READ);
       PANTRY_CHECK(close_buffer(s.attacker(), handle) == 0);
       return result;
     }},
    {"mmap at the offset of a buffer that is closed", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       std::uint32_t handle = 0;
       PANTRY_CHECK(create_buffer(s.attacker(), kPageSize, 0, 0, handle) == 0);
       const std::uint64_t offset = mmap_offset(s.attacker(), handle);
       if (side == Side::kAttack) PANTRY_CHECK(close_buffer(s.attacker(), handle) == 0);
       return on_own_side(s, offset, kPageSize, PROT_READ);
     }},
    {"bind past the end of a buffer", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return bind_range(s, side, kBytes - kPageSize, kVa, 2 * kPageSize);
     }},
    {"bind with an offset that wraps around", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return bind_range(s, side, -kPageSize, 2 * kVa, 2 * kPageSize); }},
    {"bind a size that wraps around", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return bind_range(s, side, kPageSize, 2 * kVa, -kPageSize); }},
    {"bind at addresses that wrap around", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return bind_range(s, side, 0, -kPageSize, 2 * kPageSize); }},
    {"bind where the driver has its own mappings", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return bind_range(s, side, 0, (std::uint64_t{1} << 48) - kMiB, kPageSize);
     }},
    {"map a private buffer into another VM", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       PANTRY_CHECK(create_vm(s.attacker()) == 0);
       const int result = bind(s.attacker(), side == Side::kAttack ? 2 : 1,
                               map_op(private_buffer(s, 1), 0, 2 * kVa, kPageSize));
       if (side == Side::kAttack) {
         drm_panthor_vm_destroy gone{2, 0};
         PANTRY_CHECK(s.attacker().call(DRM_IOCTL_PANTHOR_VM_DESTROY, gone) == 0 &&
                      close_buffer(s.attacker(), 2) == 0);
       }
       return result;
     }},
    {"export a private buffer", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       const std::uint32_t handle = private_buffer(s, side == Side::kAttack ? 1 : 0);
       drm_prime_handle args{handle, 0, -1};
       const int result = s.attacker().call(DRM_IOCTL_PRIME_HANDLE_TO_FD, args);
       PANTRY_CHECK(close_buffer(s.attacker(), handle) == 0);
       return result;
     }},
    {"find what another has left in freed memory", Attempt::kNothing, Effect::kReads,
     read_freed_memory},
    {"read another's memory through a stale translation", Attempt::kNothing, Effect::kReads,
     read_through_a_stale_translation},
    {"read another's memory at its address", Attempt::kNothing, Effect::kReads,
     read_the_address_of_another},
};

}  // namespace

std::span<const Attempt> memory_attempts() { return kAttempts; }

}  // namespace pantry::redteam
