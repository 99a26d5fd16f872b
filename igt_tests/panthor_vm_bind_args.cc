// SPDX-License-Identifier: MIT

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/vm.h"

IGT_TEST_DESCRIPTION("What VM_BIND refuses, with which errno, and in which order it looks.");

using namespace gpu;

namespace {

constexpr uint64_t kVa = 0x1000'0000;

// One VM, one buffer, and a way to send one operation.
struct Table {
  explicit Table(const Device& device)
      : fd(device.fd()), vm(Vm::create(device)), bo(Bo::create(device, 4 * kPage)) {}

  drm_panthor_vm_bind_op map() const {
    drm_panthor_vm_bind_op op{};
    op.flags = kMap;
    op.bo_handle = bo.handle();
    op.va = kVa;
    op.size = kPage;
    return op;
  }
  static drm_panthor_vm_bind_op unmap() {
    drm_panthor_vm_bind_op op{};
    op.flags = kUnmap;
    op.va = kVa;
    op.size = kPage;
    return op;
  }

  int sync(const drm_panthor_vm_bind_op& op) const { return send(op, 0); }
  int async(const drm_panthor_vm_bind_op& op) const { return send(op, DRM_PANTHOR_VM_BIND_ASYNC); }
  // Both modes must say the same.
  void expect(const drm_panthor_vm_bind_op& op, int expected) const {
    igt_assert_eq(sync(op), expected);
    igt_assert_eq(async(op), expected);
  }

  int send(const drm_panthor_vm_bind_op& op, uint32_t flags) const {
    drm_panthor_vm_bind request{};
    request.vm_id = vm.id();
    request.flags = flags;
    request.ops = {sizeof(op), 1, reinterpret_cast<uint64_t>(&op)};
    return igt::ioctl_errno(fd, DRM_IOCTL_PANTHOR_VM_BIND, &request);
  }
  int send_array(uint32_t stride, uint32_t count, const void* array, uint32_t flags) const {
    drm_panthor_vm_bind request{};
    request.vm_id = vm.id();
    request.flags = flags;
    request.ops = {stride, count, reinterpret_cast<uint64_t>(array)};
    const int number = igt::ioctl_errno(fd, DRM_IOCTL_PANTHOR_VM_BIND, &request);
    if (flags != 0 || number != EINVAL) igt_assert_eq(request.ops.count, count);
    return number;
  }

  int fd;
  Vm vm;
  Bo bo;
};

void good_ones(const Device& device) {
  const Table table(device);
  table.expect(table.map(), 0);
  table.expect(Table::unmap(), 0);
}

void unknown_vm(const Device& device) {
  const Table table(device);
  const drm_panthor_vm_bind_op op = table.map();
  for (const uint32_t id : {0U, 31U, 4711U}) {
    for (const uint32_t flags : {0U, 1U}) {
      drm_panthor_vm_bind request{id, flags, {sizeof(op), 1, reinterpret_cast<uint64_t>(&op)}};
      do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request, EINVAL);
    }
  }
  // The space is looked up before the array is.
  drm_panthor_vm_bind request{4711, 0, {sizeof(op), 1, 8}};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request, EINVAL);
}

void unknown_call_flags(const Device& device) {
  // Accepted by every version.
  const Table table(device);
  igt_assert_eq(table.send(table.map(), 1U << 5), 0);
  igt_assert_eq(table.send(table.map(), 1U << 5 | DRM_PANTHOR_VM_BIND_ASYNC), 0);
}

void alignment(const Device& device) {
  const Table table(device);
  for (const uint64_t odd : {uint64_t{1}, uint64_t{0x800}, kPage - 1}) {
    drm_panthor_vm_bind_op op = table.map();
    op.va += odd;
    table.expect(op, EINVAL);
    op = table.map();
    op.size += odd;
    table.expect(op, EINVAL);
    op = table.map();
    op.bo_offset += odd;
    table.expect(op, EINVAL);
    op = Table::unmap();
    op.va += odd;
    table.expect(op, EINVAL);
    op = Table::unmap();
    op.size += odd;
    table.expect(op, EINVAL);
  }
}

