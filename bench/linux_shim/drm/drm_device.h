/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/kref.h>

struct drm_device {
  struct kref ref;
};
