// SPDX-License-Identifier: MIT
//
// A mapping of a VM's VA tree together with what it keeps alive. Allocated by prepare, put into the
// tree and taken out of it by run, freed with the plan that holds it in the end; so the references
// below are copied and moved while signalling, and dropped only outside.
#pragma once

#include <utility>

#include "driver/gem/buffer.h"
#include "driver/gpuvm/vma.h"
#include "driver/iopgtable/prot.h"
#include "driver/vm/shared_buffers.h"

namespace pantry::driver {

enum class MappingOwner { kUser, kKernel };

class Mapping final : public Vma {
 public:
  // What a VaMapping's opaque flags hold.
  static constexpr std::uint32_t kKernelFlag = std::uint32_t{1} << 31;
  static constexpr std::uint32_t flags_of(Prot prot, MappingOwner owner) {
    return static_cast<std::uint32_t>(prot) | (owner == MappingOwner::kKernel ? kKernelFlag : 0);
  }

  Buffer& buffer() const { return *buffer_; }
  const Ref<Buffer>& buffer_ref() const { return buffer_; }
  Prot prot() const { return static_cast<Prot>(flags() & ~kKernelFlag); }
  MappingOwner owner() const {
    return (flags() & kKernelFlag) != 0 ? MappingOwner::kKernel : MappingOwner::kUser;
  }

  // Before it is put into the tree.
  void keep(Ref<Buffer> buffer, Ref<SharedBuffer> link) {
    buffer_ = std::move(buffer);
    link_ = std::move(link);
  }
  // A remainder of `other` keeps the same things alive.
  void keep_as(const Mapping& other) { keep(other.buffer_, other.link_); }

 private:
  friend class RetiredMappings;
  Ref<Buffer> buffer_;
  Ref<SharedBuffer> link_;  // null unless the buffer is shared
  Mapping* next_retired_ = nullptr;
};
// A find costs one line of it, if it lies well.
static_assert(sizeof(Mapping) == 64);

// Mappings that run took out of the tree, until it is safe to free them.
class RetiredMappings {
 public:
  RetiredMappings() = default;
  RetiredMappings(RetiredMappings&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)) {}
  RetiredMappings& operator=(RetiredMappings&& other) noexcept {
    std::swap(first_, other.first_);
    return *this;
  }
  // Frees them: outside any SignallingSection.
  ~RetiredMappings() {
    while (first_) delete std::exchange(first_, first_->next_retired_);
  }
  void add(Mapping& mapping) {
    mapping.next_retired_ = first_;
    first_ = &mapping;
  }
  bool empty() const { return !first_; }

 private:
  Mapping* first_ = nullptr;
};

}  // namespace pantry::driver
