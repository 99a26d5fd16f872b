// SPDX-License-Identifier: MIT
#include "driver/kernel/quota.h"

#include "base/check.h"
#include "base/log.h"

namespace pantry::driver {

std::optional<Resource> resource_named(std::string_view name) {
  for (const ResourceInfo& info : kResourceInfo)
    if (name == info.name) return info.resource;
  return std::nullopt;
}

Charge& Charge::operator=(Charge&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  account_ = std::move(other.account_);
  resource_ = other.resource_;
  amount_ = other.amount_;
  return *this;
}

void Charge::give_back() noexcept {
  if (!account_) return;
  account_->give_back(resource_, amount_);
  account_ = nullptr;
}

Account::~Account() {
  for (const std::atomic<std::uint64_t>& held : held_)
    PANTRY_CHECK(held.load(std::memory_order_relaxed) == 0);
}

Result<Charge> Account::charge(Resource resource, std::uint64_t amount) {
  PANTRY_TRY(take(resource, amount));
  return Charge(Ref<Account>::share(*this), resource, amount);
}

void Account::give_back(Resource resource, std::uint64_t amount) noexcept {
  const std::uint64_t before =
      held_[static_cast<std::size_t>(resource)].fetch_sub(amount, std::memory_order_relaxed);
  PANTRY_CHECK(before >= amount);
}

Result<> Account::take(Resource resource, std::uint64_t amount) {
  std::atomic<std::uint64_t>& held = held_[static_cast<std::size_t>(resource)];
  const std::uint64_t limit = limits_[resource];
  std::uint64_t before = held.load(std::memory_order_relaxed);
  do {
    if (before > limit || amount > limit - before) {
      const ResourceInfo& info = info_of(resource);
      log_client("driver/kernel", "process {}: {} more {} on top of {} pass its quota of {}: {}",
                 pid_, amount, info.name, before, limit, name_of(info.errno_when_full));
      return Error(info.errno_when_full);
    }
  } while (!held.compare_exchange_weak(before, before + amount, std::memory_order_relaxed));
  return {};
}

}  // namespace pantry::driver
