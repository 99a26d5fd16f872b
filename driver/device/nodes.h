// SPDX-License-Identifier: MIT
//
// What the open files of a device share: who is DRM master of the primary node, and whom a master
// knows by number (drm_auth.c's model).
//
// A Master is one reign: made when a file becomes master for the first time, and shared by the
// files that open the node meanwhile, which can get a number from it (GET_MAGIC). Whoever reigns
// makes the file with a number authenticated (AUTH_MAGIC), once. A file that drops mastership and
// takes it up again goes on with the same reign.
#pragma once

#include <atomic>
#include <set>

#include "base/mutex.h"
#include "driver/device/device.h"
#include "driver/kernel/id_table.h"

namespace pantry::driver {

class File;

// Guarded by Device::Nodes::mutex.
struct Master final : RefCounted {
  IdTable<File*> magics{1, INT32_MAX};  // null: authenticated; the number stays taken
  // Whether its files are told what the device is called (SET_VERSION 1.1 and later).
  enum class Name : std::uint8_t { kUntold, kTold } name = Name::kUntold;
};

struct Device::Nodes {
  std::atomic<std::uint64_t> files_opened{0};  // ever
  Mutex mutex;
  Ref<Master> master PANTRY_GUARDED_BY(mutex);  // null: nobody
  std::set<File*> files PANTRY_GUARDED_BY(mutex);
};

}  // namespace pantry::driver
