// SPDX-License-Identifier: MIT
//
// Steps that make and end what other steps need: spaces, buffers, groups.
#include "campaigns/clients/history.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <vector>

#include "campaigns/clients/history_layout.h"
#include "igt_tests/lib/bo.h"

using namespace gpu;
using namespace history;

void History::space_step(Dice& dice, uint32_t number) {
  Space& space = number < 4 ? spaces_[0] : spaces_[dice.roll(spaces_.size())];
  if (space.id == 0) return create_space(dice, space);
  drm_panthor_vm_destroy request{};
  request.id = dice.one_in(8) ? static_cast<uint32_t>(dice.roll(5)) : space.id;
  request.pad = dice.one_in(12) ? 1 : 0;
  tell("id=%u pad=%u", request.id, request.pad);
  if (call("VM_DESTROY", DRM_IOCTL_PANTHOR_VM_DESTROY, &request) != 0) return;
  for (Space& other : spaces_)
    if (other.id == request.id) {
      if (other.code != nullptr) munmap(other.code, kCodeBytes);
      other = {};
    }
}

void History::create_space(Dice& dice, Space& space) {
  const uint64_t full = device_.full_va_range();
  const uint64_t ranges[] = {
      0, 0, 0, 0, full / 2, full / 2, kGigabyte * 8, full, full + 1, full - kPage, 12345, kPage};
  drm_panthor_vm_create request{};
  request.user_va_range = dice.pick(ranges);
  request.flags = dice.one_in(12) ? 1 : 0;
  tell("range=%#llx flags=%u", static_cast<unsigned long long>(request.user_va_range),
       request.flags);
  if (call("VM_CREATE", DRM_IOCTL_PANTHOR_VM_CREATE, &request) != 0) return;
  tell("id=%u range=%#llx", request.id, static_cast<unsigned long long>(request.user_va_range));
  space.id = request.id;

  drm_panthor_bo_create code{};
  code.size = kCodeBytes;
  code.exclusive_vm_id = space.id;
  if (call("BO_CREATE", DRM_IOCTL_PANTHOR_BO_CREATE, &code) != 0) return;
  space.code = map(code.handle, kCodeBytes);
  const std::vector<drm_panthor_vm_bind_op> ops{{kMap, code.handle, 0, kCodeVa, kCodeBytes, {}}};
  drm_panthor_vm_bind bind{space.id, 0, array_of(ops)};
  call("VM_BIND", DRM_IOCTL_PANTHOR_VM_BIND, &bind);
  drm_gem_close close{code.handle, 0};
  call("GEM_CLOSE", DRM_IOCTL_GEM_CLOSE, &close);
}

void History::buffer_step(Dice& dice, uint32_t number) {
  Buffer& buffer = number < 4 ? buffers_[0] : buffers_[dice.roll(buffers_.size())];
  if (buffer.handle == 0) return create_buffer(dice, buffer);
  if (!dice.one_in(3)) return;  // buffers live longer than most
  drm_gem_close request{dice.one_in(6) ? static_cast<uint32_t>(dice.roll(9)) : buffer.handle, 0};
  tell("handle=%u", request.handle);
  if (call("GEM_CLOSE", DRM_IOCTL_GEM_CLOSE, &request) != 0) return;
  for (Buffer& other : buffers_)
    if (other.handle == request.handle) {
      if (other.memory != nullptr) munmap(other.memory, other.size);
      other = {};
    }
}

void History::create_buffer(Dice& dice, Buffer& buffer) {
  const uint64_t sizes[] = {kPage, kPage, 4 * kPage, 17 * kPage, kBlock, kBlock + 3 * kPage,
                            0,     1,     kPage + 1};
  drm_panthor_bo_create request{};
  request.size = dice.pick(sizes);
  request.flags = dice.one_in(10) ? 2 : dice.one_in(6) ? DRM_PANTHOR_BO_NO_MMAP : 0;
  request.exclusive_vm_id = dice.one_in(3) ? space_id(dice) : 0;
  request.pad = dice.one_in(20) ? 1 : 0;
  tell("size=%#llx flags=%u exclusive=%u pad=%u", static_cast<unsigned long long>(request.size),
       request.flags, request.exclusive_vm_id, request.pad);
  if (call("BO_CREATE", DRM_IOCTL_PANTHOR_BO_CREATE, &request) != 0) return;
  tell("handle=%u size=%#llx", request.handle, static_cast<unsigned long long>(request.size));
  buffer = {request.handle, request.size, map(request.handle, request.size)};
}

