/* SPDX-License-Identifier: MIT */
/*
 * The Panthor uAPI as a client sees it, uAPI 1.0 to 1.9.
 *
 * Names, numbers and layouts are those of the kernel, so that a client compiles against this header
 * or the kernel's without a change; uapi/abi_test.cc checks every size, offset and request number.
 * The comments are ours.
 *
 * Conventions
 *   - Every number in a struct is in host byte order; every address and size is in bytes.
 *   - "MBZ" means must be zero; what is not zero there gives EINVAL.
 *   - "in", "out", "in/out" say who writes a field. The argument struct is copied back even when
 * the call fails.
 *   - All ids and handles belong to one open file. 0 is never a valid id, handle or group.
 *   - The caller's struct may be shorter or longer than the one here: what is missing reads as 0,
 * what is too much is ignored (argument structs) or must be 0, else E2BIG (elements of an object
 * array).
 *   - A number in brackets, as in [1.4], is the uAPI minor of the version that brought the item in.
 */
#ifndef _PANTHOR_DRM_H_
#define _PANTHOR_DRM_H_

#include <drm.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------------
 * User MMIO: a window of mmap offsets above those of buffers.
 *
 * Only page 0 exists, the page of the flush id (u32 at byte 0): the id of the last GPU cache flush.
 * Map exactly one page, MAP_SHARED, PROT_READ; anything else is EINVAL. A valid read is never 0.
 * While the GPU sleeps it reads 1. A 64-bit process uses the window at 2^56, a 32-bit one that at
 * 2^43, unless SET_USER_MMIO_OFFSET chose [1.5].
 */
#define DRM_PANTHOR_USER_MMIO_OFFSET_32BIT (1ull << 43)
#define DRM_PANTHOR_USER_MMIO_OFFSET_64BIT (1ull << 56)
#define DRM_PANTHOR_USER_MMIO_OFFSET                              \
  (sizeof(unsigned long) < 8 ? DRM_PANTHOR_USER_MMIO_OFFSET_32BIT \
                             : DRM_PANTHOR_USER_MMIO_OFFSET_64BIT)
#define DRM_PANTHOR_USER_FLUSH_ID_MMIO_OFFSET (DRM_PANTHOR_USER_MMIO_OFFSET | 0)

/* Driver-private ioctl numbers, counted from DRM_COMMAND_BASE (0x40). All are allowed on the render
 * node. */
enum drm_panthor_ioctl_id {
  DRM_PANTHOR_DEV_QUERY = 0,
  DRM_PANTHOR_VM_CREATE = 1,
  DRM_PANTHOR_VM_DESTROY = 2,
  DRM_PANTHOR_VM_BIND = 3,
  DRM_PANTHOR_VM_GET_STATE = 4,
  DRM_PANTHOR_BO_CREATE = 5,
  DRM_PANTHOR_BO_MMAP_OFFSET = 6,
  DRM_PANTHOR_GROUP_CREATE = 7,
  DRM_PANTHOR_GROUP_DESTROY = 8,
  DRM_PANTHOR_GROUP_SUBMIT = 9,
  DRM_PANTHOR_GROUP_GET_STATE = 10,
  DRM_PANTHOR_TILER_HEAP_CREATE = 11,
  DRM_PANTHOR_TILER_HEAP_DESTROY = 12,
  DRM_PANTHOR_BO_SET_LABEL = 13,         /* [1.4] */
  DRM_PANTHOR_SET_USER_MMIO_OFFSET = 14, /* [1.5] */
  DRM_PANTHOR_BO_SYNC = 15,              /* [1.7] */
  DRM_PANTHOR_BO_QUERY_INFO = 16,        /* [1.7] */
};

/* Builds the request number of one ioctl from its access (R, W or WR), its id above and the name of
 * its struct. */
#define DRM_IOCTL_PANTHOR(__access, __id, __type) \
  DRM_IO##__access(DRM_COMMAND_BASE + DRM_PANTHOR_##__id, struct drm_panthor_##__type)

