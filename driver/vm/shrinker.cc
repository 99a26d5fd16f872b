// SPDX-License-Identifier: MIT
#include "driver/vm/shrinker.h"

#include <algorithm>
#include <new>

#include "base/check.h"
#include "base/log.h"
#include "driver/provision/page_pool.h"
#include "driver/vm/vm.h"

namespace pantry::driver {
namespace {

constexpr const char* kRoom = "driver/vm";

// VMs whose gates are closed here are opened at the end. Busy are those that are submitting or have
// jobs.
class ClosedGates {
 public:
  // Allocates.
  explicit ClosedGates(const std::vector<Ref<Vm>>& vms) {
    closed_.reserve(vms.size());
    busy_.reserve(vms.size());
    for (const Ref<Vm>& vm : vms) {
      const bool closed = vm->begin_evictions();
      if (closed) closed_.push_back(vm.get());
      // Jobs may use what was bound after they were submitted: a shared buffer has no fence of
      // theirs then.
      if (!closed || !vm->reservation()->idle(Reservation::Use::kBookkeeping))
        busy_.push_back(vm.get());
    }
  }
  ~ClosedGates() {
    for (Vm* const vm : closed_) vm->end_evictions();
  }
  ClosedGates(const ClosedGates&) = delete;
  ClosedGates& operator=(const ClosedGates&) = delete;

  const std::vector<Vm*>& closed() const { return closed_; }
  bool busy_with(const Buffer& buffer) const {
    return std::ranges::any_of(busy_, [&](const Vm* vm) { return vm->may_map(buffer); });
  }

 private:
  std::vector<Vm*> closed_;
  std::vector<Vm*> busy_;
};

}  // namespace

Shrinker::~Shrinker() {
  MutexLock lock(list_mutex_);
  PANTRY_CHECK(list_.empty());
}

// Not while an eviction is under way, whose list of VMs would lack this one.
void Shrinker::add(Vm& vm) {
  MutexLock evicting(evicting_);
  MutexLock lock(list_mutex_);
  list_.push_back(&vm);
}

void Shrinker::remove(Vm& vm) noexcept {
  MutexLock lock(list_mutex_);
  std::erase(list_, &vm);
}

std::vector<Ref<Vm>> Shrinker::vms() {
  std::vector<Ref<Vm>> all;
  MutexLock lock(list_mutex_);
  all.reserve(list_.size());
  for (Vm* const vm : list_)
    if (vm->try_acquire()) all.push_back(Ref<Vm>::adopt(vm));
  return all;
}

std::uint64_t Shrinker::reclaim(std::uint64_t bytes) {
  PANTRY_CHECK(!SignallingSection::active());
  if (buffers_.swap() == 0) return 0;
  std::uint64_t freed = 0;
  try {
    // Last references may be dropped here: after the lock.
    std::vector<Ref<Vm>> vms;
    std::vector<Ref<Buffer>> candidates;
    std::vector<Buffer*> victims;
    MutexLock lock(evicting_);
    vms = this->vms();
    candidates = buffers_.resident_buffers();
    victims.reserve(candidates.size());
    const ClosedGates gates(vms);

    std::uint64_t room =
        buffers_.swap() - std::min(buffers_.swap(), buffers_.totals().evicted_bytes);
    std::uint64_t chosen = 0;
    for (const Ref<Buffer>& buffer : candidates) {
      if (chosen >= bytes) break;
      if (buffer->size() > room || !buffer->begin_eviction()) continue;
      // From here on nobody maps it anew.
      if (gates.busy_with(*buffer) ||
          !buffer->reservation()->idle(Reservation::Use::kBookkeeping)) {
        buffer->cancel_eviction();
        continue;
      }
      victims.push_back(buffer.get());
      chosen += buffer->size();
      room -= buffer->size();
    }
    if (!victims.empty())
      for (Vm* const vm : gates.closed()) vm->unbind_leaving();
    for (Buffer* const buffer : victims) {
      if (!buffer->finish_eviction()) continue;
      ++evictions_;
      evicted_bytes_ += buffer->size();
      freed += buffer->size();
    }
    if (!victims.empty())
      log_debug(kRoom, "{} of {} buffers evicted: {:#x} bytes, wanted {:#x}", victims.size(),
                candidates.size(), freed, bytes);
  } catch (const std::bad_alloc&) {
    return freed;
  }
  if (freed < bytes) freed += pages_.trim(0) * kPageSize;
  return freed;
}

std::uint64_t Shrinker::shrink(std::uint64_t pages) {
  constexpr std::uint64_t kMost = UINT64_MAX / kPageSize;
  const std::uint64_t freed = reclaim(std::min(pages, kMost) * kPageSize) / kPageSize;
  last_shrunk_ = freed;
  return freed;
}

Shrinker::Counters Shrinker::counters() const noexcept {
  return {evictions_, evicted_bytes_, returned_mappings_};
}

}  // namespace pantry::driver
