/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/compiler.h>
