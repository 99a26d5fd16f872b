/* SPDX-License-Identifier: MIT */
/* Linux's side where its sources are not installed: it says so, and must not be called. */
#include <stdlib.h>

#include "bench/linux_peer/linux_peer.h"

bool linux_peer_installed(void) { return false; }

void linux_peer_set_dram(void* host, linux_address base) { (void)host, (void)base; }

struct linux_page_table linux_page_table_create(const struct linux_pages* pages,
                                                unsigned int va_bits, unsigned int pa_bits,
                                                unsigned long page_sizes) {
  (void)pages, (void)va_bits, (void)pa_bits, (void)page_sizes;
  abort();
}
void linux_page_table_destroy(struct linux_page_table* table) {
  (void)table;
  abort();
}

struct linux_va_space* linux_va_space_create(linux_address size, unsigned int nodes) {
  (void)size, (void)nodes;
  abort();
}
void linux_va_space_destroy(struct linux_va_space* space) {
  (void)space;
  abort();
}
void linux_va_space_map(struct linux_va_space* space, const struct linux_va_mapping* mapping) {
  (void)space, (void)mapping;
  abort();
}
void linux_va_space_unmap(struct linux_va_space* space, linux_address first, linux_address size) {
  (void)space, (void)first, (void)size;
  abort();
}
linux_address linux_va_space_find(struct linux_va_space* space, linux_address va) {
  (void)space, (void)va;
  abort();
}
void linux_va_space_for_each(struct linux_va_space* space,
                             void (*visit)(void* context, const struct linux_va_mapping* mapping),
                             void* context) {
  (void)space, (void)visit, (void)context;
  abort();
}

struct linux_vm* linux_vm_create(const struct linux_page_source* source, unsigned int va_bits,
                                 unsigned int pa_bits) {
  (void)source, (void)va_bits, (void)pa_bits;
  abort();
}
void linux_vm_destroy(struct linux_vm* vm) {
  (void)vm;
  abort();
}
int linux_vm_bind_map(struct linux_vm* vm, linux_address va, const struct linux_extent* extents,
                      unsigned int count) {
  (void)vm, (void)va, (void)extents, (void)count;
  abort();
}
int linux_vm_bind_unmap(struct linux_vm* vm, linux_address va, linux_address size) {
  (void)vm, (void)va, (void)size;
  abort();
}
linux_address linux_vm_translate(struct linux_vm* vm, linux_address va) {
  (void)vm, (void)va;
  abort();
}
