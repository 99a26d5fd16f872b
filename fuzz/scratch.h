// SPDX-License-Identifier: MIT
//
// Memory of a made-up client: structs and arrays are laid into it one after the other, and it tells
// the address at which the driver finds them. `host` and `address` are the same place, seen from
// here and from there.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace pantry::fuzz {

class Scratch {
 public:
  Scratch(std::span<std::uint8_t> host, std::uint64_t address) : host_(host), address_(address) {}

  std::uint64_t address() const { return address_; }
  std::uint64_t end() const { return address_ + host_.size(); }
  // Room for so many bytes, at a multiple of 8; zeroed. From the start again when it is full, over
  // what was there. Pre: not more than the whole.
  std::span<std::uint8_t> place(std::size_t bytes) {
    if (bytes > host_.size() - used_) used_ = 0;
    const auto room = host_.subspan(used_, bytes);
    used_ = (used_ + bytes + 7) / 8 * 8;
    if (used_ > host_.size()) used_ = host_.size();
    if (!room.empty()) std::memset(room.data(), 0, room.size());
    return room;
  }
  std::uint64_t address_of(std::span<std::uint8_t> room) const {
    return address_ + static_cast<std::uint64_t>(room.data() - host_.data());
  }
  // At the very end, so that whoever reads on finds nothing.
  std::uint64_t place_at_end(std::span<const std::uint8_t> bytes) {
    std::memcpy(host_.data() + host_.size() - bytes.size(), bytes.data(), bytes.size());
    return end() - bytes.size();
  }

 private:
  const std::span<std::uint8_t> host_;
  const std::uint64_t address_;
  std::size_t used_ = 0;
};

}  // namespace pantry::fuzz
