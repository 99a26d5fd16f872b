// SPDX-License-Identifier: MIT
//
// Memory of the shim's own, from the kernel: the heap is the client's, who may have replaced it,
// and may call poll() where it is locked.
#pragma once

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

namespace pantry::shim {

// An array of zeroes, in whole pages.
template <class T>
class OffHeapArray {
 public:
  // Empty, without memory, as long as nothing is reserved.
  OffHeapArray() = default;
  explicit OffHeapArray(size_t count) { reserve(count); }
  OffHeapArray(const OffHeapArray&) = delete;
  OffHeapArray& operator=(const OffHeapArray&) = delete;
  // Keeps errno.
  ~OffHeapArray() {
    if (!first_) return;
    const int saved = errno;
    munmap(first_, bytes_);
    errno = saved;
  }

  // Once. False, with errno ENOMEM: there is no memory.
  bool reserve(size_t count) {
    bytes_ = count * sizeof(T);
    void* const pages =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED) first_ = static_cast<T*>(pages);
    if (!first_) errno = ENOMEM;
    return first_ != nullptr;
  }
  // For good: nobody gives it back.
  T* keep() {
    T* const kept = first_;
    first_ = nullptr;
    return kept;
  }

  explicit operator bool() const { return first_ != nullptr; }
  T* data() { return first_; }
  T& operator[](size_t i) { return first_[i]; }

 private:
  T* first_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace pantry::shim