#define DRM_IOCTL_PANTHOR_DEV_QUERY DRM_IOCTL_PANTHOR(WR, DEV_QUERY, dev_query)
#define DRM_IOCTL_PANTHOR_VM_CREATE DRM_IOCTL_PANTHOR(WR, VM_CREATE, vm_create)
#define DRM_IOCTL_PANTHOR_VM_DESTROY DRM_IOCTL_PANTHOR(WR, VM_DESTROY, vm_destroy)
#define DRM_IOCTL_PANTHOR_VM_BIND DRM_IOCTL_PANTHOR(WR, VM_BIND, vm_bind)
#define DRM_IOCTL_PANTHOR_VM_GET_STATE DRM_IOCTL_PANTHOR(WR, VM_GET_STATE, vm_get_state)
#define DRM_IOCTL_PANTHOR_BO_CREATE DRM_IOCTL_PANTHOR(WR, BO_CREATE, bo_create)
#define DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET DRM_IOCTL_PANTHOR(WR, BO_MMAP_OFFSET, bo_mmap_offset)
#define DRM_IOCTL_PANTHOR_GROUP_CREATE DRM_IOCTL_PANTHOR(WR, GROUP_CREATE, group_create)
#define DRM_IOCTL_PANTHOR_GROUP_DESTROY DRM_IOCTL_PANTHOR(WR, GROUP_DESTROY, group_destroy)
#define DRM_IOCTL_PANTHOR_GROUP_SUBMIT DRM_IOCTL_PANTHOR(WR, GROUP_SUBMIT, group_submit)
#define DRM_IOCTL_PANTHOR_GROUP_GET_STATE DRM_IOCTL_PANTHOR(WR, GROUP_GET_STATE, group_get_state)
#define DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE \
  DRM_IOCTL_PANTHOR(WR, TILER_HEAP_CREATE, tiler_heap_create)
#define DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY \
  DRM_IOCTL_PANTHOR(WR, TILER_HEAP_DESTROY, tiler_heap_destroy)
#define DRM_IOCTL_PANTHOR_BO_SET_LABEL DRM_IOCTL_PANTHOR(WR, BO_SET_LABEL, bo_set_label)
#define DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET \
  DRM_IOCTL_PANTHOR(WR, SET_USER_MMIO_OFFSET, set_user_mmio_offset)
#define DRM_IOCTL_PANTHOR_BO_SYNC DRM_IOCTL_PANTHOR(WR, BO_SYNC, bo_sync)
#define DRM_IOCTL_PANTHOR_BO_QUERY_INFO DRM_IOCTL_PANTHOR(WR, BO_QUERY_INFO, bo_query_info)

/* ------------------------------------------------------------------------------------------------------------------
 * Shared pieces
 */

/*
 * An array of objects in the caller's memory.
 * Errors when it is read: EINVAL (stride below the minimum size of the object), E2BIG (an element
 * longer than the driver knows has a byte other than 0 in its tail), EFAULT, ENOMEM. With count 0
 * nothing else is looked at.
 */
struct drm_panthor_obj_array {
  __u32 stride; /* in: bytes from one element to the next */
  __u32 count;  /* in: elements; a failing synchronous VM_BIND writes the index of the failing one
                   here */
  __u64 array;  /* in: user pointer to the first element */
};

/* Initialiser for an obj_array of `cnt` elements at `ptr`, whose element type gives the stride. */
#define DRM_PANTHOR_OBJ_ARRAY(cnt, ptr) \
  { .stride = sizeof((ptr)[0]), .count = (cnt), .array = (__u64)(uintptr_t)(ptr) }

/* Flags of a sync operation: a handle type, plus WAIT (the value 0) or SIGNAL. */
enum drm_panthor_sync_op_flags {
  DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_MASK = 0xff,
  DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_SYNCOBJ = 0, /* binary: timeline_value MBZ */
  DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ =
      1, /* a point of a timeline; value 0 acts as binary */
  DRM_PANTHOR_SYNC_OP_WAIT = 0 << 31,
  DRM_PANTHOR_SYNC_OP_SIGNAL = (int)(1u << 31),
};

/*
 * What a job or an asynchronous bind waits for, or signals when it is done.
 * Errors: EINVAL (unknown flag, binary with a value, SIGNAL of an unknown syncobj, WAIT for a fence
 * that nobody has submitted yet), ENOENT (WAIT for an unknown syncobj). An error carried by an
 * awaited fence is not passed on.
 */
