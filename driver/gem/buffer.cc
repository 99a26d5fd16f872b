// SPDX-License-Identifier: MIT
#include "driver/gem/buffer.h"

#include <algorithm>
#include <cstring>

#include "driver/gem/buffer_store.h"

namespace pantry::driver {
namespace {

bool inside(std::uint64_t size, std::uint64_t offset, std::uint64_t bytes) {
  return offset <= size && bytes <= size - offset;
}

}  // namespace

Buffer::~Buffer() { store_.destroy(*this); }

void Buffer::set_label(std::optional<std::string> label) {
  // The old one is freed without the lock.
  MutexLock lock(label_mutex_);
  label_.swap(label);
}

std::optional<std::string> Buffer::label() const {
  MutexLock lock(label_mutex_);
  return label_;
}

void Buffer::set_dma_buf_name(std::string name) {
  std::optional<std::string> renamed(std::move(name));
  MutexLock lock(label_mutex_);
  dma_buf_name_.swap(renamed);
}

std::optional<std::string> Buffer::dma_buf_name() const {
  MutexLock lock(label_mutex_);
  return dma_buf_name_;
}

template <class Use>
void Buffer::for_each_piece(std::uint64_t offset, std::uint64_t bytes, Use use) const {
  for (const PhysExtent& extent : frames_) {
    if (bytes == 0) return;
    if (offset >= extent.size) {
      offset -= extent.size;
      continue;
    }
    const std::uint64_t here = std::min(bytes, extent.size - offset);
    use(static_cast<std::uint8_t*>(store_.dram().at(extent.start + offset, here)), here);
    bytes -= here;
    offset = 0;
  }
}

void* Buffer::cpu(std::uint64_t offset, std::uint64_t bytes) const {
  if (!inside(size_, offset, bytes)) return nullptr;
  std::uint8_t* start = nullptr;
  std::uint64_t contiguous = 0;
  bool whole = true;
  for_each_piece(offset, bytes, [&](std::uint8_t* piece, std::uint64_t size) {
    if (!start) start = piece;
    whole = whole && piece == start + contiguous;
    contiguous += size;
  });
  return whole ? start : nullptr;
}

bool Buffer::read(std::uint64_t offset, void* to, std::uint64_t bytes) const {
  if (!inside(size_, offset, bytes)) return false;
  auto* next = static_cast<std::uint8_t*>(to);
  for_each_piece(offset, bytes, [&](const std::uint8_t* piece, std::uint64_t size) {
    std::memcpy(next, piece, size);
    next += size;
  });
  return true;
}

bool Buffer::write(std::uint64_t offset, const void* from, std::uint64_t bytes) const {
  if (!inside(size_, offset, bytes)) return false;
  const auto* next = static_cast<const std::uint8_t*>(from);
  for_each_piece(offset, bytes, [&](std::uint8_t* piece, std::uint64_t size) {
    std::memcpy(piece, next, size);
    next += size;
  });
  return true;
}

}  // namespace pantry::driver