void unknown_buffer(const Device& device) {
  const Table table(device);
  for (const uint32_t handle : {0U, 4711U}) {
    drm_panthor_vm_bind_op op = table.map();
    op.bo_handle = handle;
    table.expect(op, EINVAL);
  }
}

void buffer_range(const Device& device) {
  const Table table(device);
  const auto part = [&](uint64_t offset, uint64_t size) {
    drm_panthor_vm_bind_op op = table.map();
    op.bo_offset = offset;
    op.size = size;
    return op;
  };
  table.expect(part(0, 4 * kPage), 0);
  table.expect(part(3 * kPage, kPage), 0);
  table.expect(part(0, 5 * kPage), EINVAL);
  table.expect(part(kPage, 4 * kPage), EINVAL);
  table.expect(part(4 * kPage, kPage), EINVAL);
  table.expect(part(5 * kPage, kPage), EINVAL);
  table.expect(part(~uint64_t{0} - kPage + 1, kPage), EINVAL);
  table.expect(part(~uint64_t{0} - kPage + 1, 2 * kPage), EINVAL);
}

void map_flags(const Device& device) {
  const Table table(device);
  const bool sparse_known = device.minor() >= 9;
  for (uint32_t bit = 0; bit < 28; ++bit) {
    drm_panthor_vm_bind_op op = table.map();
    op.flags |= 1U << bit;
    if (bit < 3) {
      table.expect(op, 0);
    } else if (bit > 3 || !sparse_known) {
      table.expect(op, EINVAL);
    }
  }
}

void unmap_fields(const Device& device) {
  const Table table(device);
  for (uint32_t bit = 0; bit < 28; ++bit) {
    drm_panthor_vm_bind_op op = Table::unmap();
    op.flags |= 1U << bit;
    table.expect(op, EINVAL);
  }
  drm_panthor_vm_bind_op op = Table::unmap();
  op.bo_handle = table.bo.handle();
  table.expect(op, EINVAL);
  op = Table::unmap();
  op.bo_offset = kPage;
  table.expect(op, EINVAL);
}

void unknown_types(const Device& device) {
  const Table table(device);
  for (uint32_t type = 3; type < 16; ++type) {
    drm_panthor_vm_bind_op op = Table::unmap();
    op.flags = type << 28;
    table.expect(op, EINVAL);
  }
}

void sync_only_fields(const Device& device) {
  const Table table(device);
  const Syncobj signalled = Syncobj::create_signalled(device);
  const Syncs syncs = Syncs().wait(signalled);
  drm_panthor_vm_bind_op op{};
  op.flags = kSyncOnly;
  op.syncs = syncs.array();
  igt_assert_eq(table.async(op), 0);
  igt_assert_eq(table.sync(op), EINVAL);
  drm_panthor_vm_bind_op bad = op;
  bad.syncs = {};
  igt_assert_eq(table.async(bad), EINVAL);
  igt_assert_eq(table.sync(bad), 0);
  bad = op;
  bad.bo_handle = table.bo.handle();
  igt_assert_eq(table.async(bad), EINVAL);
  bad = op;
  bad.bo_offset = kPage;
  igt_assert_eq(table.async(bad), EINVAL);
  bad = op;
  bad.va = kVa;
  igt_assert_eq(table.async(bad), EINVAL);
  bad = op;
  bad.size = kPage;
  igt_assert_eq(table.async(bad), EINVAL);
  bad = op;
  bad.flags |= kReadOnly;
  igt_assert_eq(table.async(bad), EINVAL);
}

void syncs_in_sync_mode(const Device& device) {
  const Table table(device);
  const Syncobj object = Syncobj::create(device);
  const Syncs syncs = Syncs().signal(object);
  drm_panthor_vm_bind_op op = table.map();
  op.syncs = syncs.array();
  igt_assert_eq(table.sync(op), EINVAL);
  // Looked at before the size is.
  op.size = 0;
  igt_assert_eq(table.sync(op), EINVAL);
  igt_assert_eq(object.wait(0), EINVAL);
}

