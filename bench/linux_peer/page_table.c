/* SPDX-License-Identifier: MIT */
#include <linux/bug.h>
#include <linux/io-pgtable.h>
#include <linux/mm.h>

#include "bench/linux_peer/linux_peer.h"

_Static_assert(LINUX_PROT_READ == IOMMU_READ && LINUX_PROT_WRITE == IOMMU_WRITE &&
                   LINUX_PROT_CACHED == IOMMU_CACHE && LINUX_PROT_NO_EXEC == IOMMU_NOEXEC,
               "handed through as they are");

struct linux_page_table linux_page_table_create(const struct linux_pages* pages,
                                                unsigned int va_bits, unsigned int pa_bits,
                                                unsigned long page_sizes) {
  struct io_pgtable_cfg config = {
      .pgsize_bitmap = page_sizes,
      .ias = va_bits,
      .oas = pa_bits,
      .coherent_walk = true,
      .alloc = pages->alloc,
      .free = pages->free,
  };
  struct io_pgtable_ops* const ops = alloc_io_pgtable_ops(ARM_64_LPAE_S1, &config, pages->cookie);
  WARN_ON(!ops);
  return (struct linux_page_table){
      .ops = ops,
      .root = config.arm_lpae_s1_cfg.ttbr,
      .map_pages = ops->map_pages,
      .unmap_pages = ops->unmap_pages,
      .iova_to_phys = ops->iova_to_phys,
  };
}

void linux_page_table_destroy(struct linux_page_table* table) {
  free_io_pgtable_ops(table->ops);
  table->ops = NULL;
}
