// SPDX-License-Identifier: MIT
//
// One open DRM file of a Panthor device, and what it says of itself. Every object id belongs to one
// of these; the objects made from it (bo.h, vm.h, ...) hold a reference to it and must go first.
#pragma once

#include <cstdint>

#include "igt_tests/lib/drm_api.h"
#include "igt_tests/lib/unique_fd.h"

namespace gpu {

class Device {
 public:
  // Each skips the test where there is no device.
  static Device open_primary();
  static Device open_render();
  // Takes over a descriptor that is open already.
  static Device adopt(int fd);
  // An independent file on the same device.
  Device open_again() const;

  int fd() const { return fd_.get(); }
  // The minor of the driver's version: which rules of the uAPI hold.
  int minor() const { return minor_; }
  const drm_panthor_gpu_info& info() const { return info_; }
  const drm_panthor_csif_info& csif() const { return csif_; }
  unsigned va_bits() const { return DRM_PANTHOR_MMU_VA_BITS(info_.mmu_features); }
  // Bytes of the whole GPU address space.
  uint64_t full_va_range() const { return uint64_t{1} << va_bits(); }

  // Closes the file now; the objects made from it are gone with it.
  void close() { fd_.reset(); }

 private:
  explicit Device(int fd);

  UniqueFd fd_;
  int minor_ = 0;
  drm_panthor_gpu_info info_{};
  drm_panthor_csif_info csif_{};
};

// True when the host of an emulated device says so: things that would crash a real kernel may be
// tried.
bool runs_on_pantry();

}  // namespace gpu
