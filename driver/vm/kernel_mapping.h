// SPDX-License-Identifier: MIT
//
// A buffer of the driver's own, mapped in the kernel area of a VM (or at a fixed address of the
// MCU's): Vm::map_kernel makes it. Unmapped and freed when destroyed, which needs no memory and
// cannot fail. Destroying it takes the operation lock of the VM, polls the device and frees:
// outside any SignallingSection (CHECK), and under no lock that is taken inside one.
#pragma once

#include <cstdint>

#include "base/ref.h"
#include "base/types.h"
#include "driver/gem/buffer.h"

namespace pantry::driver {

class Vm;

class KernelMapping {
 public:
  KernelMapping() noexcept;
  KernelMapping(KernelMapping&& other) noexcept;
  KernelMapping& operator=(KernelMapping&& other) noexcept PANTRY_MAY_ALLOCATE;
  ~KernelMapping() PANTRY_MAY_ALLOCATE;

  explicit operator bool() const { return static_cast<bool>(buffer_); }
  GpuVa va() const { return range_.first; }
  std::uint64_t size() const { return range_.size(); }
  Buffer& buffer() const { return *buffer_; }
  // Host address of the whole buffer.
  void* cpu() const { return buffer_->cpu(0, buffer_->size()); }

 private:
  friend class Vm;
  KernelMapping(Ref<Vm> vm, Ref<Buffer> buffer, GpuRange range) noexcept;
  void reset() noexcept PANTRY_MAY_ALLOCATE;

  Ref<Vm> vm_;
  Ref<Buffer> buffer_;
  GpuRange range_;
};

}  // namespace pantry::driver
