// SPDX-License-Identifier: MIT
#include "campaigns/hosts/load_client.h"

#include <drm.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "gpu_emu/datasheet/builder.h"

namespace pantry::campaigns {
namespace {

// A job that hangs lives 5 s, a reset takes less than one. Beyond this a fence is lost.
constexpr Duration kPatience = seconds(60);
constexpr std::uint64_t kSizes[] = {4 * kPageSize, 64 * kKiB, 2 * kMiB};
constexpr auto kSignal = static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);

}  // namespace

LoadClient::LoadClient(uapi::Machine& machine, std::uint32_t number, std::uint64_t seed)
    : machine_(machine),
      client_(machine, driver::NodeType::kRender, {.pid = 1}),
      number_(number),
      random_(seed) {
  begin();
}

void LoadClient::begin() {
  drm_panthor_vm_create vm{};
  must(DRM_IOCTL_PANTHOR_VM_CREATE, &vm);
  vm_ = vm.id;
  code_ = create_buffer(kCodeBytes);
  drm_panthor_vm_bind_op op{};
  op.bo_handle = code_;
  op.va = kCodeVa;
  op.size = kCodeBytes;
  if (bind(op, 0) != 0) std::abort();
}

void LoadClient::start_over() {
  ++tally_.spaces;
  drm_panthor_group_destroy group{group_, 0};
  must(DRM_IOCTL_PANTHOR_GROUP_DESTROY, &group);
  group_ = 0;
  drm_panthor_vm_destroy vm{vm_, 0};
  must(DRM_IOCTL_PANTHOR_VM_DESTROY, &vm);
  const auto close = [this](std::uint32_t buffer) {
    drm_gem_close args{buffer, 0};
    must(DRM_IOCTL_GEM_CLOSE, &args);
  };
  close(code_);
  for (Place& place : places_) {
    if (place.buffer != 0) close(place.buffer);
    place = {};
  }
  begin();
}

void LoadClient::must(std::uint32_t command, void* argument) {
  if (const int result = client_.ioctl(command, argument); result != 0) {
    fmt::print(stderr, "client {}: ioctl {:#x} fails: {}\n", number_, command, result);
    std::abort();
  }
}

std::uint32_t LoadClient::create_buffer(std::uint64_t size) {
  drm_panthor_bo_create args{};
  args.size = size;
  must(DRM_IOCTL_PANTHOR_BO_CREATE, &args);
  return args.handle;
}

std::uint32_t LoadClient::create_syncobj() {
  drm_syncobj_create args{};
  must(DRM_IOCTL_SYNCOBJ_CREATE, &args);
  return args.handle;
}

void LoadClient::destroy_syncobj(std::uint32_t syncobj) {
  drm_syncobj_destroy args{syncobj, 0};
  must(DRM_IOCTL_SYNCOBJ_DESTROY, &args);
}

std::uint32_t LoadClient::create_group() {
  drm_panthor_queue_create queue{0, {}, 4096};
  drm_panthor_group_create args{};
  args.queues = {sizeof queue, 1, reinterpret_cast<std::uint64_t>(&queue)};
  args.max_compute_cores = 1;
  args.max_fragment_cores = 1;
  args.max_tiler_cores = 1;
  args.priority = PANTHOR_GROUP_PRIORITY_MEDIUM;
  args.compute_core_mask = 1;
  args.fragment_core_mask = 1;
  args.tiler_core_mask = 1;
  args.vm_id = vm_;
  must(DRM_IOCTL_PANTHOR_GROUP_CREATE, &args);
  return args.group_handle;
}

std::uint32_t LoadClient::word_of(std::uint32_t buffer, std::uint64_t offset) {
  std::uint32_t value = 0;
  if (!client_.session().file().buffer(buffer)->read(offset, &value, sizeof value)) std::abort();
  return value;
}

int LoadClient::bind(drm_panthor_vm_bind_op op, std::uint32_t flags) {
  ++tally_.binds;
  drm_panthor_vm_bind args{};
  args.vm_id = vm_;
  args.flags = flags;
  args.ops = {sizeof op, 1, reinterpret_cast<std::uint64_t>(&op)};
  return client_.call(DRM_IOCTL_PANTHOR_VM_BIND, args);
}

