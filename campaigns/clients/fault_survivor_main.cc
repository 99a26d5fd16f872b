// SPDX-License-Identifier: MIT
//
// fault_survivor: clients on a device that may fail under them, for `pantry run --inject` and
// `pantry kernel --inject`. Ten spaces with a group each, more than there are slots, map and store
// in turn; whoever loses a job or a bind starts over, as a user-mode driver does whose context is
// lost. Afterwards the device must be well: in the last rounds nothing fails.
//
// Says in one line what it met: `errors: EINVAL ...` only with the errors that there were. Exits 1
// when a word is wrong, a fence is lost, a job fails in a way that the uAPI does not know, or the
// device is not well in the end.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/assembler.h"
#include "igt_tests/lib/group.h"

using namespace gpu;

namespace {

constexpr unsigned kTenants = 10;
constexpr unsigned kRounds = 12;
constexpr unsigned kLastRounds = 3;  // in which nothing may fail
constexpr int64_t kLimit = 60 * kSecond;
constexpr uint64_t kCodeVa = 0x0100'0000;
constexpr uint64_t kDataVa = 0x4000'0000;

std::map<int, unsigned> errors;  // by negative errno
unsigned wrong_words = 0;

class Tenant {
 public:
  explicit Tenant(const Device& device)
      : device_(&device),
        vm_(Vm::create(device)),
        code_(Bo::create(device, kPage)),
        done_(Syncobj::create(device)) {}
  bool set_up() {
    if (!mapped(code_, kCodeVa)) return false;
    group_ = std::make_unique<Group>(Group::create_simple(vm_));
    return true;
  }
  // A new buffer, and a job that stores in it. False: start over.
  bool begin(uint32_t value) {
    value_ = value;
    if (data_ && value % 2 == 0) {
      Binds binds;
      binds.unmap(kDataVa, kPage, {});
      uint32_t failed_at = 0;
      if (!counted(vm_.bind_sync(binds, failed_at))) return false;
    }
    data_ = std::make_unique<Bo>(Bo::create(*device_, kPage));
    if (!mapped(*data_, kDataVa)) return false;
    Assembler stream;
    stream.store_value(kDataVa, value).publish();
    for (size_t n = 0; n < stream.words().size(); ++n) code_.quads()[n] = stream.words()[n];
    Jobs jobs;
    jobs.add(0, {kCodeVa, stream.size_bytes()}, Syncs().signal(done_));
    return counted(group_->try_submit(jobs));
  }
  bool end() {
    const int status = done_.finish(kLimit);
    if (status != 1) return counted(-status);
    if (data_->words()[0] == value_) return true;
    ++wrong_words;
    return false;
  }

 private:
  static bool counted(int error) {
    if (error != 0) ++errors[-error];
    return error == 0;
  }
  bool mapped(const Bo& bo, uint64_t va) {
    Binds binds;
    binds.map(bo, 0, va, kPage, 0, {});
    uint32_t failed_at = 0;
    return counted(vm_.bind_sync(binds, failed_at));
  }

  const Device* device_;
  Vm vm_;
  Bo code_;
  Syncobj done_;
  std::unique_ptr<Group> group_;
  std::unique_ptr<Bo> data_;
  uint32_t value_ = 0;
};

// How many lost something.
unsigned play_round(const Device& device, std::vector<std::unique_ptr<Tenant>>& tenants,
                    uint32_t value) {
  unsigned lost = 0;
  std::vector<Tenant*> running;
  for (auto& tenant : tenants) {
    if (!tenant) {
      tenant = std::make_unique<Tenant>(device);
      if (!tenant->set_up()) {
        tenant.reset();
        ++lost;
        continue;
      }
    }
    if (tenant->begin(value)) {
      running.push_back(tenant.get());
    } else {
      tenant.reset();
      ++lost;
    }
  }
  for (Tenant* const one : running) {
    if (one->end()) continue;
    ++lost;
    std::find_if(tenants.begin(), tenants.end(), [&](const auto& tenant) {
      return tenant.get() == one;
    })->reset();
  }
  return lost;
}

}  // namespace

int main() {
  const Device device = Device::open_render();
  std::vector<std::unique_ptr<Tenant>> tenants(kTenants);
  unsigned failures = 0;
  uint32_t value = 0x1000;
  for (unsigned n = 0; n < kRounds; ++n) failures += play_round(device, tenants, ++value);
  unsigned last = 0;
  for (unsigned n = 0; n < kLastRounds; ++n) last += play_round(device, tenants, ++value);

  const std::map<int, const char*> known = {
      {-EINVAL, "EINVAL"}, {-ECANCELED, "ECANCELED"}, {-ETIMEDOUT, "ETIMEDOUT"}};
  std::string met;
  bool is_known = true;
  for (const auto& [error, count] : errors) {
    const auto name = known.find(error);
    is_known &= name != known.end();
    met += " " + (name != known.end() ? std::string(name->second) : std::to_string(error)) + " " +
           std::to_string(count);
  }
  printf("%u of %u rounds' jobs or binds lost; errors:%s; %u wrong words; %s\n", failures + last,
         kTenants * (kRounds + kLastRounds), met.empty() ? " none" : met.c_str(), wrong_words,
         last == 0 ? "well" : "not well");
  return last == 0 && wrong_words == 0 && is_known ? 0 : 1;
}
