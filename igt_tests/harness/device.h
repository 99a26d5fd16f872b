// SPDX-License-Identifier: MIT
//
// Finding and opening the device. Without a filter the nodes are tried in order and the first whose
// driver is wanted is taken: /dev/dri/card0..15, or renderD128..143 for the render variant. A
// filter (--device, else IGT_DEVICE) of the form drm:PATH names the node instead. When nothing
// fits, the test is skipped.
#pragma once

#include <string>
#include <vector>

namespace igt {

inline constexpr unsigned DRIVER_PANTHOR = 1U << 0;
// Whatever there is; IGT_FORCE_DRIVER then says which one.
inline constexpr unsigned DRIVER_ANY = ~0U;

void set_device_filters(std::vector<std::string> filters);

// Each returns an open descriptor or skips.
int drm_open_driver(unsigned drivers);
int drm_open_driver_render(unsigned drivers);
// An independent open of the node behind `fd`; fails the test if that cannot be had.
int drm_reopen_driver(int fd);
void drm_close_driver(int fd);

}  // namespace igt
