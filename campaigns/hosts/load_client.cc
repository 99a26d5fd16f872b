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
    : machine_(machine), client_(machine), number_(number), random_(seed) {
  begin();
}

void LoadClient::begin() {
  vm_ = client_.create_vm();
  code_ = client_.create_buffer(kCodeBytes, 0);
  if (bind(DirectClient::map(code_, 0, kCodeVa, kCodeBytes), 0) != 0) std::abort();
}

void LoadClient::start_over() {
  ++tally_.spaces;
  client_.destroy_group(group_);
  group_ = 0;
  client_.destroy_vm(vm_);
  client_.close_buffer(code_);
  for (Place& place : places_) {
    if (place.buffer != 0) client_.close_buffer(place.buffer);
    place = {};
  }
  begin();
}

int LoadClient::bind(drm_panthor_vm_bind_op op, std::uint32_t flags) {
  ++tally_.binds;
  std::vector<drm_panthor_vm_bind_op> ops{op};
  return client_.bind(vm_, flags, ops);
}

// Another buffer, new and zero, takes the place. `bound`: the syncobj of an asynchronous bind; 0:
// a synchronous one.
std::string LoadClient::change_place(std::uint32_t index, std::uint32_t bound) {
  Place& place = places_[index];
  std::uint64_t covered = place.size;
  if (place.buffer != 0 && random_() % 2 == 0) {
    covered = 0;
    if (const int result = bind(DirectClient::unmap(va_of(index), place.size), 0); result != 0)
      return fmt::format("unmap: {}", result);
  }
  const std::uint32_t old = place.buffer;
  place = {};
  // What stands there is mapped over whole.
  place.size = std::max(kSizes[random_() % std::size(kSizes)], covered);
  place.buffer = client_.create_buffer(place.size, 0);
  for (std::uint64_t at = 0; at < place.size; at += kPageSize)
    if (const std::uint32_t word = client_.word(place.buffer, at); word != 0)
      return fmt::format("a new buffer holds {:#x} at {:#x}", word, at);
  drm_panthor_sync_op signal{kSignal, bound, 0};
  drm_panthor_vm_bind_op op = DirectClient::map(place.buffer, 0, va_of(index), place.size);
  if (bound != 0) op.syncs = {sizeof signal, 1, reinterpret_cast<std::uint64_t>(&signal)};
  if (const int result = bind(op, bound != 0 ? DRM_PANTHOR_VM_BIND_ASYNC : 0); result != 0)
    return fmt::format("map: {}", result);
  if (old != 0) client_.close_buffer(old);
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
  client_.write(code_, at, words.data(), stream.bytes());

  if (group_ == 0) group_ = client_.create_group(vm_);
  drm_panthor_sync_op syncs[] = {{kSignal, job.syncobj, 0}, {0, after, 0}};
  drm_panthor_queue_submit submit{};
  submit.stream_addr = kCodeVa + at;
  submit.stream_size = static_cast<std::uint32_t>(stream.bytes());
  submit.syncs = {sizeof syncs[0], after != 0 ? 2u : 1u, reinterpret_cast<std::uint64_t>(syncs)};
  drm_panthor_group_submit args{};
  args.group_handle = group_;
  args.queue_submits = {sizeof submit, 1, reinterpret_cast<std::uint64_t>(&submit)};
  int result = client_.raw().call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
  if (result == -EINVAL) {
    // The driver has ended the group since its last job.
    client_.destroy_group(group_);
    ++tally_.groups;
    args.group_handle = group_ = client_.create_group(vm_);
    result = client_.raw().call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
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
  if (const int result = client_.raw().call(DRM_IOCTL_SYNCOBJ_WAIT, args); result != 0)
    return fmt::format("a fence is lost: {}", result);
  status = client_.file().syncobj(syncobj)->fence()->status();
  return {};
}

std::string LoadClient::judge(const Running& job) {
  if (job.status == 1) return {};
  drm_panthor_group_get_state state{};
  state.group_handle = group_;
  const bool gone = job.groups_before != tally_.groups;  // its group, and its state with it
  if (!gone) client_.must(DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &state);
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
      const std::uint32_t is = client_.word(place.buffer, offset_of(place, store.word));
      // Of a job that failed, or where a later one has stored since, either will do.
      if (job.status == 1 || is == store.value) place.words[store.word] = store.value;
    }
  }
  for (std::uint32_t index = 0; index < kPlaces; ++index) {
    const Place& place = places_[index];
    if (place.buffer == 0) continue;
    for (std::uint32_t word = 0; word < kWords; ++word)
      if (const std::uint32_t is = client_.word(place.buffer, offset_of(place, word));
          is != place.words[word])
        return fmt::format("{:#x} holds {:#x} and not {:#x}", va_of(index) + offset_of(place, word),
                           is, place.words[word]);
  }
  return {};
}

std::string LoadClient::play_round() {
  std::uint32_t bound = random_() % 2 == 0 ? client_.create_syncobj() : 0;
  const auto changed = static_cast<std::uint32_t>(random_() % kPlaces);
  if (std::string wrong = change_place(changed, bound); !wrong.empty()) return wrong;
  std::vector<Running> jobs(kJobs);
  for (Running& job : jobs) {
    job.syncobj = client_.create_syncobj();
    if (std::string wrong = start_job(job, bound); !wrong.empty()) return wrong;
  }
  for (Running& job : jobs) {
    if (std::string wrong = finish(job.syncobj, job.status); !wrong.empty()) return wrong;
    client_.destroy_syncobj(job.syncobj);
  }
  if (bound != 0) {
    int status = 0;
    if (std::string wrong = finish(bound, status); !wrong.empty()) return wrong;
    if (status != 1) return fmt::format("a bind ended with {}", status);
    client_.destroy_syncobj(bound);
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
