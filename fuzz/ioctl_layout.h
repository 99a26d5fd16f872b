// SPDX-License-Identifier: MIT
//
// What the argument of each ioctl looks like, so that a few bytes of input become structs whose
// pointers lead to arrays. A layout has a letter per field:
//
//   1 4 8  an unsigned field of so many bytes, a number (number.h); 1: one byte as it is
//   t      8 bytes: a point in time of the near past or future, since a wait must end
//   F      4 bytes: a descriptor that the client has, or has not
//   h p    pointer to an array of u32 or u64
//   s q    pointer to a string; to 256 bytes that are written to
//   B S Q J Y  drm_panthor_obj_array of bind ops, sync-ops, queues, submits, buffer syncs
#pragma once

#include <drm/panthor_drm.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>

#include <iterator>
#include <string_view>

#include "fuzz/number.h"
#include "fuzz/scratch.h"
#include "uapi/drm_abi.h"
#include "uapi/sw_sync_ioctls.h"
#include "uapi/sync_file_ioctls.h"

namespace pantry::fuzz {

struct IoctlLayout {
  std::uint32_t command;
  const char* fields;
};

inline constexpr IoctlLayout kDeviceIoctls[] = {
    {DRM_IOCTL_PANTHOR_DEV_QUERY, "44q"},
    {DRM_IOCTL_PANTHOR_VM_CREATE, "448"},
    {DRM_IOCTL_PANTHOR_VM_DESTROY, "44"},
    {DRM_IOCTL_PANTHOR_VM_BIND, "44B"},
    {DRM_IOCTL_PANTHOR_VM_GET_STATE, "44"},
    {DRM_IOCTL_PANTHOR_BO_CREATE, "84444"},
    {DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, "448"},
    {DRM_IOCTL_PANTHOR_GROUP_CREATE, "Q1111488844"},
    {DRM_IOCTL_PANTHOR_GROUP_DESTROY, "44"},
    {DRM_IOCTL_PANTHOR_GROUP_SUBMIT, "44J"},
    {DRM_IOCTL_PANTHOR_GROUP_GET_STATE, "4444"},
    {DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, "44444488"},
    {DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY, "44"},
    {DRM_IOCTL_PANTHOR_BO_SET_LABEL, "44s"},
    {DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET, "8"},
    {DRM_IOCTL_PANTHOR_BO_SYNC, "Y"},
    {DRM_IOCTL_PANTHOR_BO_QUERY_INFO, "4444"},
    {DRM_IOCTL_VERSION, "44448q8q8q"},
    {DRM_IOCTL_GET_UNIQUE, "8q"},
    {DRM_IOCTL_GET_MAGIC, "4"},
    {DRM_IOCTL_AUTH_MAGIC, "4"},
    {DRM_IOCTL_SET_VERSION, "4444"},
    {DRM_IOCTL_SET_MASTER, ""},
    {DRM_IOCTL_DROP_MASTER, ""},
    {DRM_IOCTL_GEM_CLOSE, "44"},
    {DRM_IOCTL_GEM_FLINK, "44"},
    {DRM_IOCTL_GEM_OPEN, "448"},
    {DRM_IOCTL_GET_CAP, "88"},
    {DRM_IOCTL_SET_CLIENT_CAP, "88"},
    {DRM_IOCTL_PRIME_HANDLE_TO_FD, "44F"},
    {DRM_IOCTL_PRIME_FD_TO_HANDLE, "44F"},
    {DRM_IOCTL_SYNCOBJ_CREATE, "44"},
    {DRM_IOCTL_SYNCOBJ_DESTROY, "44"},
    {DRM_IOWR(0xC1, uapi::DrmSyncobjHandle), "44F48"},
    {DRM_IOWR(0xC2, uapi::DrmSyncobjHandle), "44F48"},
    {DRM_IOWR(0xC3, uapi::DrmSyncobjWait), "ht4444t"},
    {DRM_IOWR(0xCA, uapi::DrmSyncobjTimelineWait), "hpt4444t"},
    {DRM_IOCTL_SYNCOBJ_RESET, "h44"},
    {DRM_IOCTL_SYNCOBJ_SIGNAL, "h44"},
    {DRM_IOCTL_SYNCOBJ_QUERY, "hp44"},
    {DRM_IOCTL_SYNCOBJ_TRANSFER, "448844"},
    {DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, "hp44"},
    {DRM_IOWR(0xCF, uapi::DrmSyncobjEventfd), "448F4"},
    {DRM_IOWR(0xD1, uapi::DrmSetClientName), "8s"},
};
// Of sync_files, dma-bufs and sw_sync, each of which refuses the others'.
inline constexpr IoctlLayout kDescriptorIoctls[] = {
    {SYNC_IOC_MERGE, "8888F444"},
    {SYNC_IOC_FILE_INFO, "88884444q"},
    {uapi::kSyncSetDeadline, "t8"},
    {DMA_BUF_IOCTL_SYNC, "8"},
    {DMA_BUF_SET_NAME_A, "8888"},
    {_IOWR('b', 2, std::uint32_t[2]), "44"},  // EXPORT_SYNC_FILE
    {_IOW('b', 3, std::uint32_t[2]), "4F"},   // IMPORT_SYNC_FILE
    {uapi::kSwSyncCreateFence, "488884"},
    {uapi::kSwSyncInc, "4"},
};
// SYNCOBJ_WAIT and TIMELINE_WAIT.
constexpr bool may_wait(std::uint32_t command) {
  return (command & 0xff) == 0xc3 || (command & 0xff) == 0xca;
}

// Descriptors are named in the input by a byte.
constexpr std::int32_t kFirstFd = 1000;

class ArgumentMaker {
 public:
  // `now`: of the clock by which deadlines are told, in nanoseconds.
  ArgumentMaker(Input& input, Scratch& scratch, std::int64_t now)
      : input_(input), scratch_(scratch), now_(now) {}