struct drm_panthor_sync_op {
  __u32 flags;          /* in: enum drm_panthor_sync_op_flags, other bits MBZ */
  __u32 handle;         /* in: syncobj handle */
  __u64 timeline_value; /* in: point */
};

/* ------------------------------------------------------------------------------------------------------------------
 * DEV_QUERY
 */

enum drm_panthor_dev_query_type {
  DRM_PANTHOR_DEV_QUERY_GPU_INFO = 0,       /* struct drm_panthor_gpu_info */
  DRM_PANTHOR_DEV_QUERY_CSIF_INFO = 1,      /* struct drm_panthor_csif_info */
  DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO = 2, /* struct drm_panthor_timestamp_info [1.1] */
  DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO =
      3,                              /* struct drm_panthor_group_priorities_info [1.2] */
  DRM_PANTHOR_DEV_QUERY_MMU_INFO = 4, /* struct drm_panthor_mmu_info [1.9] */
};

/* Values of drm_panthor_gpu_info.selected_coherency [1.7]. */
enum drm_panthor_gpu_coherency {
  DRM_PANTHOR_GPU_COHERENCY_ACE_LITE = 0,
  DRM_PANTHOR_GPU_COHERENCY_ACE = 1,
  DRM_PANTHOR_GPU_COHERENCY_NONE = 31,
};

/* The GPU's identification registers, as read at probe. At least the first 96 bytes must be asked
 * for. */
struct drm_panthor_gpu_info {
  __u32 gpu_id;
#define DRM_PANTHOR_ARCH_MAJOR(x) ((x) >> 28)
#define DRM_PANTHOR_ARCH_MINOR(x) (((x) >> 24) & 0xf)
#define DRM_PANTHOR_ARCH_REV(x) (((x) >> 20) & 0xf)
#define DRM_PANTHOR_PRODUCT_MAJOR(x) (((x) >> 16) & 0xf)
#define DRM_PANTHOR_VERSION_MAJOR(x) (((x) >> 12) & 0xf)
#define DRM_PANTHOR_VERSION_MINOR(x) (((x) >> 4) & 0xff)
#define DRM_PANTHOR_VERSION_STATUS(x) ((x)&0xf)
  __u32 gpu_rev;
  __u32 csf_id; /* command-stream hardware in 31:16, its controller in 15:0 */
#define DRM_PANTHOR_CSHW_MAJOR(x) (((x) >> 26) & 0x3f)
#define DRM_PANTHOR_CSHW_MINOR(x) (((x) >> 20) & 0x3f)
#define DRM_PANTHOR_CSHW_REV(x) (((x) >> 16) & 0xf)
#define DRM_PANTHOR_MCU_MAJOR(x) (((x) >> 10) & 0x3f)
#define DRM_PANTHOR_MCU_MINOR(x) (((x) >> 4) & 0x3f)
#define DRM_PANTHOR_MCU_REV(x) ((x)&0xf)
  __u32 l2_features; /* 7:0 = log2 of the L2 line in bytes */
  __u32 tiler_features;
  __u32 mem_features;
  __u32 mmu_features; /* 7:0 = bits of a virtual address, 15:8 = bits of a physical one */
#define DRM_PANTHOR_MMU_VA_BITS(x) ((x)&0xff)
  __u32 thread_features;
  __u32 max_threads;
  __u32 thread_max_workgroup_size;
  __u32 thread_max_barrier_size;
  __u32 coherency_features;
  __u32 texture_features[4];
  __u32 as_present; /* one bit per address space; space 0 belongs to the firmware */
  union {
    __u32 pad0;               /* 0 before 1.7 */
    __u32 selected_coherency; /* enum drm_panthor_gpu_coherency [1.7] */
  };
  __u64 shader_present; /* one bit per shader core */
  __u64 l2_present;
  __u64 tiler_present;
  __u32 core_features;
  __u32 pad;          /* 0 */
  __u64 gpu_features; /* drivers between 1.5 and 1.7 and later; older ones answer 104 bytes */
};

