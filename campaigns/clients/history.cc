// SPDX-License-Identifier: MIT
#include "campaigns/clients/history.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include "igt_tests/lib/bo.h"
#include "igt_tests/lib/clock.h"
#include "igt_tests/lib/syncobj.h"
#include "igt_tests/lib/vm.h"

using namespace gpu;

namespace {

constexpr uint64_t kCodeVa = 0x0100'0000;
constexpr uint64_t kCodeBytes = 64 * 1024;
constexpr uint64_t kStreamBytes = 4096;  // room for one step's stream
constexpr uint64_t kWindowVa = 4 * kGigabyte;
constexpr uint64_t kWindowBytes = 4 * kBlock;
// Beyond the limit that the driver gives a job, so that what hangs is told by the driver.
constexpr int64_t kLimit = 30 * kSecond;
// What a stream stores lies in the first bytes of a page.
constexpr uint64_t kTouchedBytes = 64;

template <class Item>
drm_panthor_obj_array array_of(const std::vector<Item>& items) {
  return {sizeof(Item), static_cast<uint32_t>(items.size()),
          reinterpret_cast<uint64_t>(items.data())};
}

// FNV-1a over the part of each page that streams can reach.
uint64_t hash_of(const uint8_t* memory, uint64_t size) {
  uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (uint64_t page = 0; page < size; page += kPage)
    for (uint64_t at = page; at < page + kTouchedBytes; at += sizeof(uint64_t)) {
      uint64_t word;
      memcpy(&word, memory + at, sizeof(word));
      hash = (hash ^ word) * 0x100'0000'01b3;
    }
  return hash;
}

}  // namespace

const History::Kind History::kKinds[] = {
    {6, &History::space_step},      {12, &History::buffer_step},     {4, &History::fill_step},
    {20, &History::bind_sync_step}, {16, &History::bind_async_step}, {10, &History::group_step},
    {30, &History::submit_step},    {8, &History::syncobj_step},     {5, &History::timeline_step},
    {3, &History::prime_step},
};

History::History(uint64_t seed) : seed_(seed), device_(Device::open_render()) {}

// The descriptor goes last: what is left of groups, spaces and buffers goes with it.
History::~History() {
  for (const Space& space : spaces_)
    if (space.code != nullptr) munmap(space.code, kCodeBytes);
  for (const Buffer& buffer : buffers_)
    if (buffer.memory != nullptr) munmap(buffer.memory, buffer.size);
}

std::string History::step(uint32_t number) {
  Dice dice((seed_ << 16) + number * 2654435761u);
  line_.clear();
  // The first steps make what the others need.
  if (number < 4) {
    const Step first[] = {&History::space_step, &History::buffer_step, &History::group_step,
                          &History::syncobj_step};
    (this->*first[number])(dice, number);
  } else {
    unsigned total = 0;
    for (const Kind& kind : kKinds) total += kind.weight;
    auto left = dice.roll(total);
    const Kind* kind = kKinds;
    for (; left >= kind->weight; ++kind) left -= kind->weight;
    (this->*kind->step)(dice, number);
  }
  tell_state();
  return line_;
}

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

drm_panthor_vm_bind_op History::random_op(Dice& dice) {
  drm_panthor_vm_bind_op op{};
  const auto kind = dice.roll(20);
  op.flags = kind < 12 ? kMap : kind < 18 ? kUnmap : kind < 19 ? kSyncOnly : 3u << 28;
  const uint64_t unit = dice.one_in(4) ? kBlock : kPage;
  const uint64_t slots = kWindowBytes / unit;
  const uint64_t first = dice.roll(slots);
  op.va = kWindowVa + first * unit;
  op.size = (1 + dice.roll(std::min<uint64_t>(slots - first, dice.one_in(3) ? 700 : 5))) * unit;
  if (op.flags == kMap) {
    const Buffer& buffer = buffers_[dice.roll(buffers_.size())];
    op.bo_handle = dice.one_in(15) ? static_cast<uint32_t>(dice.roll(9)) : buffer.handle;
    if (buffer.size != 0 && !dice.one_in(12)) {
      op.size = std::min<uint64_t>(op.size, buffer.size);
      op.bo_offset = dice.roll((buffer.size - op.size) / kPage + 1) * kPage;
    } else {
      op.bo_offset = dice.roll(600) * kPage;
    }
    if (dice.one_in(5)) op.flags |= kReadOnly;
    if (dice.one_in(5)) op.flags |= kNoExec;
    if (dice.one_in(8)) op.flags |= kUncached;
  } else if (dice.one_in(12)) {
    op.bo_handle = 1;
    op.bo_offset = kPage;
  }
  if (dice.one_in(40)) op.flags |= 1u << dice.roll(28);
  if (dice.one_in(40))
    op.va += dice.pick({uint64_t{1}, kPage / 2, uint64_t{1} << 47, ~uint64_t{0} - kPage});
  if (dice.one_in(40))
    op.size = dice.pick(
        {uint64_t{0}, uint64_t{1}, kPage / 2, uint64_t{1} << 48, ~uint64_t{0} & ~(kPage - 1)});
  if (dice.one_in(40))
    op.bo_offset += dice.pick({uint64_t{1}, ~uint64_t{0} - kPage + 1, uint64_t{1} << 40});
  return op;
}

