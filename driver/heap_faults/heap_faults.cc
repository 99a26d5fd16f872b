// SPDX-License-Identifier: MIT
#include "driver/heap_faults/heap_faults.h"

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/sanitizer.h"

namespace pantry::driver {
namespace {

thread_local constinit AllocationFaults faults_here;
constinit std::atomic<std::uint64_t> blocks{0};

#if !PANTRY_THREAD_SANITIZER
// Null when it is to fail, or does.
void* allocate(std::size_t bytes) noexcept {
  if (faults_here.should_fail()) return nullptr;
  void* const block = std::malloc(bytes != 0 ? bytes : 1);
  if (block) blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* allocate(std::size_t bytes, std::align_val_t alignment) noexcept {
  if (faults_here.should_fail()) return nullptr;
  void* block = nullptr;
  if (::posix_memalign(&block, static_cast<std::size_t>(alignment), bytes) != 0) return nullptr;
  blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void give_back(void* block) noexcept {
  if (!block) return;
  blocks.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}

void* or_throw(void* block) {
  if (!block) throw std::bad_alloc();
  return block;
}
#endif

}  // namespace

AllocationFaults& heap_faults() noexcept { return faults_here; }
std::uint64_t heap_blocks() noexcept { return blocks.load(std::memory_order_relaxed); }

}  // namespace pantry::driver

#if !PANTRY_THREAD_SANITIZER
using pantry::driver::allocate;
using pantry::driver::give_back;
using pantry::driver::or_throw;

void* operator new(std::size_t n) { return or_throw(allocate(n)); }
void* operator new[](std::size_t n) { return or_throw(allocate(n)); }
void* operator new(std::size_t n, std::align_val_t a) { return or_throw(allocate(n, a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return or_throw(allocate(n, a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, a);
}
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, a);
}

void operator delete(void* p) noexcept { give_back(p); }
void operator delete[](void* p) noexcept { give_back(p); }
void operator delete(void* p, std::size_t) noexcept { give_back(p); }
void operator delete[](void* p, std::size_t) noexcept { give_back(p); }
void operator delete(void* p, std::align_val_t) noexcept { give_back(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give_back(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { give_back(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { give_back(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give_back(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { give_back(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { give_back(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { give_back(p); }
#endif