/* Limits of the command-stream interface. */
struct drm_panthor_csif_info {
  __u32 csg_slot_count; /* groups that can be on the hardware at once; more are time-sliced */
  __u32 cs_slot_count;  /* queues per group */
  __u32 cs_reg_count;   /* 32-bit registers per queue */
  __u32 scoreboard_slot_count;    /* scoreboard entries per queue */
  __u32 unpreserved_cs_reg_count; /* the last N registers do not survive from one job to the next */
  __u32 pad;                      /* 0 */
};

/*
 * Which parts of drm_panthor_timestamp_info are wanted [1.8]. 0 means GPU, GPU_OFFSET and FREQ.
 * Bits 3:1 are one field, the CPU clock; an unknown clock or bit is EINVAL.
 */
enum drm_panthor_timestamp_info_flags {
  DRM_PANTHOR_TIMESTAMP_GPU = 1 << 0,
  DRM_PANTHOR_TIMESTAMP_CPU_NONE = 0 << 1,
  DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC = 1 << 1,
  DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW = 2 << 1,
  DRM_PANTHOR_TIMESTAMP_CPU_TYPE_MASK = 7 << 1,
  DRM_PANTHOR_TIMESTAMP_GPU_OFFSET = 1 << 4,
  DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT = 1 << 5,
  DRM_PANTHOR_TIMESTAMP_FREQ = 1 << 6,
  DRM_PANTHOR_TIMESTAMP_DURATION = 1 << 7,
};

/* Clocks [1.1]. Until 1.7 the struct ends after timestamp_offset (24 bytes; at least 16 must be
 * asked for). */
struct drm_panthor_timestamp_info {
  __u64 timestamp_frequency; /* Hz of current_timestamp; 0 where the platform has no such clock */
  __u64 current_timestamp;   /* ticks */
  __u64 timestamp_offset;    /* ticks added by the GPU to the raw counter */
  __u32 flags;               /* in [1.8]: enum drm_panthor_timestamp_info_flags; echoed */
  __u32 duration_nsec;       /* [1.8]: ns that taking the stamps took */
  __u64 cycle_count;         /* [1.8]: GPU cycles */
  __u64 cpu_timestamp_sec;   /* [1.8]: seconds and ... */
  __u64 cpu_timestamp_nsec;  /* [1.8]: ... nanoseconds of the chosen CPU clock */
};

/* Group priorities that this file may use [1.2]. */
struct drm_panthor_group_priorities_info {
  __u8 allowed_mask; /* bit n: priority n of enum drm_panthor_group_priority */
  __u8 pad[3];       /* 0 */
};

/* Page tables [1.9]. */
struct drm_panthor_mmu_info {
  __u64 page_size_bitmap; /* bit n: leaves of 2^n bytes exist */
};

/*
 * DEV_QUERY: copies one of the structs above.
 * pointer 0: `size` receives the size the driver knows. Otherwise min(size, known) bytes are
 * written and the rest of the caller's buffer is zeroed. Errors: EINVAL (unknown type, size below
 * the minimum of the type), EFAULT.
 */
struct drm_panthor_dev_query {
  __u32 type;    /* in: enum drm_panthor_dev_query_type */
  __u32 size;    /* in/out: bytes */
  __u64 pointer; /* in: user pointer or 0 */
};

/* ------------------------------------------------------------------------------------------------------------------
 * Virtual memory
 */

/*
 * VM_CREATE: a GPU address space.
 * The driver keeps the top of the space for itself. Errors: EINVAL (flags, a range that leaves it
 * less than 256 MiB), ENOMEM, EBUSY (32 spaces exist in this file).
 */
struct drm_panthor_vm_create {
  __u32 flags;         /* in: MBZ */
  __u32 id;            /* out: 1..32, the lowest free */
  __u64 user_va_range; /* in: bytes wanted for the client from VA 0 up, 0 = driver's choice; out:
                          bytes granted */
};

/* VM_DESTROY: returns at once; jobs that still run in the space will fault. Errors: EINVAL (pad,
 * unknown id). */
struct drm_panthor_vm_destroy {
  __u32 id;  /* in */
  __u32 pad; /* in: MBZ */
};