uint8_t* History::map(uint32_t handle, uint64_t size) {
  drm_panthor_bo_mmap_offset request{};
  request.handle = handle;
  if (call("BO_MMAP_OFFSET", DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &request) != 0) return nullptr;
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, device_.fd(),
                            static_cast<off_t>(request.offset));
  if (memory == MAP_FAILED) {
    tell("mmap=%d", errno);
    return nullptr;
  }
  return static_cast<uint8_t*>(memory);
}

void History::fill_step(Dice& dice, uint32_t number) {
  const Buffer& buffer = buffers_[dice.roll(buffers_.size())];
  if (buffer.memory == nullptr) return;
  tell("fill handle=%u", buffer.handle);
  for (uint64_t page = 0; page < buffer.size; page += kPage) {
    const uint64_t word = number * 0x10000 + page / kPage;
    memcpy(buffer.memory + page, &word, sizeof(word));
  }
}

void History::group_step(Dice& dice, uint32_t number) {
  Group& group = number < 4 ? groups_[0] : groups_[dice.roll(groups_.size())];
  if (group.handle == 0) return create_group(dice, group);
  drm_panthor_group_destroy request{};
  request.group_handle = dice.one_in(6) ? static_cast<uint32_t>(dice.roll(6)) : group.handle;
  request.pad = dice.one_in(12) ? 1 : 0;
  tell("group=%u pad=%u", request.group_handle, request.pad);
  if (call("GROUP_DESTROY", DRM_IOCTL_PANTHOR_GROUP_DESTROY, &request) != 0) return;
  for (Group& other : groups_)
    if (other.handle == request.group_handle) other = {};
}

void History::create_group(Dice& dice, Group& group) {
  const uint32_t rings[] = {4096, 4096, 4096, 65536, 8192};
  const uint32_t odd_rings[] = {0, 2048, 4097, 131072};
  std::vector<drm_panthor_queue_create> queues(1 + dice.roll(3));
  if (dice.one_in(20)) queues.resize(dice.one_in(2) ? 0 : 33);
  for (auto& queue : queues) {
    queue.priority = static_cast<uint8_t>(dice.one_in(30) ? 16 : dice.roll(16));
    queue.ringbuf_size = dice.one_in(20) ? dice.pick(odd_rings) : dice.pick(rings);
    if (dice.one_in(60)) queue.pad[dice.roll(3)] = 1;
  }
  drm_panthor_group_create request{};
  request.queues = array_of(queues);
  request.compute_core_mask = request.fragment_core_mask = device_.info().shader_present;
  request.tiler_core_mask = 1;
  request.max_compute_cores = request.max_fragment_cores =
      static_cast<uint8_t>(std::popcount(device_.info().shader_present));
  request.max_tiler_cores = 1;
  request.priority = static_cast<uint8_t>(dice.one_in(15) ? 4 : dice.roll(3));
  request.vm_id = space_id(dice);
  if (dice.one_in(20))
    request.compute_core_mask = dice.pick({uint64_t{0}, uint64_t{1}, ~uint64_t{0}});
  if (dice.one_in(20)) request.max_compute_cores = static_cast<uint8_t>(dice.roll(6));
  if (dice.one_in(20)) request.tiler_core_mask = dice.roll(4);
  if (dice.one_in(30)) request.pad = 1;
  tell("queues=%zu first=%u:%#x priority=%u vm=%u cores=%u:%#llx tiler=%#llx pad=%u", queues.size(),
       queues.empty() ? 0u : queues[0].priority, queues.empty() ? 0u : queues[0].ringbuf_size,
       request.priority, request.vm_id, request.max_compute_cores,
       static_cast<unsigned long long>(request.compute_core_mask),
       static_cast<unsigned long long>(request.tiler_core_mask), request.pad);
  if (call("GROUP_CREATE", DRM_IOCTL_PANTHOR_GROUP_CREATE, &request) != 0) return;
  tell("group=%u", request.group_handle);
  group = {request.group_handle, request.vm_id};
}

// Out and in again: the handle stays the same.
void History::prime_step(Dice& dice, uint32_t) {
  drm_prime_handle request{};
  request.handle = buffer_handle(dice);
  request.flags = DRM_CLOEXEC | DRM_RDWR;
  tell("handle=%u", request.handle);
  if (call("PRIME_HANDLE_TO_FD", DRM_IOCTL_PRIME_HANDLE_TO_FD, &request) != 0) return;
  const UniqueFd dma_buf(request.fd);
  request.handle = 0;
  if (call("PRIME_FD_TO_HANDLE", DRM_IOCTL_PRIME_FD_TO_HANDLE, &request) == 0)
    tell("handle=%u", request.handle);
}
