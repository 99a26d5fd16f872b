// SPDX-License-Identifier: MIT
//
// What the open files of a device share: who is DRM master of the primary node.
#pragma once

#include "base/mutex.h"
#include "driver/device/device.h"

namespace pantry::driver {

class File;

struct Device::Nodes {
  Mutex mutex;
  const File* master PANTRY_GUARDED_BY(mutex) = nullptr;
};

}  // namespace pantry::driver