// Another buffer, new and zero, takes the place. `bound`: the syncobj of an asynchronous bind; 0:
// a synchronous one.
std::string LoadClient::change_place(std::uint32_t index, std::uint32_t bound) {
  Place& place = places_[index];
  std::uint64_t covered = place.size;
  if (place.buffer != 0 && random_() % 2 == 0) {
    covered = 0;
    drm_panthor_vm_bind_op op{};
    op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
    op.va = va_of(index);
    op.size = place.size;
    if (const int result = bind(op, 0); result != 0) return fmt::format("unmap: {}", result);
  }
  const std::uint32_t old = place.buffer;
  place = {};
  // What stands there is mapped over whole.
  place.size = std::max(kSizes[random_() % std::size(kSizes)], covered);
  place.buffer = create_buffer(place.size);
  for (std::uint64_t at = 0; at < place.size; at += kPageSize)
    if (const std::uint32_t word = word_of(place.buffer, at); word != 0)
      return fmt::format("a new buffer holds {:#x} at {:#x}", word, at);
  drm_panthor_sync_op signal{kSignal, bound, 0};
  drm_panthor_vm_bind_op op{};
  op.bo_handle = place.buffer;
  op.va = va_of(index);
  op.size = place.size;
  if (bound != 0) op.syncs = {sizeof signal, 1, reinterpret_cast<std::uint64_t>(&signal)};
  if (const int result = bind(op, bound != 0 ? DRM_PANTHOR_VM_BIND_ASYNC : 0); result != 0)
    return fmt::format("map: {}", result);
  if (old != 0) {
    drm_gem_close close{old, 0};
    must(DRM_IOCTL_GEM_CLOSE, &close);
  }
  return {};
}