/* Flags of one bind operation; the type is a number in bits 31:28. */
enum drm_panthor_vm_bind_op_flags {
  DRM_PANTHOR_VM_BIND_OP_MAP_READONLY = 1 << 0, /* a store of the GPU faults */
  DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC = 1 << 1,   /* an instruction fetch faults */
  DRM_PANTHOR_VM_BIND_OP_MAP_UNCACHED = 1 << 2, /* bypasses the GPU's L2 */
  DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE =
      1 << 3, /* no buffer: reads undefined, stores lost; needs NOEXEC [1.9] */
  DRM_PANTHOR_VM_BIND_OP_TYPE_MASK = (int)(0xfu << 28),
  DRM_PANTHOR_VM_BIND_OP_TYPE_MAP = 0 << 28,   /* replaces whatever was mapped in the range */
  DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP = 1 << 28, /* holes in the range are no error */
  DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY =
      2 << 28, /* only waits and signals; asynchronous calls only */
};

/* One bind operation. va, size and bo_offset are multiples of 4096; [va, va + size) lies in the
 * client's range. */
struct drm_panthor_vm_bind_op {
  __u32 flags;                        /* in: enum drm_panthor_vm_bind_op_flags */
  __u32 bo_handle;                    /* in: MAP only, else MBZ */
  __u64 bo_offset;                    /* in: MAP only, else MBZ */
  __u64 va;                           /* in: first byte; 0 is a valid address; SYNC_ONLY: MBZ */
  __u64 size;                         /* in: bytes; SYNC_ONLY: MBZ */
  struct drm_panthor_obj_array syncs; /* in: of drm_panthor_sync_op; asynchronous calls only */
};

enum drm_panthor_vm_bind_flags {
  DRM_PANTHOR_VM_BIND_ASYNC =
      1 << 0, /* queue the operations in order behind earlier ones of this space */
};

/*
 * VM_BIND. Synchronous: the operations run one by one until one fails; ops.count then holds its
 * index and the ones before it stay done. Asynchronous: all are queued or none. Errors: EINVAL
 * (unknown space or buffer, alignment, range, flags, a space that is unusable or a buffer that
 * belongs to another one), ENOENT (WAIT for an unknown syncobj), ENOMEM, and those of the arrays.
 */
struct drm_panthor_vm_bind {
  __u32 vm_id;                      /* in */
  __u32 flags;                      /* in: enum drm_panthor_vm_bind_flags */
  struct drm_panthor_obj_array ops; /* in/out: of drm_panthor_vm_bind_op */
};

enum drm_panthor_vm_state {
  DRM_PANTHOR_VM_STATE_USABLE = 0,
  DRM_PANTHOR_VM_STATE_UNUSABLE = 1, /* an asynchronous bind failed; only VM_DESTROY is left */
};

/* VM_GET_STATE. A GPU fault does not make a space unusable. Errors: EINVAL (unknown id). */
struct drm_panthor_vm_get_state {
  __u32 vm_id; /* in */
  __u32 state; /* out: enum drm_panthor_vm_state */
};

/* ------------------------------------------------------------------------------------------------------------------
 * Buffers
 */

enum drm_panthor_bo_flags {
  DRM_PANTHOR_BO_NO_MMAP = (1 << 0), /* never mapped by the CPU */
  DRM_PANTHOR_BO_WB_MMAP = (1 << 1), /* CPU mappings are cached; see BO_SYNC [1.7] */
};

/*
 * BO_CREATE: a buffer of zeroed memory. Handles are the lowest free number from 1 up;
 * DRM_IOCTL_GEM_CLOSE frees one. Errors: EINVAL (size 0, pad, unknown flag, both flags, unknown
 * space), ENOMEM, ENOSPC (no mmap offset space).
 */
struct drm_panthor_bo_create {
  __u64 size;            /* in/out: bytes; rounded up to the CPU's page size */
  __u32 flags;           /* in: enum drm_panthor_bo_flags */
  __u32 exclusive_vm_id; /* in: 0, or the one space that may map it; such a buffer cannot be
                            exported */
  __u32 handle;          /* out */
  __u32 pad;             /* in: MBZ */
};

