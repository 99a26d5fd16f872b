/* SPDX-License-Identifier: MIT
 *
 * The wire protocol of a device in a process of its own, version 1. Plain C, so that a kernel
 * driver can include it.
 *
 * A *host* (whoever runs a driver) connects to the *device* over one AF_UNIX stream socket. All
 * numbers are of the machine's own byte order, since both ends run on it. Fields called `reserved`
 * are sent as 0 and not looked at.
 *
 *   1. The host sends one pantry_hello, and with its first byte (SCM_RIGHTS) two to four
 * descriptors, in this order:
 *      - DRAM: a regular file or memfd of at least dram_offset + dram_bytes bytes, open for reading
 * and writing. Byte dram_offset of it is the physical address dram_base. Host and device map it
 * shared; nothing of DRAM goes over the wire.
 *      - the interrupt socket: one end of a stream or packet socketpair; the device only writes to
 * it.
 *      - with PANTRY_HAS_USER_PAGE, a file of which the page at user_page_offset holds the flush id
 * that clients map.
 *      - with PANTRY_HAS_FRAME_OWNERS, a file of pantry_frames: who owns which frame of DRAM, as
 * far as the host's allocator tells. For the MMU checker; the host writes it at any time.
 *   2. The device answers with one pantry_welcome. Unless its status is 0 it then hangs up.
 *   3. From then on the host sends pantry_requests and gets one pantry_reply for each, in order. It
 * may send several before it reads the replies. An access is done before its reply is sent; the
 * DRAM writes of the device that came before it are in place by then, and those of the host that
 * came before the request are seen.
 *   4. Whenever one of the three interrupt lines rises, the device writes one byte, the number of
 * the line, to the interrupt socket. Lines are level-triggered and the device keeps the levels:
 * each reply carries them as they are after the access. A host whose handler has left a line high
 * is not told again; it calls its handler again. An edge that finds the interrupt socket full is
 * dropped, since a host with that many unread edges is going to look at every line.
 *   5. Either side ends it by hanging up. The device then forgets its state; a new connection is a
 * new, powered-off device.
 *
 * A request that cannot be served gets a negative errno as status, changes nothing, and the
 * connection goes on: -EOPNOTSUPP for an unknown operation, -EINVAL for an offset that is not a
 * multiple of 4 inside the aperture. Memory that the host takes away under the device (a truncated
 * file) reads as 0 from then on; every status is -EFAULT once that is noticed, and the device hangs
 * up.
 */
#ifndef PANTRY_GPU_EMU_REMOTE_WIRE_H
#define PANTRY_GPU_EMU_REMOTE_WIRE_H

#include <linux/types.h> /* there for user space too, with the same names */

#define PANTRY_WIRE_MAGIC 0x59524e50u /* "PNRY" */
#define PANTRY_WIRE_VERSION 1

#define PANTRY_APERTURE_BYTES 0x200000u

enum pantry_hello_flags {
  PANTRY_HAS_USER_PAGE = 1u << 0,
  PANTRY_HAS_FRAME_OWNERS = 1u << 1,
};

struct pantry_hello {
  __u32 magic;
  __u16 version; /* the newest that the host speaks; the device answers with the one to use */
  __u16 bytes;   /* sizeof(struct pantry_hello) */
  __u32 flags;   /* enum pantry_hello_flags; an unknown bit is an error */
  __u32 reserved;
  __u64 dram_base;        /* a multiple of 4 KiB */
  __u64 dram_bytes;       /* a multiple of 4 KiB, not 0 */
  __u64 dram_offset;      /* a multiple of 4 KiB */
  __u64 user_page_offset; /* a multiple of 4 KiB; 0 without PANTRY_HAS_USER_PAGE */
  __u64 reserved2[2];
};

struct pantry_welcome {
  __u32 magic;
  __u16 version;
  __u16 bytes; /* sizeof(struct pantry_welcome) */
  __s32
      status; /* 0 or a negative errno: -EPROTO magic, size or descriptors; -EPROTONOSUPPORT version
                 or flag; -EINVAL geometry; -EFAULT a descriptor that cannot be mapped as told */
  __u32 reserved;
};

/* One for each 4 KiB of DRAM, in order of address, after one whose changed_at counts all changes.
 * Each change of hands has the next number; owner is stored before changed_at. */
struct pantry_frame {
  __u64 owner;      /* 0: nobody; nobody had the number before */
  __u64 changed_at; /* the number of the latest change; 0: never */
};

enum pantry_op {
  PANTRY_READ32 = 1,  /* value: the register at offset */
  PANTRY_WRITE32 = 2, /* writes value to the register at offset */
  PANTRY_LEVELS = 3,  /* touches nothing; the reply has the levels */
};

enum pantry_line {
  PANTRY_LINE_GPU = 0,
  PANTRY_LINE_JOB = 1,
  PANTRY_LINE_MMU = 2,
  PANTRY_LINES = 3,
};

struct pantry_request {
  __u32 op; /* enum pantry_op */
  __u32 offset;
  __u32 value;
  __u32 reserved;
};

struct pantry_reply {
  __s32 status; /* 0 or a negative errno */
  __u32 value;
  __u32 levels; /* bit n: line n is high */
  __u32 reserved;
};

#endif