std::string LoadClient::start_job(Running& job, std::uint32_t after) {
  constexpr std::uint32_t kStores = 3;
  constexpr std::uint64_t kJobBytes = 512;
  std::array<std::uint64_t, kJobBytes / 8> words{};
  datasheet::CsBuilder stream(words);
  for (std::uint32_t n = 0; n < kStores; ++n) {
    const Store store{static_cast<std::uint32_t>(random_() % kPlaces),
                      static_cast<std::uint32_t>(random_() % kWords),
                      number_ << 24 | (++next_value_ & 0xff'ffff)};
    const Place& place = places_[store.place];
    if (place.buffer == 0) continue;
    stream.add_word(0x0144'0000'0000'0000 | (va_of(store.place) + offset_of(place, store.word)));
    stream.add_word(0x0246'0000'0000'0000 | store.value);  // MOVE32 r70, value
    stream.add_word(0x1546'4400'0001'0000);                // STORE_MULTIPLE r70 -> [r68:69]
    job.stores.push_back(store);
  }
  stream.add_word(0x0300'0000'00ff'0000);  // WAIT all
  const std::uint64_t at = next_value_ % (kCodeBytes / kJobBytes) * kJobBytes;
  if (!client_.session().file().buffer(code_)->write(at, words.data(), stream.bytes()))
    std::abort();

  if (group_ == 0) group_ = create_group();
  drm_panthor_sync_op syncs[] = {{kSignal, job.syncobj, 0}, {0, after, 0}};
  drm_panthor_queue_submit submit{};
  submit.stream_addr = kCodeVa + at;
  submit.stream_size = static_cast<std::uint32_t>(stream.bytes());
  submit.syncs = {sizeof syncs[0], after != 0 ? 2u : 1u, reinterpret_cast<std::uint64_t>(syncs)};
  drm_panthor_group_submit args{};
  args.group_handle = group_;
  args.queue_submits = {sizeof submit, 1, reinterpret_cast<std::uint64_t>(&submit)};
  int result = client_.call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
  if (result == -EINVAL) {
    // The driver has ended the group since its last job.
    drm_panthor_group_destroy gone{group_, 0};
    must(DRM_IOCTL_PANTHOR_GROUP_DESTROY, &gone);
    ++tally_.groups;
    args.group_handle = group_ = create_group();
    result = client_.call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
  }
  if (result != 0) return fmt::format("GROUP_SUBMIT: {}", result);
  job.groups_before = tally_.groups;
  ++tally_.jobs;
  return {};
}

std::string LoadClient::finish(std::uint32_t syncobj, int& status) {
  drm_syncobj_wait args{};
  args.handles = reinterpret_cast<std::uint64_t>(&syncobj);
  args.count_handles = 1;
  args.timeout_nsec = (machine_.device().executor().clock().now() + kPatience).ns;
  if (const int result = client_.call(DRM_IOCTL_SYNCOBJ_WAIT, args); result != 0)
    return fmt::format("a fence is lost: {}", result);
  status = client_.session().file().syncobj(syncobj)->fence()->status();
  return {};
}

std::string LoadClient::judge(const Running& job) {
  if (job.status == 1) return {};
  drm_panthor_group_get_state state{};
  state.group_handle = group_;
  const bool gone = job.groups_before != tally_.groups;  // its group, and its state with it
  if (!gone) must(DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &state);
  const bool fatal = gone || (state.state & DRM_PANTHOR_GROUP_STATE_FATAL_FAULT) != 0;
  const bool timed_out = gone || (state.state & DRM_PANTHOR_GROUP_STATE_TIMEDOUT) != 0;
  switch (job.status) {
    case -EINVAL:
      ++tally_.invalid;
      return fatal ? "" : "a job ended with EINVAL, and no queue of its group is fatal";
    case -ETIMEDOUT:
      ++tally_.timed_out;
      return timed_out ? "" : "a job ended with ETIMEDOUT, and its group has not timed out";
    case -ECANCELED:
      ++tally_.cancelled;
      return {};
    default:
      return fmt::format("a job ended with {}", job.status);
  }
}

std::string LoadClient::look_at_words(const std::vector<Running>& jobs) {
  for (const Running& job : jobs) {
    for (const Store& store : job.stores) {
      Place& place = places_[store.place];
      const std::uint32_t is = word_of(place.buffer, offset_of(place, store.word));
      // Of a job that failed, or where a later one has stored since, either will do.
      if (job.status == 1 || is == store.value) place.words[store.word] = store.value;
    }
  }
  for (std::uint32_t index = 0; index < kPlaces; ++index) {
    const Place& place = places_[index];
    if (place.buffer == 0) continue;
    for (std::uint32_t word = 0; word < kWords; ++word)
      if (const std::uint32_t is = word_of(place.buffer, offset_of(place, word));
          is != place.words[word])
        return fmt::format("{:#x} holds {:#x} and not {:#x}", va_of(index) + offset_of(place, word),
                           is, place.words[word]);
  }
  return {};
}

std::string LoadClient::play_round() {
  std::uint32_t bound = random_() % 2 == 0 ? create_syncobj() : 0;
  const auto changed = static_cast<std::uint32_t>(random_() % kPlaces);
  if (std::string wrong = change_place(changed, bound); !wrong.empty()) return wrong;
  std::vector<Running> jobs(kJobs);
  for (Running& job : jobs) {
    job.syncobj = create_syncobj();
    if (std::string wrong = start_job(job, bound); !wrong.empty()) return wrong;
  }
  for (Running& job : jobs) {
    if (std::string wrong = finish(job.syncobj, job.status); !wrong.empty()) return wrong;
    destroy_syncobj(job.syncobj);
  }
  if (bound != 0) {
    int status = 0;
    if (std::string wrong = finish(bound, status); !wrong.empty()) return wrong;
    if (status != 1) return fmt::format("a bind ended with {}", status);
    destroy_syncobj(bound);
  }
  for (const Running& job : jobs)
    if (std::string wrong = judge(job); !wrong.empty()) return wrong;
  if (std::string wrong = look_at_words(jobs); !wrong.empty()) return wrong;
  if (std::any_of(jobs.begin(), jobs.end(),
                  [](const Running& job) { return job.status == -EINVAL; }))
    start_over();
  return {};
}

}  // namespace pantry::campaigns
