// SPDX-License-Identifier: MIT
//
// What one client may hold at once, so that none can take from the others what all of them share:
// the device's memory, and the host's memory and descriptors. An Account counts for a client, a
// Charge is a part of it that goes back when the Charge does, and whatever costs something keeps
// its Charge as long as it costs.
//
// Lock-free; charging and giving back allocate nothing but a log line for the client's mistake. The
// last Charge of an account may end inside a SignallingSection (base/ref.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/ref.h"
#include "base/result.h"
#include "base/signalling.h"

namespace pantry::driver {

enum class Resource : std::uint8_t {
  kMemory,       // bytes of buffers, until the last that maps or names one is gone, of what the
                 // driver puts into the client's VMs: rings, sync objects, tiler heaps; and of the
                 // page tables of these VMs, with what is laid in for binds or kept for the next
  kHandles,      // GEM handles
  kSyncobjs,     // syncobj handles
  kVms,          // VM ids
  kGroups,       // group handles
  kFences,       // timeline points that are pending, waits, and events that are registered
  kJobs,         // binds and submissions that have not finished
  kDescriptors,  // of the host's, that stand for the client's: nodes, buffers, sync_files and such
};
inline constexpr std::size_t kResources = 8;

struct ResourceInfo {
  Resource resource;
  const char* name;  // on the command line and in the log
  // What the client gets: what Linux says when the same runs out (panthor-uapi.md A.3 to A.9).
  Errno errno_when_full;
  // Far above what Mesa, IGT and the Vulkan CTS hold, and far below what hurts the host.
  std::uint64_t default_limit;
};
inline constexpr std::uint64_t kNoLimit = UINT64_MAX;
inline constexpr std::array<ResourceInfo, kResources> kResourceInfo{{
    {Resource::kMemory, "memory", Errno::kNoMem, kNoLimit},
    {Resource::kHandles, "handles", Errno::kNoSpc, 262144},
    {Resource::kSyncobjs, "syncobjs", Errno::kNoSpc, 262144},
    {Resource::kVms, "vms", Errno::kBusy, 1024},
    {Resource::kGroups, "groups", Errno::kBusy, 2048},
    {Resource::kFences, "fences", Errno::kNoMem, 65536},
    {Resource::kJobs, "jobs", Errno::kNoMem, 65536},
    {Resource::kDescriptors, "descriptors", Errno::kMFile, kNoLimit},
}};
constexpr const ResourceInfo& info_of(Resource resource) {
  return kResourceInfo[static_cast<std::size_t>(resource)];
}
std::optional<Resource> resource_named(std::string_view name);

// The most of each that one client may hold; kNoLimit: no bound.
class Limits {
 public:
  constexpr Limits() {
    for (const ResourceInfo& info : kResourceInfo) (*this)[info.resource] = info.default_limit;
  }
  constexpr std::uint64_t& operator[](Resource resource) {
    return most_[static_cast<std::size_t>(resource)];
  }
  constexpr std::uint64_t operator[](Resource resource) const {
    return most_[static_cast<std::size_t>(resource)];
  }

 private:
  std::array<std::uint64_t, kResources> most_{};
};

class Account;

// Move-only. The default holds nothing.
class Charge {
 public:
  Charge() = default;
  Charge(Charge&& other) noexcept = default;
  Charge& operator=(Charge&& other) noexcept;
  ~Charge() { give_back(); }

 private:
  friend class Account;
  Charge(Ref<Account> account, Resource resource, std::uint64_t amount)
      : account_(std::move(account)), resource_(resource), amount_(amount) {}
  void give_back() noexcept;

  Ref<Account> account_;
  Resource resource_ = Resource::kMemory;
  std::uint64_t amount_ = 0;
};

class Account final : public RefCounted {
 public:
  // `pid` names the client in the log, `program` in reports.
  Account(std::int32_t pid, const Limits& limits, std::string program = {})
      : pid_(pid), program_(std::move(program)), limits_(limits) {}
  // Everything has been given back (CHECK).
  ~Account() override;

  // `amount` more, or the errno of ResourceInfo, and nothing is charged. Any thread. 20 ns.
  Result<Charge> charge(Resource resource, std::uint64_t amount) PANTRY_MAY_ALLOCATE;
  // The same for who counts itself what it holds, and keeps a reference while that is anything.
  Result<> take(Resource resource, std::uint64_t amount) PANTRY_MAY_ALLOCATE;
  // Pre: as much is taken. Allowed inside a SignallingSection.
  void give_back(Resource resource, std::uint64_t amount) noexcept;

  std::int32_t pid() const { return pid_; }
  const std::string& program() const { return program_; }
  std::uint64_t limit(Resource resource) const { return limits_[resource]; }
  std::uint64_t held(Resource resource) const {
    return held_[static_cast<std::size_t>(resource)].load(std::memory_order_relaxed);
  }

 private:
  const std::int32_t pid_;
  const std::string program_;
  const Limits limits_;
  std::array<std::atomic<std::uint64_t>, kResources> held_{};
};

// Something that is charged for as long as it is here.
template <class T>
struct Held {
  T object;
  Charge charge;
};

}  // namespace pantry::driver
