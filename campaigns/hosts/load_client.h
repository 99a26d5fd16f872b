// SPDX-License-Identifier: MIT
//
// A client that maps, computes and looks at every byte, again and again, on a device that may fail
// under it. One VM and one group; the group is made anew when the driver has ended it,
// and all of it when that was for a fault, since tables that have a flipped bit keep it.
//
// It knows what each of its words holds, and judges after every job: a job that has succeeded has
// stored its words; one that has failed may have stored some of them; no other word has changed; a
// new buffer is zero. How a job fails is judged as well: with an error that the group's state
// explains, and never without an end.
#pragma once

#include <drm/panthor_drm.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "campaigns/hosts/direct_client.h"

namespace pantry::campaigns {

class LoadClient {
 public:
  // `number`, below 256, is in each word that it stores. Ends the process when it cannot set up.
  LoadClient(uapi::Machine& machine, std::uint32_t number, std::uint64_t seed);

  struct Tally {
    std::uint64_t jobs = 0;
    std::uint64_t binds = 0;
    std::uint64_t invalid = 0;    // jobs that ended with EINVAL
    std::uint64_t cancelled = 0;  // ECANCELED
    std::uint64_t timed_out = 0;  // ETIMEDOUT
    std::uint64_t groups = 0;     // that had to be made anew
    std::uint64_t spaces = 0;     // VMs
  };
  // Binds, some jobs, a look at every word. What is wrong, if anything; then it is of no use any
  // more.
  std::string play_round();
  const Tally& tally() const { return tally_; }

 private:
  static constexpr std::uint64_t kCodeVa = 0x100'0000;
  static constexpr std::uint64_t kCodeBytes = 64 * kKiB;
  static constexpr std::uint64_t kFirstVa = 0x4000'0000;
  static constexpr std::uint64_t kStride = 4 * kMiB;  // between places
  static constexpr std::uint32_t kPlaces = 6;
  static constexpr std::uint32_t kWords = 4;  // that are used in a buffer, evenly spread
  static constexpr std::uint32_t kJobs = 3;   // in flight at once

  struct Place {
    std::uint32_t buffer = 0;  // 0: nothing is mapped
    std::uint64_t size = 0;
    std::array<std::uint32_t, kWords> words{};
  };
  struct Store {
    std::uint32_t place = 0;
    std::uint32_t word = 0;
    std::uint32_t value = 0;
  };
  struct Running {
    std::uint32_t syncobj = 0;
    std::uint64_t groups_before = 0;  // Tally::groups
    std::vector<Store> stores;
    int status = 0;
  };

  static std::uint64_t va_of(std::uint32_t place) { return kFirstVa + kStride * place; }
  static std::uint64_t offset_of(const Place& place, std::uint32_t word) {
    return place.size / kWords * word;
  }
  void begin();
  void start_over();
  int bind(drm_panthor_vm_bind_op op, std::uint32_t flags);
  std::string change_place(std::uint32_t place, std::uint32_t bound);
  std::string start_job(Running& job, std::uint32_t after);
  std::string finish(std::uint32_t syncobj, int& status);
  std::string judge(const Running& job);
  std::string look_at_words(const std::vector<Running>& jobs);

  uapi::Machine& machine_;
  DirectClient client_;
  const std::uint32_t number_;
  std::mt19937_64 random_;
  std::uint32_t vm_ = 0;
  std::uint32_t code_ = 0;
  std::uint32_t group_ = 0;
  std::array<Place, kPlaces> places_;
  std::uint32_t next_value_ = 0;
  Tally tally_;
};

}  // namespace pantry::campaigns
