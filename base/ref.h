// SPDX-License-Identifier: MIT
//
// Reference counting for objects that several rooms keep alive: fences, buffers, VMs, groups.
//
// The last reference may be dropped where freeing is forbidden (inside a SignallingSection). There
// the object is not destroyed but linked into the section's DeadList, through a node that it
// carries itself, and destroyed later on the clean-up lane. So release() never allocates, and never
// frees inside a section.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/signalling.h"

namespace pantry {

class RefCounted;

// A lock-free intrusive stack of objects whose last reference is gone. Any thread pushes; any
// thread empties.
class DeadList {
 public:
  // While one of these lives, and no later one of the same thread, last references that the thread
  // drops go to `list`. Allocates nothing.
  class Scope {
   public:
    explicit Scope(DeadList& list) noexcept : list_(list), outer_(scope_) { scope_ = this; }
    ~Scope() { scope_ = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    // Whether any went there.
    bool used() const noexcept { return used_; }

   private:
    friend class DeadList;
    friend class RefCounted;
    DeadList& list_;
    Scope* const outer_;
    bool used_ = false;
  };
  // The list that release() uses on the calling thread, or nullptr: destroy at once.
  static DeadList* current() noexcept { return scope_ ? &scope_->list_ : nullptr; }

  // Wait-free but for contention; allocates nothing.
  void push(const RefCounted* object) noexcept;
  bool empty() const noexcept { return head_.load(std::memory_order_acquire) == nullptr; }
  // Destroys everything that is in the list. Not inside a SignallingSection.
  void destroy_all() noexcept PANTRY_MAY_ALLOCATE;

 private:
  friend class RefCounted;
  static inline thread_local constinit Scope* scope_ = nullptr;
  std::atomic<const RefCounted*> head_{nullptr};
};

class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  void acquire() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  // Acquires unless the last reference is already gone: for look-ups by weak tables under the
  // table's own lock.
  bool try_acquire() const noexcept;
  // How many there are now: for leak checks, while nobody else takes or drops one.
  std::uint32_t references() const noexcept { return count_.load(std::memory_order_relaxed); }
  void release() const noexcept;

 protected:
  virtual ~RefCounted() = default;

 private:
  friend class DeadList;
  mutable std::atomic<std::uint32_t> count_{1};
  mutable const RefCounted* next_dead_ = nullptr;
};

// An owning pointer to a RefCounted. Null by default.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  // Takes over the reference that a new object starts with: Ref<Buffer>::adopt(new Buffer(...)).
  static Ref adopt(T* object) noexcept { return Ref(object); }
  // One more reference to an object that somebody else keeps alive.
  static Ref share(T& object) noexcept {
    object.acquire();
    return Ref(&object);
  }
  Ref(const Ref& other) noexcept : object_(other.object_) {
    if (object_) object_->acquire();
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class U>
  requires std::is_convertible_v<U*, T*> Ref(Ref<U> other)
  noexcept : object_(other.detach()) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) object_->release();
  }

  T* get() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  bool operator==(const Ref& other) const noexcept { return object_ == other.object_; }
  // Gives the reference up without dropping it.
  T* detach() noexcept { return std::exchange(object_, nullptr); }

 private:
  explicit Ref(T* object) noexcept : object_(object) {}
  T* object_ = nullptr;
};

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) PANTRY_MAY_ALLOCATE {
  return Ref<T>::adopt(new T(std::forward<Args>(args)...));
}

}  // namespace pantry
