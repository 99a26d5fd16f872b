// SPDX-License-Identifier: MIT
//
// A mapping of a VM: what its VaMapping means. The object is what the mapping keeps alive, by one
// reference: the SharedBuffer of its buffer in this VM, or the buffer itself if it has none. Either
// way two mappings of one buffer have the same object.
#pragma once

#include "driver/gem/buffer.h"
#include "driver/gpuvm/va_mapping.h"
#include "driver/iopgtable/prot.h"
#include "driver/iopgtable/repeated_frames.h"
#include "driver/vm/shared_buffers.h"

namespace pantry::driver {

enum class MappingOwner { kUser, kKernel };

class Mapping {
 public:
  explicit Mapping(const VaMapping& mapping) : mapping_(mapping) {}
  // Of a range that shows `buffer` over and over. Its offset is kept as the address itself, so that
  // what is left of it when it is cut needs no correction.
  static Mapping repeated(GpuRange range, Buffer& buffer, SharedBuffer* link, Prot prot) {
    Mapping mapping(range, buffer, link, range.first.value, prot, MappingOwner::kUser);
    mapping.mapping_.flags |= kRepeatedFlag;
    return mapping;
  }
  // `link`: null unless the buffer is shared. Takes no reference.
  Mapping(GpuRange range, Buffer& buffer, SharedBuffer* link, std::uint64_t offset, Prot prot,
          MappingOwner owner)
      : mapping_{range, static_cast<RefCounted*>(link ? link : static_cast<RefCounted*>(&buffer)),
                 offset,
                 static_cast<std::uint32_t>(prot) | (link ? kSharedFlag : 0) |
                     (owner == MappingOwner::kKernel ? kKernelFlag : 0)} {}

  const VaMapping& va() const { return mapping_; }
  GpuRange range() const { return mapping_.range; }
  // Into the buffer, of the first byte.
  std::uint64_t offset() const {
    return is_repeated() ? mapping_.offset % RepeatedFrames::kBytes : mapping_.offset;
  }
  bool is_repeated() const { return (mapping_.flags & kRepeatedFlag) != 0; }
  Prot prot() const {
    return static_cast<Prot>(mapping_.flags & ~(kKernelFlag | kSharedFlag | kRepeatedFlag));
  }
  MappingOwner owner() const {
    return (mapping_.flags & kKernelFlag) != 0 ? MappingOwner::kKernel : MappingOwner::kUser;
  }
  Buffer& buffer() const {
    if ((mapping_.flags & kSharedFlag) == 0) return static_cast<Buffer&>(kept());
    return static_cast<SharedBuffer&>(kept()).buffer();
  }
  // What one mapping, or one piece of it, holds a reference to.
  RefCounted& kept() const { return *static_cast<RefCounted*>(mapping_.object); }

 private:
  static constexpr std::uint32_t kKernelFlag = std::uint32_t{1} << 11;
  static constexpr std::uint32_t kSharedFlag = std::uint32_t{1} << 10;
  static constexpr std::uint32_t kRepeatedFlag = std::uint32_t{1} << 9;
  VaMapping mapping_;
};

}  // namespace pantry::driver
