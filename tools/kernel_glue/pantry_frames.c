// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the device who owns which frame of this kernel's memory, for the MMU checker: a frame has a new owner when the page
 * allocator or a cache of page-sized objects hands it out, and none when it is given back. The driver is not asked; its page
 * tables come from such a cache.
 *
 * Command line: "iomem=frames,FILE", a file that the device maps too (struct pantry_frame in wire.h). Without it, nothing is
 * told. What was handed out before this starts belongs to nobody; no GPU has seen it.
 *
 * Fed by tracepoints of the kernel, which the bulk calls of a slab cache do not have: the two of the driver's file with the
 * page tables are redirected to those below when it is compiled. Order: User-Mode Linux has one CPU, so interrupts being off
 * is the lock. The device reads beside it.
 */
#define pr_fmt(fmt) "pantry: " fmt

#include <linux/init.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <trace/events/kmem.h>
#include <mem_user.h>

#include "wire.h"

extern unsigned long long physmem_size;

int pantry_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t count, void **objects);
void pantry_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects);

static struct pantry_frame *changes; /* the first one; the frames follow */
static unsigned long frame_count;
static u64 last_owner;

enum hands { GIVEN_BACK, HANDED_OUT };

static void change(unsigned long first, unsigned long count, enum hands hands)
{
	unsigned long flags, frame;
	u64 number;

	if (!changes)
		return;
	local_irq_save(flags);
	number = changes->changed_at + 1;
	virt_store_release(&changes->changed_at, number);
	if (hands == HANDED_OUT)
		last_owner++;
	for (frame = first; frame < first + count && frame < frame_count; frame++) {
		WRITE_ONCE(changes[1 + frame].owner, hands == HANDED_OUT ? last_owner : 0);
		virt_store_release(&changes[1 + frame].changed_at, number);
	}
	local_irq_restore(flags);
}

static void change_object(struct kmem_cache *cache, const void *object, enum hands hands)
{
	if (!object || !cache || kmem_cache_size(cache) != PAGE_SIZE ||
	    !PAGE_ALIGNED((unsigned long)object))
		return;
	change(__pa(object) >> PAGE_SHIFT, 1, hands);
}

static void on_page_alloc(void *data, struct page *page, unsigned int order, gfp_t flags,
			  int migratetype)
{
	if (page)
		change(page_to_pfn(page), 1UL << order, HANDED_OUT);
}

static void on_page_free(void *data, struct page *page, unsigned int order)
{
	change(page_to_pfn(page), 1UL << order, GIVEN_BACK);
}

static void on_cache_alloc(void *data, unsigned long call_site, const void *object,
			   struct kmem_cache *cache, gfp_t flags, int node)
{
	change_object(cache, object, HANDED_OUT);
}

static void on_cache_free(void *data, unsigned long call_site, const void *object,
			  const struct kmem_cache *cache)
{
	change_object((struct kmem_cache *)cache, object, GIVEN_BACK);
}

int pantry_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t count, void **objects)
{
	int got = kmem_cache_alloc_bulk(cache, flags, count, objects), i;

	for (i = 0; i < got; i++)
		change_object(cache, objects[i], HANDED_OUT);
	return got;
}

void pantry_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects)
{
	size_t i;

	for (i = 0; i < count; i++)
		change_object(cache, objects[i], GIVEN_BACK);
	kmem_cache_free_bulk(cache, count, objects);
}

static int __init pantry_frames_init(void)
{
	unsigned long bytes, virt = find_iomem("frames", &bytes);
	int ret;

	if (!virt)
		return 0;
	frame_count = physmem_size >> PAGE_SHIFT;
	/* User-Mode Linux counts one page more than the file has. */
	if (bytes < (1 + frame_count) * sizeof(*changes) + PAGE_SIZE) {
		pr_err("iomem=frames: too small for %lu frames\n", frame_count);
		return -EINVAL;
	}
	changes = (struct pantry_frame *)virt;
	ret = register_trace_mm_page_alloc(on_page_alloc, NULL);
	ret = ret ?: register_trace_mm_page_free(on_page_free, NULL);
	ret = ret ?: register_trace_kmem_cache_alloc(on_cache_alloc, NULL);
	ret = ret ?: register_trace_kmem_cache_free(on_cache_free, NULL);
	if (ret)
		pr_err("the frames' owners are not known: %d\n", ret);
	return ret;
}
device_initcall_sync(pantry_frames_init);
