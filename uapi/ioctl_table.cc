// SPDX-License-Identifier: MIT
#include "uapi/ioctl_table.h"

#include <drm/panthor_drm.h>

#include <algorithm>
#include <array>

#include "uapi/drm_abi.h"
#include "uapi/ioctl_handlers.h"

namespace pantry::uapi {
namespace {

using enum IoctlAccess;

constexpr std::uint32_t number_of(std::uint32_t command) { return command & 0xff; }

// The request values of the newest version; where drm.h of Debian 12 is older, drm_abi.h has the
// struct. Structs have only grown, and what an older caller does not pass reads as zero.
constexpr IoctlEntry kTable[] = {
    {DRM_IOCTL_VERSION, kAnyone, version, "VERSION"},
    {DRM_IOCTL_GET_UNIQUE, kPrimary, get_unique, "GET_UNIQUE"},
    {DRM_IOCTL_GET_MAGIC, kPrimary, get_magic, "GET_MAGIC"},
    {DRM_IOCTL_GET_CLIENT, kPrimary, get_client, "GET_CLIENT"},
    {DRM_IOCTL_GET_STATS, kPrimary, get_stats, "GET_STATS"},
    {DRM_IOCTL_SET_VERSION, kMaster, set_version, "SET_VERSION"},
    // Of the time before kernel modesetting; clients that still make them are let be.
    {DRM_IOCTL_SET_UNIQUE, kRootMaster, invalid_operation, "SET_UNIQUE"},
    {DRM_IOCTL_BLOCK, kRootMaster, no_operation, "BLOCK"},
    {DRM_IOCTL_UNBLOCK, kRootMaster, no_operation, "UNBLOCK"},
    {DRM_IOCTL_ADD_DRAW, kRootMaster, no_operation, "ADD_DRAW"},
    {DRM_IOCTL_RM_DRAW, kRootMaster, no_operation, "RM_DRAW"},
    {DRM_IOCTL_UPDATE_DRAW, kRootMaster, no_operation, "UPDATE_DRAW"},
    {DRM_IOCTL_FINISH, kKnown, no_operation, "FINISH"},
    {DRM_IOCTL_GEM_CLOSE, kAnyone, gem_close, "GEM_CLOSE"},
    {DRM_IOCTL_GEM_FLINK, kKnown, gem_flink, "GEM_FLINK"},
    {DRM_IOCTL_GEM_OPEN, kKnown, gem_open, "GEM_OPEN"},
    {DRM_IOCTL_GET_CAP, kAnyone, get_cap, "GET_CAP"},
    {DRM_IOCTL_SET_CLIENT_CAP, kPrimary, set_client_cap, "SET_CLIENT_CAP"},
    {DRM_IOCTL_AUTH_MAGIC, kMaster, auth_magic, "AUTH_MAGIC"},
    {DRM_IOCTL_SET_MASTER, kPrimary, set_master, "SET_MASTER"},
    {DRM_IOCTL_DROP_MASTER, kPrimary, drop_master, "DROP_MASTER"},
    {DRM_IOCTL_PRIME_HANDLE_TO_FD, kAnyone, prime_handle_to_fd, "PRIME_HANDLE_TO_FD"},
    {DRM_IOCTL_PRIME_FD_TO_HANDLE, kAnyone, prime_fd_to_handle, "PRIME_FD_TO_HANDLE"},

    {DRM_IOCTL_PANTHOR_DEV_QUERY, kAnyone, dev_query, "DEV_QUERY"},
    {DRM_IOCTL_PANTHOR_VM_CREATE, kAnyone, vm_create, "VM_CREATE"},
    {DRM_IOCTL_PANTHOR_VM_DESTROY, kAnyone, vm_destroy, "VM_DESTROY"},
    {DRM_IOCTL_PANTHOR_VM_BIND, kAnyone, vm_bind, "VM_BIND"},
    {DRM_IOCTL_PANTHOR_VM_GET_STATE, kAnyone, vm_get_state, "VM_GET_STATE"},
    {DRM_IOCTL_PANTHOR_BO_CREATE, kAnyone, bo_create, "BO_CREATE"},
    {DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, kAnyone, bo_mmap_offset, "BO_MMAP_OFFSET"},
    {DRM_IOCTL_PANTHOR_GROUP_CREATE, kAnyone, group_create, "GROUP_CREATE"},
    {DRM_IOCTL_PANTHOR_GROUP_DESTROY, kAnyone, group_destroy, "GROUP_DESTROY"},
    {DRM_IOCTL_PANTHOR_GROUP_SUBMIT, kAnyone, group_submit, "GROUP_SUBMIT"},
    {DRM_IOCTL_PANTHOR_GROUP_GET_STATE, kAnyone, group_get_state, "GROUP_GET_STATE"},
    {DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, kAnyone, tiler_heap_create, "TILER_HEAP_CREATE"},
    {DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY, kAnyone, tiler_heap_destroy, "TILER_HEAP_DESTROY"},
    {DRM_IOCTL_PANTHOR_BO_SET_LABEL, kAnyone, bo_set_label, "BO_SET_LABEL",
     &Features::bo_set_label},
    {DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET, kAnyone, set_user_mmio_offset, "SET_USER_MMIO_OFFSET",
     &Features::set_user_mmio_offset},
    {DRM_IOCTL_PANTHOR_BO_SYNC, kAnyone, bo_sync, "BO_SYNC", &Features::bo_sync},
    {DRM_IOCTL_PANTHOR_BO_QUERY_INFO, kAnyone, bo_query_info, "BO_QUERY_INFO",
     &Features::bo_query_info},

    {DRM_IOCTL_WAIT_VBLANK, kPrimary, no_modesetting, "WAIT_VBLANK"},
    {DRM_IOCTL_CRTC_GET_SEQUENCE, kPrimary, no_modesetting, "CRTC_GET_SEQUENCE"},
    {DRM_IOCTL_CRTC_QUEUE_SEQUENCE, kPrimary, no_modesetting, "CRTC_QUEUE_SEQUENCE"},
    {DRM_IOCTL_MODE_GETRESOURCES, kPrimary, no_modesetting, "MODE_GETRESOURCES"},
    {DRM_IOCTL_MODE_GETCRTC, kPrimary, no_modesetting, "MODE_GETCRTC"},
    {DRM_IOCTL_MODE_SETCRTC, kMaster, no_modesetting, "MODE_SETCRTC"},
    {DRM_IOCTL_MODE_CURSOR, kMaster, no_modesetting, "MODE_CURSOR"},
    {DRM_IOCTL_MODE_GETGAMMA, kPrimary, no_modesetting, "MODE_GETGAMMA"},
    {DRM_IOCTL_MODE_SETGAMMA, kMaster, no_modesetting, "MODE_SETGAMMA"},
    {DRM_IOCTL_MODE_GETENCODER, kPrimary, no_modesetting, "MODE_GETENCODER"},
    {DRM_IOCTL_MODE_GETCONNECTOR, kPrimary, no_modesetting, "MODE_GETCONNECTOR"},
    {DRM_IOWR(0xA8, drm_mode_mode_cmd), kMaster, no_operation, "MODE_ATTACHMODE"},
    {DRM_IOWR(0xA9, drm_mode_mode_cmd), kMaster, no_operation, "MODE_DETACHMODE"},
    {DRM_IOCTL_MODE_GETPROPERTY, kPrimary, no_modesetting, "MODE_GETPROPERTY"},
    {DRM_IOCTL_MODE_SETPROPERTY, kMaster, no_modesetting, "MODE_SETPROPERTY"},
    {DRM_IOCTL_MODE_GETPROPBLOB, kPrimary, no_modesetting, "MODE_GETPROPBLOB"},
    {DRM_IOCTL_MODE_GETFB, kPrimary, no_modesetting, "MODE_GETFB"},
    {DRM_IOCTL_MODE_ADDFB, kPrimary, no_modesetting, "MODE_ADDFB"},
    {DRM_IOCTL_MODE_RMFB, kPrimary, no_modesetting, "MODE_RMFB"},
    {DRM_IOCTL_MODE_PAGE_FLIP, kMaster, no_modesetting, "MODE_PAGE_FLIP"},
    {DRM_IOCTL_MODE_DIRTYFB, kMaster, no_modesetting, "MODE_DIRTYFB"},
    {DRM_IOCTL_MODE_CREATE_DUMB, kPrimary, no_dumb_buffers, "MODE_CREATE_DUMB"},
    {DRM_IOCTL_MODE_MAP_DUMB, kPrimary, no_dumb_buffers, "MODE_MAP_DUMB"},
    {DRM_IOCTL_MODE_DESTROY_DUMB, kPrimary, no_dumb_buffers, "MODE_DESTROY_DUMB"},
    {DRM_IOCTL_MODE_GETPLANERESOURCES, kPrimary, no_modesetting, "MODE_GETPLANERESOURCES"},
    {DRM_IOCTL_MODE_GETPLANE, kPrimary, no_modesetting, "MODE_GETPLANE"},
    {DRM_IOCTL_MODE_SETPLANE, kMaster, no_modesetting, "MODE_SETPLANE"},
    {DRM_IOCTL_MODE_ADDFB2, kPrimary, no_modesetting, "MODE_ADDFB2"},
    {DRM_IOCTL_MODE_OBJ_GETPROPERTIES, kPrimary, no_modesetting, "MODE_OBJ_GETPROPERTIES"},
    {DRM_IOCTL_MODE_OBJ_SETPROPERTY, kMaster, no_modesetting, "MODE_OBJ_SETPROPERTY"},
    {DRM_IOCTL_MODE_CURSOR2, kMaster, no_modesetting, "MODE_CURSOR2"},
    {DRM_IOCTL_MODE_ATOMIC, kMaster, no_modesetting, "MODE_ATOMIC"},
    {DRM_IOCTL_MODE_CREATEPROPBLOB, kPrimary, no_modesetting, "MODE_CREATEPROPBLOB"},
    {DRM_IOCTL_MODE_DESTROYPROPBLOB, kPrimary, no_modesetting, "MODE_DESTROYPROPBLOB"},
    {DRM_IOCTL_MODE_CREATE_LEASE, kMaster, no_modesetting, "MODE_CREATE_LEASE"},
    {DRM_IOCTL_MODE_LIST_LESSEES, kMaster, no_modesetting, "MODE_LIST_LESSEES"},
    {DRM_IOCTL_MODE_GET_LEASE, kMaster, no_modesetting, "MODE_GET_LEASE"},
    {DRM_IOCTL_MODE_REVOKE_LEASE, kMaster, no_modesetting, "MODE_REVOKE_LEASE"},
    {DRM_IOCTL_MODE_GETFB2, kPrimary, no_framebuffers, "MODE_GETFB2"},
    {DRM_IOWR(0xD0, std::uint32_t[2]), kPrimary, no_modesetting, "MODE_CLOSEFB"},

    {DRM_IOCTL_SYNCOBJ_CREATE, kAnyone, syncobj_create, "SYNCOBJ_CREATE"},
    {DRM_IOCTL_SYNCOBJ_DESTROY, kAnyone, syncobj_destroy, "SYNCOBJ_DESTROY"},
    {DRM_IOWR(0xC1, DrmSyncobjHandle), kAnyone, syncobj_handle_to_fd, "SYNCOBJ_HANDLE_TO_FD"},
    {DRM_IOWR(0xC2, DrmSyncobjHandle), kAnyone, syncobj_fd_to_handle, "SYNCOBJ_FD_TO_HANDLE"},
    {DRM_IOWR(0xC3, DrmSyncobjWait), kAnyone, syncobj_wait, "SYNCOBJ_WAIT"},
    {DRM_IOCTL_SYNCOBJ_RESET, kAnyone, syncobj_reset, "SYNCOBJ_RESET"},
    {DRM_IOCTL_SYNCOBJ_SIGNAL, kAnyone, syncobj_signal, "SYNCOBJ_SIGNAL"},
    {DRM_IOWR(0xCA, DrmSyncobjTimelineWait), kAnyone, syncobj_timeline_wait,
     "SYNCOBJ_TIMELINE_WAIT"},
    {DRM_IOCTL_SYNCOBJ_QUERY, kAnyone, syncobj_query, "SYNCOBJ_QUERY"},
    {DRM_IOCTL_SYNCOBJ_TRANSFER, kAnyone, syncobj_transfer, "SYNCOBJ_TRANSFER"},
    {DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, kAnyone, syncobj_timeline_signal,
     "SYNCOBJ_TIMELINE_SIGNAL"},
    {DRM_IOWR(0xCF, DrmSyncobjEventfd), kAnyone, syncobj_eventfd, "SYNCOBJ_EVENTFD"},
    {DRM_IOWR(0xD1, DrmSetClientName), kAnyone, set_client_name, "SET_CLIENT_NAME",
     &Features::set_client_name},
};

// number -> index in kTable + 1
constexpr std::array<std::uint8_t, 256> index_by_number() {
  std::array<std::uint8_t, 256> index{};
  std::uint8_t position = 0;
  for (const IoctlEntry& entry : kTable) index[number_of(entry.command)] = ++position;
  return index;
}
constexpr std::array<std::uint8_t, 256> kIndex = index_by_number();

}  // namespace

const IoctlEntry* find_ioctl(std::uint32_t command, const Features& features) {
  const std::uint8_t index = kIndex[number_of(command)];
  if (index == 0) return nullptr;
  const IoctlEntry& entry = kTable[index - 1];
  return !entry.since || features.*entry.since ? &entry : nullptr;
}

}  // namespace pantry::uapi
