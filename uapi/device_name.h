// SPDX-License-Identifier: MIT
//
// What Linux calls the device: the address in the device tree of the RK3588. A macro, so that paths
// with it are literals; the shim may not put any together.
#pragma once

#define PANTRY_DEVICE_NAME "fb000000.gpu"