/* BO_MMAP_OFFSET. Errors: EINVAL (pad), ENOENT (unknown handle), EPERM (NO_MMAP; drivers
 * before 1.4: mmap fails). */
struct drm_panthor_bo_mmap_offset {
  __u32 handle; /* in */
  __u32 pad;    /* in: MBZ */
  __u64 offset; /* out: for mmap(MAP_SHARED) on the same file; stable for the life of the buffer */
};

/* BO_SET_LABEL [1.4]: a name for debugging. Errors: EINVAL (pad), ENOENT, E2BIG (4096 characters or
 * more), EFAULT. */
struct drm_panthor_bo_set_label {
  __u32 handle; /* in */
  __u32 pad;    /* in: MBZ */
  __u64 label;  /* in: user pointer to a C string; 0 takes the label away */
};

enum drm_panthor_bo_sync_op_type {
  DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH = 0, /* before the GPU reads what the CPU wrote */
  DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE =
      1, /* before the CPU reads what the GPU wrote */
};

/* One range of one buffer. Errors: ENOENT (handle), EINVAL (range outside the buffer, unknown type,
 * imported). */
struct drm_panthor_bo_sync_op {
  __u32 handle; /* in */
  __u32 type;   /* in: enum drm_panthor_bo_sync_op_type */
  __u64 offset; /* in: bytes */
  __u64 size;   /* in: bytes */
};

/* BO_SYNC [1.7]: CPU cache maintenance; the ops run in order until one fails. */
struct drm_panthor_bo_sync {
  struct drm_panthor_obj_array ops; /* in: of drm_panthor_bo_sync_op */
};

enum drm_panthor_bo_extra_flags {
  DRM_PANTHOR_BO_IS_IMPORTED = (1 << 0), /* the memory belongs to another device */
};

/* BO_QUERY_INFO [1.7]. Errors: ENOENT. */
struct drm_panthor_bo_query_info {
  __u32 handle;       /* in */
  __u32 extra_flags;  /* out: enum drm_panthor_bo_extra_flags */
  __u32 create_flags; /* out: enum drm_panthor_bo_flags as created */
  __u32 pad;          /* out: 0 */
};

/* ------------------------------------------------------------------------------------------------------------------
 * Groups of queues, and jobs
 */

/* One queue of a group. */
struct drm_panthor_queue_create {
  __u8 priority;      /* in: 0..15, among the queues of the group */
  __u8 pad[3];        /* in: MBZ */
  __u32 ringbuf_size; /* in: bytes, a power of two from 4096 to 65536 */
};

/* Strict between levels, round robin within one. More than MEDIUM: the DRM master or CAP_SYS_NICE
 * only. */
enum drm_panthor_group_priority {
  PANTHOR_GROUP_PRIORITY_LOW = 0,
  PANTHOR_GROUP_PRIORITY_MEDIUM = 1,
  PANTHOR_GROUP_PRIORITY_HIGH = 2,
  PANTHOR_GROUP_PRIORITY_REALTIME = 3, /* [1.2] */
};

/*
 * GROUP_CREATE: queues that are scheduled together on one address space.
 * Errors: EINVAL (no queue or too many, priority, pad, a core mask outside what is present or
 * smaller than its maximum, unknown space, a bad queue), EACCES (priority), ENOMEM, ENOSPC, EBUSY
 * (128 groups exist in this file).
 */
struct drm_panthor_group_create {
  struct drm_panthor_obj_array
      queues;               /* in: of drm_panthor_queue_create, 1 to csif_info.cs_slot_count */
  __u8 max_compute_cores;   /* in: at most so many cores of the mask at a time */
  __u8 max_fragment_cores;  /* in */
  __u8 max_tiler_cores;     /* in */
  __u8 priority;            /* in: enum drm_panthor_group_priority */
  __u32 pad;                /* in: MBZ */
  __u64 compute_core_mask;  /* in: bits of gpu_info.shader_present */
  __u64 fragment_core_mask; /* in: bits of gpu_info.shader_present */
  __u64 tiler_core_mask;    /* in: bits of gpu_info.tiler_present */
  __u32 vm_id;              /* in */
  __u32 group_handle;       /* out: 1..128, the lowest free */
};

