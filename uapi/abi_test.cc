// SPDX-License-Identifier: MIT
//
// Every number of the ABI that clients are compiled against. The facts stand here a second time, as
// plain numbers, so that a slip in the header cannot hide; where Debian's kernel source is
// installed, the same expressions are compiled against its header and the values compared.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "uapi/include/drm/panthor_drm.h"

namespace {

// One fact: the expression as a C compiler would evaluate it, what our header says, and what it
// must be.
struct Fact {
  const char* expression;
  uint64_t ours;
  uint64_t expected;
};

#define FACT(expression, expected) \
  { #expression, static_cast < uint64_t>(expression), (expected) }
#define AT(type, member, offset, bytes)                      \
  FACT(offsetof(struct drm_panthor_##type, member), offset), \
      FACT(sizeof(((struct drm_panthor_##type*)0)->member), bytes)
#define SIZE(type, bytes) FACT(sizeof(struct drm_panthor_##type), bytes)

// What uAPI 1.0 (Linux 6.12) has.
const std::vector<Fact>& baseline_facts() {
  static const std::vector<Fact> facts = {
      FACT(DRM_IOCTL_PANTHOR_DEV_QUERY, 0xC0106440),
      FACT(DRM_IOCTL_PANTHOR_VM_CREATE, 0xC0106441),
      FACT(DRM_IOCTL_PANTHOR_VM_DESTROY, 0xC0086442),
      FACT(DRM_IOCTL_PANTHOR_VM_BIND, 0xC0186443),
      FACT(DRM_IOCTL_PANTHOR_VM_GET_STATE, 0xC0086444),
      FACT(DRM_IOCTL_PANTHOR_BO_CREATE, 0xC0186445),
      FACT(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, 0xC0106446),
      FACT(DRM_IOCTL_PANTHOR_GROUP_CREATE, 0xC0386447),
      FACT(DRM_IOCTL_PANTHOR_GROUP_DESTROY, 0xC0086448),
      FACT(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, 0xC0186449),
      FACT(DRM_IOCTL_PANTHOR_GROUP_GET_STATE, 0xC010644A),
      FACT(DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, 0xC028644B),
      FACT(DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY, 0xC008644C),

      FACT(DRM_PANTHOR_USER_MMIO_OFFSET_32BIT, uint64_t{1} << 43),
      FACT(DRM_PANTHOR_USER_MMIO_OFFSET_64BIT, uint64_t{1} << 56),
      FACT(DRM_PANTHOR_USER_FLUSH_ID_MMIO_OFFSET, uint64_t{1} << (sizeof(void*) == 8 ? 56 : 43)),

      SIZE(obj_array, 16),
      AT(obj_array, stride, 0, 4),
      AT(obj_array, count, 4, 4),
      AT(obj_array, array, 8, 8),

      FACT(DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_MASK, 0xFF),
      FACT(DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_SYNCOBJ, 0),
      FACT(DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ, 1),
      FACT(DRM_PANTHOR_SYNC_OP_WAIT, 0),
      FACT((uint32_t)DRM_PANTHOR_SYNC_OP_SIGNAL, 0x80000000),
      SIZE(sync_op, 16),
      AT(sync_op, flags, 0, 4),
      AT(sync_op, handle, 4, 4),
      AT(sync_op, timeline_value, 8, 8),

      FACT(DRM_PANTHOR_DEV_QUERY_GPU_INFO, 0),
      FACT(DRM_PANTHOR_DEV_QUERY_CSIF_INFO, 1),
      AT(gpu_info, gpu_id, 0, 4),
      AT(gpu_info, gpu_rev, 4, 4),
      AT(gpu_info, csf_id, 8, 4),
      AT(gpu_info, l2_features, 12, 4),
      AT(gpu_info, tiler_features, 16, 4),
      AT(gpu_info, mem_features, 20, 4),
      AT(gpu_info, mmu_features, 24, 4),
      AT(gpu_info, thread_features, 28, 4),
      AT(gpu_info, max_threads, 32, 4),
      AT(gpu_info, thread_max_workgroup_size, 36, 4),
      AT(gpu_info, thread_max_barrier_size, 40, 4),
      AT(gpu_info, coherency_features, 44, 4),
      AT(gpu_info, texture_features, 48, 16),
      AT(gpu_info, as_present, 64, 4),
      AT(gpu_info, pad0, 68, 4),
      AT(gpu_info, shader_present, 72, 8),
      AT(gpu_info, l2_present, 80, 8),
      AT(gpu_info, tiler_present, 88, 8),
      AT(gpu_info, core_features, 96, 4),
      AT(gpu_info, pad, 100, 4),
      FACT(DRM_PANTHOR_ARCH_MAJOR(0xA8670005u), 0xA),
      FACT(DRM_PANTHOR_ARCH_MINOR(0xA8670005u), 0x8),
      FACT(DRM_PANTHOR_ARCH_REV(0xA8670005u), 0x6),
      FACT(DRM_PANTHOR_PRODUCT_MAJOR(0xA8670005u), 0x7),
      FACT(DRM_PANTHOR_VERSION_MAJOR(0xA8671235u), 0x1),
      FACT(DRM_PANTHOR_VERSION_MINOR(0xA8671235u), 0x23),
      FACT(DRM_PANTHOR_VERSION_STATUS(0xA8670005u), 0x5),
      FACT(DRM_PANTHOR_CSHW_MAJOR(0x040A0412u), 1),
      FACT(DRM_PANTHOR_CSHW_MINOR(0x04FA0412u), 0xF),
      FACT(DRM_PANTHOR_CSHW_REV(0x040A0412u), 0xA),
      FACT(DRM_PANTHOR_MCU_MAJOR(0x040A0412u), 1),
      FACT(DRM_PANTHOR_MCU_MINOR(0x040A0412u), 1),
      FACT(DRM_PANTHOR_MCU_REV(0x040A0412u), 2),
      FACT(DRM_PANTHOR_MMU_VA_BITS(0x2830u), 48),

      SIZE(csif_info, 24),
      AT(csif_info, csg_slot_count, 0, 4),
      AT(csif_info, cs_slot_count, 4, 4),
      AT(csif_info, cs_reg_count, 8, 4),
      AT(csif_info, scoreboard_slot_count, 12, 4),
      AT(csif_info, unpreserved_cs_reg_count, 16, 4),
      AT(csif_info, pad, 20, 4),

      SIZE(dev_query, 16),
      AT(dev_query, type, 0, 4),
      AT(dev_query, size, 4, 4),
      AT(dev_query, pointer, 8, 8),

      SIZE(vm_create, 16),
      AT(vm_create, flags, 0, 4),
      AT(vm_create, id, 4, 4),
      AT(vm_create, user_va_range, 8, 8),
      SIZE(vm_destroy, 8),
      AT(vm_destroy, id, 0, 4),
      AT(vm_destroy, pad, 4, 4),

      FACT(DRM_PANTHOR_VM_BIND_OP_MAP_READONLY, 1),
      FACT(DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC, 2),
      FACT(DRM_PANTHOR_VM_BIND_OP_MAP_UNCACHED, 4),
      FACT((uint32_t)DRM_PANTHOR_VM_BIND_OP_TYPE_MASK, 0xF0000000),
      FACT(DRM_PANTHOR_VM_BIND_OP_TYPE_MAP, 0),
      FACT(DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP, 0x10000000),
      FACT(DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY, 0x20000000),
      SIZE(vm_bind_op, 48),
      AT(vm_bind_op, flags, 0, 4),
      AT(vm_bind_op, bo_handle, 4, 4),
      AT(vm_bind_op, bo_offset, 8, 8),
      AT(vm_bind_op, va, 16, 8),
      AT(vm_bind_op, size, 24, 8),
      AT(vm_bind_op, syncs, 32, 16),
      FACT(DRM_PANTHOR_VM_BIND_ASYNC, 1),
      SIZE(vm_bind, 24),
      AT(vm_bind, vm_id, 0, 4),
      AT(vm_bind, flags, 4, 4),
      AT(vm_bind, ops, 8, 16),
      FACT(DRM_PANTHOR_VM_STATE_USABLE, 0),
      FACT(DRM_PANTHOR_VM_STATE_UNUSABLE, 1),
      SIZE(vm_get_state, 8),
      AT(vm_get_state, vm_id, 0, 4),
      AT(vm_get_state, state, 4, 4),

      FACT(DRM_PANTHOR_BO_NO_MMAP, 1),
      SIZE(bo_create, 24),
      AT(bo_create, size, 0, 8),
      AT(bo_create, flags, 8, 4),
      AT(bo_create, exclusive_vm_id, 12, 4),
      AT(bo_create, handle, 16, 4),
      AT(bo_create, pad, 20, 4),
      SIZE(bo_mmap_offset, 16),
      AT(bo_mmap_offset, handle, 0, 4),
      AT(bo_mmap_offset, pad, 4, 4),
      AT(bo_mmap_offset, offset, 8, 8),

      SIZE(queue_create, 8),
      AT(queue_create, priority, 0, 1),
      AT(queue_create, pad, 1, 3),
      AT(queue_create, ringbuf_size, 4, 4),
      FACT(PANTHOR_GROUP_PRIORITY_LOW, 0),
      FACT(PANTHOR_GROUP_PRIORITY_MEDIUM, 1),
      FACT(PANTHOR_GROUP_PRIORITY_HIGH, 2),
      SIZE(group_create, 56),
      AT(group_create, queues, 0, 16),
      AT(group_create, max_compute_cores, 16, 1),
      AT(group_create, max_fragment_cores, 17, 1),
      AT(group_create, max_tiler_cores, 18, 1),
      AT(group_create, priority, 19, 1),
      AT(group_create, pad, 20, 4),
      AT(group_create, compute_core_mask, 24, 8),
      AT(group_create, fragment_core_mask, 32, 8),
      AT(group_create, tiler_core_mask, 40, 8),
      AT(group_create, vm_id, 48, 4),
      AT(group_create, group_handle, 52, 4),
      SIZE(group_destroy, 8),
      AT(group_destroy, group_handle, 0, 4),
      AT(group_destroy, pad, 4, 4),
      SIZE(queue_submit, 40),
      AT(queue_submit, queue_index, 0, 4),
      AT(queue_submit, stream_size, 4, 4),
      AT(queue_submit, stream_addr, 8, 8),
      AT(queue_submit, latest_flush, 16, 4),
      AT(queue_submit, pad, 20, 4),
      AT(queue_submit, syncs, 24, 16),
      SIZE(group_submit, 24),
      AT(group_submit, group_handle, 0, 4),
      AT(group_submit, pad, 4, 4),
      AT(group_submit, queue_submits, 8, 16),
      FACT(DRM_PANTHOR_GROUP_STATE_TIMEDOUT, 1),
      FACT(DRM_PANTHOR_GROUP_STATE_FATAL_FAULT, 2),
      SIZE(group_get_state, 16),
      AT(group_get_state, group_handle, 0, 4),
      AT(group_get_state, state, 4, 4),
      AT(group_get_state, fatal_queues, 8, 4),
      AT(group_get_state, pad, 12, 4),

      SIZE(tiler_heap_create, 40),
      AT(tiler_heap_create, vm_id, 0, 4),
      AT(tiler_heap_create, initial_chunk_count, 4, 4),
      AT(tiler_heap_create, chunk_size, 8, 4),
      AT(tiler_heap_create, max_chunks, 12, 4),
      AT(tiler_heap_create, target_in_flight, 16, 4),
      AT(tiler_heap_create, handle, 20, 4),
      AT(tiler_heap_create, tiler_heap_ctx_gpu_va, 24, 8),
      AT(tiler_heap_create, first_heap_chunk_gpu_va, 32, 8),
      SIZE(tiler_heap_destroy, 8),
      AT(tiler_heap_destroy, handle, 0, 4),
      AT(tiler_heap_destroy, pad, 4, 4),
  };
  return facts;
}

// What uAPI 1.1 to 1.9 adds.
const std::vector<Fact>& later_facts() {
  static const std::vector<Fact> facts = {
      FACT(DRM_IOCTL_PANTHOR_BO_SET_LABEL, 0xC010644D),
      FACT(DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET, 0xC008644E),
      FACT(DRM_IOCTL_PANTHOR_BO_SYNC, 0xC010644F),
      FACT(DRM_IOCTL_PANTHOR_BO_QUERY_INFO, 0xC0106450),

      FACT(DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO, 2),
      FACT(DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO, 3),
      FACT(DRM_PANTHOR_DEV_QUERY_MMU_INFO, 4),
      SIZE(gpu_info, 112),
      AT(gpu_info, selected_coherency, 68, 4),
      AT(gpu_info, gpu_features, 104, 8),
      FACT(DRM_PANTHOR_GPU_COHERENCY_ACE_LITE, 0),
      FACT(DRM_PANTHOR_GPU_COHERENCY_ACE, 1),
      FACT(DRM_PANTHOR_GPU_COHERENCY_NONE, 31),
      SIZE(timestamp_info, 56),
      AT(timestamp_info, timestamp_frequency, 0, 8),
      AT(timestamp_info, current_timestamp, 8, 8),
      AT(timestamp_info, timestamp_offset, 16, 8),
      AT(timestamp_info, flags, 24, 4),
      AT(timestamp_info, duration_nsec, 28, 4),
      AT(timestamp_info, cycle_count, 32, 8),
      AT(timestamp_info, cpu_timestamp_sec, 40, 8),
      AT(timestamp_info, cpu_timestamp_nsec, 48, 8),
      FACT(DRM_PANTHOR_TIMESTAMP_GPU, 1),
      FACT(DRM_PANTHOR_TIMESTAMP_CPU_NONE, 0),
      FACT(DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC, 2),
      FACT(DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW, 4),
      FACT(DRM_PANTHOR_TIMESTAMP_CPU_TYPE_MASK, 0xE),
      FACT(DRM_PANTHOR_TIMESTAMP_GPU_OFFSET, 0x10),
      FACT(DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT, 0x20),
      FACT(DRM_PANTHOR_TIMESTAMP_FREQ, 0x40),
      FACT(DRM_PANTHOR_TIMESTAMP_DURATION, 0x80),
      SIZE(group_priorities_info, 4),
      AT(group_priorities_info, allowed_mask, 0, 1),
      AT(group_priorities_info, pad, 1, 3),
      SIZE(mmu_info, 8),
      AT(mmu_info, page_size_bitmap, 0, 8),
      FACT(PANTHOR_GROUP_PRIORITY_REALTIME, 3),
      FACT(DRM_PANTHOR_GROUP_STATE_INNOCENT, 4),
      FACT(DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE, 8),
      FACT(DRM_PANTHOR_BO_WB_MMAP, 2),
      SIZE(bo_set_label, 16),
      AT(bo_set_label, handle, 0, 4),
      AT(bo_set_label, pad, 4, 4),
      AT(bo_set_label, label, 8, 8),
      FACT(DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH, 0),
      FACT(DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE, 1),
      SIZE(bo_sync_op, 24),
      AT(bo_sync_op, handle, 0, 4),
      AT(bo_sync_op, type, 4, 4),
      AT(bo_sync_op, offset, 8, 8),
      AT(bo_sync_op, size, 16, 8),
      SIZE(bo_sync, 16),
      AT(bo_sync, ops, 0, 16),
      SIZE(bo_query_info, 16),
      AT(bo_query_info, handle, 0, 4),
      AT(bo_query_info, extra_flags, 4, 4),
      AT(bo_query_info, create_flags, 8, 4),
      AT(bo_query_info, pad, 12, 4),
      FACT(DRM_PANTHOR_BO_IS_IMPORTED, 1),
      SIZE(set_user_mmio_offset, 8),
      AT(set_user_mmio_offset, offset, 0, 8),
  };
  return facts;
}

void expect_facts(const std::vector<Fact>& facts) {
  for (const Fact& fact : facts) EXPECT_EQ(fact.ours, fact.expected) << fact.expression;
}

TEST(Abi, BaselineNumbers) { expect_facts(baseline_facts()); }

TEST(Abi, LaterNumbers) { expect_facts(later_facts()); }

// A folder that goes away with the test.
class ScratchFolder {
 public:
  ScratchFolder() {
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~ScratchFolder() {
    if (!path_.empty() && run("rm -rf '" + path_ + "'") != 0)
      fprintf(stderr, "%s is left\n", path());
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const char* path() const { return path_.c_str(); }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

  static int run(const std::string& command) { return system(command.c_str()); }

 private:
  std::string path_ = "/tmp/pantry-abi-XXXXXX";
};

bool write_file(const std::string& path, const std::string& text) {
  FILE* file = fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  const bool written = fwrite(text.data(), 1, text.size(), file) == text.size();
  return fclose(file) == 0 && written;
}

bool have(const char* program) {
  return ScratchFolder::run(std::string("command -v ") + program + " >/dev/null 2>&1") == 0;
}

// A C program that prints the value of each expression, one a line.
std::string c_program(const std::vector<Fact>& facts) {
  std::string text =
      "#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <drm/panthor_drm.h>\n"
      "int main(void) {\n";
  for (const Fact& fact : facts) {
    text += "  printf(\"%llu\\n\", (unsigned long long)(" + std::string(fact.expression) + "));\n";
  }
  return text + "  return 0;\n}\n";
}

// What c_program(facts) prints when compiled with `include_flags`; empty if it does not compile or
// run.
std::vector<uint64_t> values_in_c(const ScratchFolder& scratch, const std::vector<Fact>& facts,
                                  const std::string& include_flags) {
  std::vector<uint64_t> values;
  if (!write_file(scratch.file("facts.c"), c_program(facts))) return values;
  const std::string program = scratch.file("facts");
  if (ScratchFolder::run("cc -std=c99 -D_GNU_SOURCE -Wall -Wextra -Werror " + include_flags +
                         " -o " + program + " " + scratch.file("facts.c")) != 0) {
    return values;
  }
  FILE* pipe = popen(program.c_str(), "r");
  if (pipe == nullptr) return values;
  unsigned long long value;
  while (fscanf(pipe, "%llu", &value) == 1) values.push_back(value);
  pclose(pipe);
  return values;
}

void expect_values(const std::vector<Fact>& facts, const std::vector<uint64_t>& values) {
  ASSERT_EQ(values.size(), facts.size());
  for (size_t i = 0; i < facts.size(); ++i)
    EXPECT_EQ(values[i], facts[i].ours) << facts[i].expression;
}

// The folder that holds this header's drm/, from the path of this test.
std::string our_include_folder() {
  const std::string self = __FILE__;
  const std::string folder = self.substr(0, self.find_last_of('/') + 1);
  return (folder.empty() ? "./" : folder) + "include";
}

// Clients are C programs more often than C++ ones.
TEST(Abi, HeaderIsC) {
  if (!have("cc")) GTEST_SKIP() << "no C compiler";
  const ScratchFolder scratch;
  if (access((our_include_folder() + "/drm/panthor_drm.h").c_str(), R_OK) != 0) {
    GTEST_SKIP() << "the source folder is not here: " << our_include_folder();
  }
  const std::string flags =
      "-Wno-long-long -I" + our_include_folder() + " $(pkg-config --cflags libdrm)";
  std::vector<Fact> facts = baseline_facts();
  facts.insert(facts.end(), later_facts().begin(), later_facts().end());
  expect_values(facts, values_in_c(scratch, facts, flags));
}

// Linux's own header, from Debian's kernel source.
TEST(Abi, SameAsLinux) {
  constexpr const char* kTarball = "/usr/src/linux-source-6.12.tar.xz";
  if (access(kTarball, R_OK) != 0) GTEST_SKIP() << kTarball << " is not installed";
  if (!have("cc") || !have("tar") || !have("xz")) GTEST_SKIP() << "needs cc, tar and xz";
  const ScratchFolder scratch;
  const std::string header = "linux-source-6.12/include/uapi/drm/panthor_drm.h";
  ASSERT_EQ(ScratchFolder::run(std::string("tar -xJf ") + kTarball + " -C " + scratch.path() +
                               " --strip-components=3 --occurrence=1 " + header),
            0);
  ASSERT_EQ(access(scratch.file("drm/panthor_drm.h").c_str(), R_OK), 0);
  expect_values(baseline_facts(),
                values_in_c(scratch, baseline_facts(),
                            std::string("-I") + scratch.path() + " $(pkg-config --cflags libdrm)"));
}

}  // namespace
