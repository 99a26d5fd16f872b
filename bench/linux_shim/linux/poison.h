/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/compiler.h>

#define LIST_POISON1 ((void*)0x100)
#define LIST_POISON2 ((void*)0x122)
