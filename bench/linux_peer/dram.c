/* SPDX-License-Identifier: MIT */
#include <linux/bug.h>
#include <linux/mm.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/linux_peer/linux_peer.h"

unsigned long linux_shim_page_offset;

bool linux_peer_installed(void) { return true; }

void linux_peer_set_dram(void* host, linux_address base) {
  linux_shim_page_offset = (unsigned long)host - base;
}

void linux_shim_bug(const char* condition) {
  fprintf(stderr, "Linux's code warns: %s\n", condition);
  abort();
}
