/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/compiler.h>
#include <linux/types.h>

#define container_of(pointer, type, member) ((type*)((char*)(pointer)-offsetof(type, member)))