/* GROUP_DESTROY: returns at once; unfinished jobs end with ECANCELED. Errors: EINVAL (pad, unknown
 * handle). */
struct drm_panthor_group_destroy {
  __u32 group_handle; /* in */
  __u32 pad;          /* in: MBZ */
};

/* One job: a command stream called by a queue. stream_addr and stream_size both 0: no stream, only
 * syncs. */
struct drm_panthor_queue_submit {
  __u32 queue_index; /* in: below the group's queue count */
  __u32 stream_size; /* in: bytes, a multiple of 8 */
  __u64 stream_addr; /* in: GPU VA, a multiple of 64 */
  __u32
      latest_flush; /* in: flush id when caches were last known clean, 0 = flush; bits 30:24 MBZ */
  __u32 pad;        /* in: MBZ */
  struct drm_panthor_obj_array syncs; /* in: of drm_panthor_sync_op */
};

/*
 * GROUP_SUBMIT: queues all the jobs or none; never blocks for room in a ring.
 * Errors: EINVAL (pad, unknown group, a group that has failed, a bad element), ENOENT (WAIT for an
 * unknown syncobj), ENOMEM, and those of the arrays. count 0 succeeds and nothing is checked.
 */
struct drm_panthor_group_submit {
  __u32 group_handle;                         /* in */
  __u32 pad;                                  /* in: MBZ */
  struct drm_panthor_obj_array queue_submits; /* in: of drm_panthor_queue_submit */
};

enum drm_panthor_group_state_flags {
  DRM_PANTHOR_GROUP_STATE_TIMEDOUT = 1 << 0,    /* a job took too long */
  DRM_PANTHOR_GROUP_STATE_FATAL_FAULT = 1 << 1, /* fatal_queues is not 0 */
  DRM_PANTHOR_GROUP_STATE_INNOCENT = 1 << 2,    /* killed by a reset that it did not cause [1.3] */
};

/* GROUP_GET_STATE: a group with any state bit takes no more jobs. Errors: EINVAL (pad, unknown
 * handle). */
struct drm_panthor_group_get_state {
  __u32 group_handle; /* in; reads back 0 */
  __u32 state;        /* out: enum drm_panthor_group_state_flags */
  __u32 fatal_queues; /* out: one bit per queue that faulted */
  __u32 pad;          /* in: MBZ */
};

/* ------------------------------------------------------------------------------------------------------------------
 * Tiler heaps
 */

/*
 * TILER_HEAP_CREATE: memory that the tiler takes in chunks, growing up to a limit.
 * Errors: EINVAL (unknown space, counts, chunk size), ENOMEM, ENOSPC, EBUSY (128 heaps exist in
 * this space).
 */
struct drm_panthor_tiler_heap_create {
  __u32 vm_id;                 /* in */
  __u32 initial_chunk_count;   /* in: 1..max_chunks */
  __u32 chunk_size;            /* in: bytes, whole CPU pages, 128 KiB to 8 MiB */
  __u32 max_chunks;            /* in */
  __u32 target_in_flight;      /* in: render passes in flight beyond which the heap does not grow */
  __u32 handle;                /* out: vm_id << 16 | index */
  __u64 tiler_heap_ctx_gpu_va; /* out: for the HEAP_SET instruction */
  __u64 first_heap_chunk_gpu_va; /* out: the head of the chain of chunks */
};

/* TILER_HEAP_DESTROY: chunks go at once. Errors: EINVAL (pad, space, index), ENOENT (no heap). */
struct drm_panthor_tiler_heap_destroy {
  __u32 handle; /* in */
  __u32 pad;    /* in: MBZ */
};

/* ------------------------------------------------------------------------------------------------------------------
 * User MMIO window
 */

/* SET_USER_MMIO_OFFSET [1.5]: start of this file's window. Errors: EINVAL (not 2^43 or 2^56). */
struct drm_panthor_set_user_mmio_offset {
  __u64 offset; /* in */
};

#if defined(__cplusplus)
}
#endif

#endif /* _PANTHOR_DRM_H_ */