std::vector<drm_panthor_vm_bind_op> History::random_ops(Dice& dice) {
  std::vector<drm_panthor_vm_bind_op> ops;
  for (auto more = 1 + dice.roll(3); more != 0; --more) ops.push_back(random_op(dice));
  return ops;
}

// Waits for what may be there or not, and signals.
drm_panthor_sync_op History::random_sync(Dice& dice, uint32_t number) {
  drm_panthor_sync_op sync{};
  const bool is_timeline = dice.one_in(2);
  if (is_timeline) sync.flags |= DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;
  if (dice.one_in(2)) sync.flags |= static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
  sync.handle = syncobj_handle(dice);
  if (is_timeline) sync.timeline_value = (sync.flags >> 31) != 0 ? number : dice.roll(number + 1);
  if (dice.one_in(40)) sync.timeline_value ^= 1;
  if (dice.one_in(60)) sync.flags |= 1u << dice.roll(31);
  // The real driver follows a null pointer when a signal names no syncobj.
  const bool is_signal = (sync.flags >> 31) != 0;
  if (is_signal)
    for (const uint32_t known : syncobjs_)
      if (sync.handle == known && known != 0) return sync;
  sync.flags &= ~static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
  return sync;
}

// A syncobj that the step waits for and destroys.
drm_panthor_sync_op History::signal_of_its_own() {
  drm_syncobj_create create{};
  drmIoctl(device_.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &create);
  return {static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), create.handle, 0};
}

void History::bind_sync_step(Dice& dice, uint32_t number) {
  std::vector<drm_panthor_vm_bind_op> ops = random_ops(dice);
  std::vector<drm_panthor_sync_op> syncs;
  if (dice.one_in(20)) {
    syncs.push_back(random_sync(dice, number));
    ops[0].syncs = array_of(syncs);
  }
  drm_panthor_vm_bind request{space_id(dice), dice.one_in(40) ? 2u : 0u, array_of(ops)};
  tell_ops(ops);
  tell("vm=%u flags=%u", request.vm_id, request.flags);
  call("VM_BIND", DRM_IOCTL_PANTHOR_VM_BIND, &request);
  tell("count=%u", request.ops.count);
}