  // The address of the argument. Bytes of the struct that the layout leaves out are zero.
  std::uint64_t make(std::string_view fields) {
    const auto room = scratch_.place(kLargestStruct);
    fill(fields, room);
    return scratch_.address_of(room);
  }

 private:
  static constexpr std::size_t kLargestStruct = 128;
  static constexpr std::size_t kMostElements = 8;

  std::size_t fill(std::string_view fields, std::span<std::uint8_t> room) {
    std::size_t at = 0;
    const auto put = [&](std::uint64_t value, std::size_t bytes) {
      at = (at + bytes - 1) / bytes * bytes;
      std::memcpy(room.data() + at, &value, bytes);
      at += bytes;
    };
    const auto put_array = [&](std::string_view element, std::uint32_t bytes) {
      const auto how = input_.take<std::uint8_t>();
      const std::uint32_t count = how % kMostElements;
      const auto elements = scratch_.place(kMostElements * bytes);
      for (std::uint32_t n = 0; n < count; ++n) fill(element, elements.subspan(n * bytes, bytes));
      const std::uint32_t odd = how >> 3;  // mostly nothing is wrong with it
      put(odd == 1 ? take_number(input_) : bytes, 4);
      put(odd == 2 ? take_number(input_) : count, 4);
      put(pointer(odd, elements.first(count * bytes)), 8);
    };
    for (const char field : fields) switch (field) {
        case '1':
          put(input_.take<std::uint8_t>(), 1);
          break;
        case '4':
          put(take_number(input_), 4);
          break;
        case '8':
          put(take_number(input_), 8);
          break;
        case 't':
          put(static_cast<std::uint64_t>(now_ + input_.take<std::int8_t>() * 20'000), 8);
          break;
        case 'F':
          put(static_cast<std::uint64_t>(kFirstFd + input_.take<std::uint8_t>()), 4);
          break;
        case 'h':
        case 'p': {
          const std::size_t bytes = field == 'h' ? 4 : 8;
          const auto how = input_.take<std::uint8_t>();
          const auto elements = scratch_.place(2 * kMostElements * bytes);
          for (std::size_t n = 0; n < how % kMostElements; ++n) {
            const std::uint64_t value = take_number(input_);
            std::memcpy(elements.data() + n * bytes, &value, bytes);
          }
          put(pointer(how >> 3, elements), 8);
          break;
        }
        case 's': {
          const auto how = input_.take<std::uint8_t>();
          const auto text = scratch_.place(how % 64 + 1);
          for (std::uint8_t& letter : text.first(how % 64)) letter = input_.take<std::uint8_t>();
          put(pointer(how >> 6, text), 8);
          break;
        }
        case 'q':
          put(pointer(input_.take<std::uint8_t>(), scratch_.place(256)), 8);
          break;
        case 'B':
          put_array("44888S", sizeof(drm_panthor_vm_bind_op));
          break;
        case 'S':
          put_array("448", sizeof(drm_panthor_sync_op));
          break;
        case 'Q':
          put_array("11114", sizeof(drm_panthor_queue_create));
          break;
        case 'J':
          put_array("44844S", sizeof(drm_panthor_queue_submit));
          break;
        case 'Y':
          put_array("4488", sizeof(drm_panthor_bo_sync_op));
          break;
      }
    return at;
  }
  // Of what lies in the scratch; or another that leads nowhere.
  std::uint64_t pointer(std::uint32_t odd, std::span<std::uint8_t> target) {
    switch (odd) {
      case 3:
        return 0;
      case 4:
        return scratch_.end();
      case 5:
        return scratch_.place_at_end(target);
      case 6:
        return scratch_.address_of(target) + 4;
      case 7:  // the last byte is missing
        return scratch_.place_at_end(target) + 1;
      default:
        return scratch_.address_of(target);
    }
  }

  Input& input_;
  Scratch& scratch_;
  const std::int64_t now_;
};
static_assert(sizeof(drm_panthor_vm_bind_op) == 48);

}  // namespace pantry::fuzz
