// SPDX-License-Identifier: MIT
//
// All of the harness, for test programs. The names that IGT's programs know without a prefix are in
// scope here.
#pragma once

#include "igt_tests/harness/children.h"
#include "igt_tests/harness/device.h"
#include "igt_tests/harness/ioctl.h"
#include "igt_tests/harness/log.h"
#include "igt_tests/harness/outcome.h"
#include "igt_tests/harness/subtest.h"

using igt::DRIVER_ANY;
using igt::DRIVER_PANTHOR;
using igt::drm_close_driver;
using igt::drm_open_driver;
using igt::drm_open_driver_render;
using igt::drm_reopen_driver;