void History::bind_async_step(Dice& dice, uint32_t number) {
  std::vector<drm_panthor_vm_bind_op> ops = random_ops(dice);
  const drm_panthor_sync_op done = signal_of_its_own();
  std::vector<drm_panthor_sync_op> last{done};
  if (dice.one_in(3)) last.push_back(random_sync(dice, number));
  ops.back().syncs = array_of(last);
  std::vector<drm_panthor_sync_op> first;
  if (ops.size() > 1 && dice.one_in(3)) {
    first.push_back(random_sync(dice, number));
    ops.front().syncs = array_of(first);
  }
  drm_panthor_vm_bind request{space_id(dice), DRM_PANTHOR_VM_BIND_ASYNC, array_of(ops)};
  tell_ops(ops);
  tell_syncs(first);
  tell_syncs(last);
  tell("vm=%u", request.vm_id);
  if (call("VM_BIND async", DRM_IOCTL_PANTHOR_VM_BIND, &request) == 0)
    tell("fence=%d", finish(done.handle));
  tell("count=%u", request.ops.count);
  drmSyncobjDestroy(device_.fd(), done.handle);
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

Assembler History::random_stream(Dice& dice) {
  const auto place = [&] {
    return kWindowVa + dice.roll(kWindowBytes / kPage) * kPage + 8 * dice.roll(kTouchedBytes / 8);
  };
  const auto value = static_cast<uint32_t>(dice.roll(1u << 30));
  Assembler stream;
  switch (dice.roll(7)) {
    case 0:
    case 1:
      for (auto more = 1 + dice.roll(3); more != 0; --more) stream.store_value(place(), value);
      break;
    case 2:
      stream.copy_word(place(), place());
      break;
    case 3:
      stream.move48(2, place()).move64(4, value).sync_add64(2, 4, SyncScope::kSystem);
      break;
    case 4: {  // counts down, storing
      stream.move32(2, 5);
      const auto again = stream.here();
      stream.store_register(kWindowVa + dice.roll(8) * kPage, 2)
          .add32(2, 2, -1)
          .branch_back(Condition::kGreater, 2, again);
      break;
    }
    case 5:
      stream.move48(2, place()).move48(4, 16).call(2, 4);
      break;
    default:
      stream.nop();
      if (dice.one_in(2)) stream.word(uint64_t{0xc3} << 56);  // no instruction
  }
  return stream.publish();
}

void History::submit_step(Dice& dice, uint32_t number) {
  std::vector<drm_panthor_queue_submit> jobs;
  std::vector<std::vector<drm_panthor_sync_op>> syncs(1 + dice.roll(2));
  std::vector<uint32_t> done;
  const uint32_t group = group_handle(dice);
  for (std::size_t i = 0; i < syncs.size(); ++i) {
    const Assembler stream = random_stream(dice);
    drm_panthor_queue_submit job{};
    job.queue_index = static_cast<uint32_t>(dice.one_in(15) ? dice.roll(33) : 0);
    job.stream_size = stream.size_bytes();
    job.stream_addr = kCodeVa + (number * 2 + i) * kStreamBytes % kCodeBytes;
    for (const Space& space : spaces_)
      if (space.code != nullptr)
        memcpy(space.code + (job.stream_addr - kCodeVa), stream.words().data(), job.stream_size);
    if (dice.one_in(15))
      job.stream_size = job.stream_size == 0 ? 4 : dice.pick({0u, 4u, job.stream_size + 8});
    if (dice.one_in(25))
      job.stream_addr = dice.pick({uint64_t{0}, kCodeVa + 4, kWindowVa, uint64_t{1} << 48});
    if (dice.one_in(40)) job.pad = 1;
    syncs[i].push_back(signal_of_its_own());
    done.push_back(syncs[i].back().handle);
    // Two queues at once would write as they please.
    if (i != 0 && (job.queue_index != jobs[i - 1].queue_index || dice.one_in(2)))
      syncs[i].push_back({0, done[i - 1], 0});
    if (dice.one_in(3)) syncs[i].push_back(random_sync(dice, number));
    job.syncs = array_of(syncs[i]);
    jobs.push_back(job);
    tell("{queue=%u stream=%#llx+%u pad=%u", job.queue_index,
         static_cast<unsigned long long>(job.stream_addr), job.stream_size, job.pad);
    tell_syncs(syncs[i]);
    for (const uint64_t word : stream.words())
      tell("%016llx", static_cast<unsigned long long>(word));
    tell("}");
  }
  drm_panthor_group_submit request{group, dice.one_in(40) ? 1u : 0u, array_of(jobs)};
  tell("group=%u pad=%u", request.group_handle, request.pad);
  const bool is_in = call("GROUP_SUBMIT", DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &request) == 0;
  bool has_failed = false;
  for (const uint32_t syncobj : done) {
    if (is_in) {
      const int status = finish(syncobj);
      // A job behind one that failed was in the ring by then, and shares its error, or was not, and
      // is cancelled.
      if (has_failed && status < 0)
        tell("fence=failed");
      else
        tell("fence=%d", status);
      has_failed |= status < 0;
    }
    drmSyncobjDestroy(device_.fd(), syncobj);
  }
  if (has_failed) destroy_neighbours(group);
}

int History::finish(uint32_t syncobj) {
  uint32_t handle = syncobj;
  int fd = -1;
  if (drmSyncobjWait(device_.fd(), &handle, 1, now_ns() + kLimit, 0, nullptr) != 0) {
    tell("wait=%d", errno);
  } else if (drmSyncobjExportSyncFile(device_.fd(), syncobj, &fd) != 0) {
    tell("export=%d", errno);
  } else {
    const int status = sync_file_status(fd);
    close(fd);
    return status;
  }
  return 0;
}

// A fault of a space is also that of the groups which sit on a slot just then, busy or not.
void History::destroy_neighbours(uint32_t faulty) {
  const auto one = std::find_if(groups_.begin(), groups_.end(),
                                [&](const Group& group) { return group.handle == faulty; });
  if (one == groups_.end()) return;
  for (Group& other : groups_) {
    if (other.handle == 0 || other.handle == faulty || other.space != one->space) continue;
    drm_panthor_group_destroy request{other.handle, 0};
    call("GROUP_DESTROY", DRM_IOCTL_PANTHOR_GROUP_DESTROY, &request);
    other = {};
  }
}

void History::syncobj_step(Dice& dice, uint32_t number) {
  uint32_t& syncobj = number < 4 ? syncobjs_[0] : syncobjs_[dice.roll(syncobjs_.size())];
  if (syncobj == 0) {
    drm_syncobj_create request{};
    request.flags = dice.one_in(12) ? 2 : static_cast<uint32_t>(dice.roll(2));
    tell("flags=%u", request.flags);
    if (call("SYNCOBJ_CREATE", DRM_IOCTL_SYNCOBJ_CREATE, &request) != 0) return;
    tell("handle=%u", request.handle);
    syncobj = request.handle;
    return;
  }
  switch (dice.roll(4)) {
    case 0: {
      drm_syncobj_destroy request{dice.one_in(6) ? static_cast<uint32_t>(dice.roll(9)) : syncobj,
                                  0};
      tell("handle=%u", request.handle);
      if (call("SYNCOBJ_DESTROY", DRM_IOCTL_SYNCOBJ_DESTROY, &request) != 0) return;
      for (uint32_t& other : syncobjs_)
        if (other == request.handle) other = 0;
      return;
    }
    case 1:
    case 2: {
      drm_syncobj_array request{reinterpret_cast<uint64_t>(&syncobj), 1, 0};
      tell("handle=%u", syncobj);
      if (dice.one_in(2)) {
        call("SYNCOBJ_RESET", DRM_IOCTL_SYNCOBJ_RESET, &request);
      } else {
        call("SYNCOBJ_SIGNAL", DRM_IOCTL_SYNCOBJ_SIGNAL, &request);
      }
      return;
    }
    default: {
      drm_syncobj_wait request{};
      const uint32_t flags[] = {0, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
                                DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL, 1u << 4};
      request.handles = reinterpret_cast<uint64_t>(&syncobj);
      request.count_handles = 1;
      request.flags = dice.pick(flags);
      tell("handle=%u flags=%u", syncobj, request.flags);
      call("SYNCOBJ_WAIT", DRM_IOCTL_SYNCOBJ_WAIT, &request);
    }
  }
}

void History::timeline_step(Dice& dice, uint32_t number) {
  uint32_t handle = syncobj_handle(dice);
  uint64_t point = dice.one_in(3) ? dice.roll(number + 1) : number;
  tell("handle=%u point=%llu", handle, static_cast<unsigned long long>(point));
  switch (dice.roll(4)) {
    case 0: {
      drm_syncobj_timeline_array request{reinterpret_cast<uint64_t>(&handle),
                                         reinterpret_cast<uint64_t>(&point), 1, 0};
      call("SYNCOBJ_TIMELINE_SIGNAL", DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &request);
      return;
    }
    case 1: {
      const uint32_t flags[] = {0, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED, 2};
      drm_syncobj_timeline_array request{reinterpret_cast<uint64_t>(&handle),
                                         reinterpret_cast<uint64_t>(&point), 1, dice.pick(flags)};
      tell("flags=%u", request.flags);
      call("SYNCOBJ_QUERY", DRM_IOCTL_SYNCOBJ_QUERY, &request);
      tell("point=%llu", static_cast<unsigned long long>(point));
      return;
    }
    case 2: {
      drm_syncobj_transfer request{};
      request.src_handle = handle;
      request.src_point = dice.one_in(2) ? 0 : point;
      request.dst_handle = syncobj_handle(dice);
      request.dst_point = dice.one_in(2) ? 0 : number;
      tell("%u:%llu -> %u:%llu", request.src_handle,
           static_cast<unsigned long long>(request.src_point), request.dst_handle,
           static_cast<unsigned long long>(request.dst_point));
      call("SYNCOBJ_TRANSFER", DRM_IOCTL_SYNCOBJ_TRANSFER, &request);
      return;
    }
    default: {
      drm_syncobj_timeline_wait request{};
      request.handles = reinterpret_cast<uint64_t>(&handle);
      request.points = reinterpret_cast<uint64_t>(&point);
      request.count_handles = 1;
      request.flags = dice.one_in(2) ? DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE : 0;
      tell("flags=%u", request.flags);
      call("SYNCOBJ_TIMELINE_WAIT", DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &request);
    }
  }
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

void History::tell_ops(const std::vector<drm_panthor_vm_bind_op>& ops) {
  for (const auto& op : ops)
    tell("[%#x bo=%u+%#llx va=%#llx size=%#llx]", op.flags, op.bo_handle,
         static_cast<unsigned long long>(op.bo_offset), static_cast<unsigned long long>(op.va),
         static_cast<unsigned long long>(op.size));
}

void History::tell_syncs(const std::vector<drm_panthor_sync_op>& syncs) {
  for (const auto& sync : syncs)
    tell("(%#x %u %llu)", sync.flags, sync.handle,
         static_cast<unsigned long long>(sync.timeline_value));
}

void History::tell_state() {
  tell("|");
  for (const Buffer& buffer : buffers_)
    if (buffer.memory != nullptr)
      tell("bo%u=%016llx", buffer.handle,
           static_cast<unsigned long long>(hash_of(buffer.memory, buffer.size)));
  for (const Group& group : groups_) {
    if (group.handle == 0) continue;
    drm_panthor_group_get_state request{};
    request.group_handle = group.handle;
    const int error =
        drmIoctl(device_.fd(), DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &request) == 0 ? 0 : errno;
    tell("group%u=%d:%#x:%#x", group.handle, error, request.state, request.fatal_queues);
  }
  for (const Space& space : spaces_) {
    if (space.id == 0) continue;
    drm_panthor_vm_get_state request{};
    request.vm_id = space.id;
    const int error =
        drmIoctl(device_.fd(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &request) == 0 ? 0 : errno;
    tell("vm%u=%d:%u", space.id, error, request.state);
  }
}

uint32_t History::space_id(Dice& dice) {
  if (dice.one_in(15)) return static_cast<uint32_t>(dice.roll(5));
  const Space& picked = spaces_[dice.roll(spaces_.size())];
  return picked.id != 0 ? picked.id : spaces_[0].id;
}

uint32_t History::buffer_handle(Dice& dice) {
  if (dice.one_in(15)) return static_cast<uint32_t>(dice.roll(9));
  return buffers_[dice.roll(buffers_.size())].handle;
}

uint32_t History::group_handle(Dice& dice) {
  if (dice.one_in(15)) return static_cast<uint32_t>(dice.roll(6));
  const Group& picked = groups_[dice.roll(groups_.size())];
  return picked.handle != 0 ? picked.handle : groups_[0].handle;
}

uint32_t History::syncobj_handle(Dice& dice) {
  if (dice.one_in(15)) return static_cast<uint32_t>(dice.roll(6));
  const uint32_t picked = syncobjs_[dice.roll(syncobjs_.size())];
  return picked != 0 ? picked : syncobjs_[0];
}

int History::call(const char* name, unsigned long request, void* argument) {
  const int error = drmIoctl(device_.fd(), request, argument) == 0 ? 0 : errno;
  tell("%s=%d", name, error);
  return error;
}

void History::tell(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  if (!line_.empty()) line_ += ' ';
  line_ += text;
}