void op_array_strides(const Device& device) {
  const Table table(device);
  const drm_panthor_vm_bind_op op = table.map();
  struct {
    drm_panthor_vm_bind_op op;
    uint64_t tail[2];
  } longer[2] = {{op, {0, 0}}, {op, {0, 0}}};
  for (const uint32_t flags : {0U, 1U}) {
    igt_assert_eq(table.send_array(sizeof(op) - 8, 1, &op, flags), EINVAL);
    igt_assert_eq(table.send_array(0, 1, &op, flags), EINVAL);
    longer[1].tail[1] = 0;
    igt_assert_eq(table.send_array(sizeof(longer[0]), 2, longer, flags), 0);
    longer[1].tail[1] = 1;
    igt_assert_eq(table.send_array(sizeof(longer[0]), 2, longer, flags), E2BIG);
    // Without elements nothing else counts.
    igt_assert_eq(table.send_array(3, 0, nullptr, flags), 0);
    igt_assert_eq(table.send_array(sizeof(op), 1, nullptr, flags), EFAULT);
    igt_assert_eq(table.send_array(sizeof(longer[0]), 1, nullptr, flags), EFAULT);
  }
}

void op_array_half_readable(const Device& device) {
  const Table table(device);
  auto* pages = static_cast<uint8_t*>(
      mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  igt_assert(pages != MAP_FAILED);
  munmap(pages + kPage, kPage);
  auto* last = reinterpret_cast<drm_panthor_vm_bind_op*>(pages + kPage) - 1;
  *last = table.map();
  igt_assert_eq(table.send_array(sizeof(*last), 1, last, 0), 0);
  igt_assert_eq(table.send_array(sizeof(*last), 2, last, 0), EFAULT);
  munmap(pages, kPage);
}

int send_syncs(const Table& table, drm_panthor_obj_array syncs) {
  drm_panthor_vm_bind_op op = table.map();
  op.syncs = syncs;
  return table.async(op);
}

void sync_array_strides(const Device& device) {
  const Table table(device);
  const Syncobj object = Syncobj::create_signalled(device);
  struct {
    drm_panthor_sync_op op;
    uint64_t tail;
  } longer{{0, object.handle(), 0}, 0};
  const auto array = reinterpret_cast<uint64_t>(&longer);
  igt_assert_eq(send_syncs(table, {sizeof(longer.op), 1, array}), 0);
  igt_assert_eq(send_syncs(table, {sizeof(longer.op) - 8, 1, array}), EINVAL);
  igt_assert_eq(send_syncs(table, {sizeof(longer), 1, array}), 0);
  longer.tail = 1;
  igt_assert_eq(send_syncs(table, {sizeof(longer), 1, array}), E2BIG);
  igt_assert_eq(send_syncs(table, {sizeof(longer.op), 1, 8}), EFAULT);
  igt_assert_eq(send_syncs(table, {1, 0, 8}), 0);
}

int send_sync(const Table& table, drm_panthor_sync_op sync) {
  return send_syncs(table, {sizeof(sync), 1, reinterpret_cast<uint64_t>(&sync)});
}

void sync_op_fields(const Device& device) {
  const Table table(device);
  const Syncobj object = Syncobj::create_signalled(device);
  const auto signal = static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
  igt_assert_eq(send_sync(table, {0, object.handle(), 0}), 0);
  igt_assert_eq(send_sync(table, {0, object.handle(), 1}), EINVAL);
  igt_assert_eq(send_sync(table, {signal, object.handle(), 1}), EINVAL);
  igt_assert_eq(send_sync(table, {2, object.handle(), 0}), EINVAL);
  igt_assert_eq(send_sync(table, {0xFF, object.handle(), 0}), EINVAL);
  for (uint32_t bit = 8; bit < 31; ++bit) {
    igt_assert_eq(send_sync(table, {1U << bit, object.handle(), 0}), EINVAL);
    igt_assert_eq(send_sync(table, {signal | 1U << bit, object.handle(), 0}), EINVAL);
  }
  // A timeline point 0 is the binary fence.
  igt_assert_eq(send_sync(table, {1, object.handle(), 0}), 0);
}

void wait_for_nothing(const Device& device) {
  const Table table(device);
  const Syncobj empty = Syncobj::create(device);
  igt_assert_eq(send_sync(table, {0, 4711, 0}), ENOENT);
  igt_assert_eq(send_sync(table, {0, empty.handle(), 0}), EINVAL);
  igt_assert_eq(send_sync(table, {1, empty.handle(), 5}), EINVAL);
  empty.signal_point(4);
  igt_assert_eq(send_sync(table, {1, empty.handle(), 5}), EINVAL);
  igt_assert_eq(send_sync(table, {1, empty.handle(), 4}), 0);
  igt_assert_eq(send_sync(table, {1, empty.handle(), 3}), 0);
}

void signal_unknown_syncobj(const Device& device) {
  igt_require_f(runs_on_pantry(), "a real kernel would not survive this\n");
  const Table table(device);
  igt_assert_eq(send_sync(table, {static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), 4711, 0}),
                EINVAL);
  igt_assert_eq(send_sync(table, {static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL) | 1, 4711, 9}),
                EINVAL);
}

