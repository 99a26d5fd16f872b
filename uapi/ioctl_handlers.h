// SPDX-License-Identifier: MIT
//
// Every ioctl of a DRM file, by subject; the table that dispatches to them is ioctl_table.cc. Rules
// and errno orders: panthor-uapi.md A and B, errata.
#pragma once

#include "uapi/ioctl_call.h"

namespace pantry::uapi {

// device_ioctls.cc
Result<> dev_query(Call& call);
Result<> set_user_mmio_offset(Call& call);

// vm_ioctls.cc
Result<> vm_create(Call& call);
Result<> vm_destroy(Call& call);
Result<> vm_bind(Call& call);
Result<> vm_get_state(Call& call);

// bo_ioctls.cc
Result<> bo_create(Call& call);
Result<> bo_mmap_offset(Call& call);
Result<> bo_set_label(Call& call);
Result<> bo_sync(Call& call);
Result<> bo_query_info(Call& call);
Result<> gem_close(Call& call);
Result<> gem_flink(Call& call);
Result<> gem_open(Call& call);

// group_ioctls.cc
Result<> group_create(Call& call);
Result<> group_destroy(Call& call);
Result<> group_submit(Call& call);
Result<> group_get_state(Call& call);

// heap_ioctls.cc
Result<> tiler_heap_create(Call& call);
Result<> tiler_heap_destroy(Call& call);

// prime_ioctls.cc
Result<> prime_handle_to_fd(Call& call);
Result<> prime_fd_to_handle(Call& call);

// syncobj_ioctls.cc
Result<> syncobj_create(Call& call);
Result<> syncobj_destroy(Call& call);
Result<> syncobj_handle_to_fd(Call& call);
Result<> syncobj_fd_to_handle(Call& call);
Result<> syncobj_reset(Call& call);
Result<> syncobj_signal(Call& call);
Result<> syncobj_timeline_signal(Call& call);
Result<> syncobj_query(Call& call);
Result<> syncobj_transfer(Call& call);

// syncobj_wait_ioctls.cc
Result<> syncobj_wait(Call& call);
Result<> syncobj_timeline_wait(Call& call);
Result<> syncobj_eventfd(Call& call);

// drm_core_ioctls.cc
Result<> version(Call& call);
Result<> get_unique(Call& call);
Result<> get_client(Call& call);
Result<> get_stats(Call& call);
Result<> get_cap(Call& call);
Result<> set_client_cap(Call& call);
Result<> set_version(Call& call);
Result<> set_master(Call& call);
Result<> drop_master(Call& call);
Result<> no_modesetting(Call& call);
Result<> no_dumb_buffers(Call& call);
Result<> no_framebuffers(Call& call);
Result<> no_operation(Call& call);
Result<> invalid_operation(Call& call);
Result<> get_magic(Call& call);
Result<> auth_magic(Call& call);
Result<> set_client_name(Call& call);

}  // namespace pantry::uapi