void failing_index(const Device& device) {
  const Table table(device);
  for (uint32_t bad_one = 0; bad_one < 4; ++bad_one) {
    std::vector<drm_panthor_vm_bind_op> ops(4, table.map());
    ops[bad_one].bo_handle = 4711;
    drm_panthor_vm_bind request{};
    request.vm_id = table.vm.id();
    request.ops = {sizeof(ops[0]), 4, reinterpret_cast<uint64_t>(ops.data())};
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request, EINVAL);
    igt_assert_eq(request.ops.count, bad_one);
    request.ops.count = 4;
    request.flags = DRM_PANTHOR_VM_BIND_ASYNC;
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request, EINVAL);
    igt_assert_eq(request.ops.count, 4);
  }
}

void first_check_first(const Device& device) {
  // A wait for an unknown syncobj is ENOENT, but only once the operation itself has passed.
  const Table table(device);
  const drm_panthor_sync_op unknown{0, 4711, 0};
  drm_panthor_vm_bind_op op = table.map();
  op.syncs = {sizeof(unknown), 1, reinterpret_cast<uint64_t>(&unknown)};
  igt_assert_eq(table.async(op), ENOENT);
  op.va = 1;
  igt_assert_eq(table.async(op), EINVAL);
  // A sync array that cannot be read, after the operation's own fields too.
  op = table.map();
  op.syncs = {sizeof(unknown), 1, 8};
  igt_assert_eq(table.async(op), EFAULT);
  op.bo_handle = 4711;
  igt_assert_eq(table.async(op), EINVAL);
}

constexpr Case kCases[] = {
    {"good-ones", "What all the others are compared with.", good_ones},
    {"unknown-vm", "An unknown space is refused first. [A4.1]", unknown_vm},
    {"unknown-call-flags", "Unknown flags of the call are ignored. [A4.2]", unknown_call_flags},
    {"alignment", "Addresses, sizes and offsets are whole pages. [A4.11]", alignment},
    {"unknown-buffer", "An unknown buffer is EINVAL here. [A4.13]", unknown_buffer},
    {"buffer-range", "The range lies within the buffer. [A4.15]", buffer_range},
    {"map-flags", "Each flag bit of a map. [A4.14 A4.24]", map_flags},
    {"unmap-fields", "An unmap has no flags and no buffer. [A4.17]", unmap_fields},
    {"unknown-types", "Each unknown type. [A4.20]", unknown_types},
    {"sync-only-fields", "SYNC_ONLY has sync-ops and nothing else. [A4.18 A4.19]",
     sync_only_fields},
    {"syncs-in-sync-mode", "Sync-ops belong to asynchronous calls. [A4.3]", syncs_in_sync_mode},
    {"op-array-strides", "Strides of operations, both modes. [A1.1 A1.2 A1.3 A1.4 A4.7]",
     op_array_strides},
    {"op-array-half-readable", "An array that runs out of memory. [A1.5 A4.7]",
     op_array_half_readable},
    {"sync-array-strides", "Strides of sync-ops.", sync_array_strides},
    {"sync-op-fields", "Each bit of a sync-op's flags.", sync_op_fields},
    {"wait-for-nothing", "Waits for fences that are not there. [A9.2 A9.3]", wait_for_nothing},
    {"signal-unknown-syncobj", "Signalling what is not there. [A9.1]", signal_unknown_syncobj},
    {"failing-index", "A synchronous call tells which one failed. [A4.6 A4.9]", failing_index},
    {"first-check-first", "The order of the checks.", first_check_first},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
