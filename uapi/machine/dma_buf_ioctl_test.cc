// SPDX-License-Identifier: MIT
//
// dma-buf ioctls without a transport: the fences of a buffer's reservation as sync_files, and
// sync_files as fences of it.
#include "uapi/dma_buf_ioctls.h"

#include <gtest/gtest.h>
#include <linux/dma-buf.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "driver/gem/arena_backing.h"
#include "driver/gem/buffer_store.h"
#include "driver/sync/test_fence.h"
#include "uapi/machine/process_memory.h"

namespace pantry::uapi {
namespace {

using driver::TestFence;
using Use = driver::Reservation::Use;

constexpr std::uint32_t kRead = DMA_BUF_SYNC_READ;
constexpr std::uint32_t kWrite = DMA_BUF_SYNC_WRITE;

struct DmaBufIoctl : testing::Test {
  IoctlReply ioctl(std::uint32_t command, const void* argument, FdObject fd) {
    return dma_buf_ioctl(*buffer, command, {reinterpret_cast<std::uint64_t>(argument)}, client, fd);
  }
  int import(std::uint32_t flags, const Ref<driver::Fence>& fence) {
    const dma_buf_import_sync_file args{flags, 3};
    return ioctl(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args, driver::SyncFile::create(fence).value())
        .result;
  }
  // What an access of that kind would wait for.
  Ref<driver::SyncFile> exported(std::uint32_t flags) {
    dma_buf_export_sync_file args{flags, 3};
    const IoctlReply reply = ioctl(DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args, BadFd{});
    EXPECT_EQ(reply.result, 0);
    if (!reply.new_fd) return nullptr;
    EXPECT_EQ(reply.new_fd->number_at.value, reinterpret_cast<std::uint64_t>(&args.fd));
    EXPECT_EQ(reply.new_fd->on_exec, NewFd::OnExec::kClose);
    return std::get<Ref<driver::SyncFile>>(reply.new_fd->object);
  }

  static constexpr std::uint64_t kBytes = 4 * kMiB;
  static constexpr PhysAddr kBase{0x8000'0000};
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(kBytes);
  const emu::Dram dram{kBase, kBytes, memory.data()};
  driver::FrameAllocator frames{{kBase, kBytes}, {}};
  driver::ArenaBacking backing{dram};
  driver::BufferStore store{frames, dram, backing};
  Ref<driver::Buffer> buffer = store.create(kPageSize, 0, {}).value();
  ProcessMemory client{::getpid()};
};

TEST_F(DmaBufIoctl, NothingToWaitForIsASignalledSyncFile) {
  for (const std::uint32_t flags : {kRead, kWrite, kRead | kWrite})
    EXPECT_EQ(exported(flags)->status(), 1);
}

TEST_F(DmaBufIoctl, JobsAreNotSeen) {
  ASSERT_TRUE(buffer->reservation()->reserve(1).has_value());
  const auto job = make_ref<TestFence>();
  buffer->reservation()->add(job);
  EXPECT_EQ(exported(kRead | kWrite)->status(), 1);
  // Until a client says what it is.
  EXPECT_EQ(import(kWrite, job), 0);
  EXPECT_EQ(exported(kRead)->fence(), job);
}

TEST_F(DmaBufIoctl, ReadersWaitForWritersAndWritersForAll) {
  const auto read = make_ref<TestFence>();
  const auto write = make_ref<TestFence>();
  EXPECT_EQ(import(kRead, read), 0);
  EXPECT_EQ(exported(kRead)->status(), 1);
  EXPECT_EQ(exported(kWrite)->fence(), read);
  EXPECT_EQ(exported(kRead | kWrite)->fence(), read) << "a write is what counts";
  EXPECT_EQ(import(kRead | kWrite, write), 0) << "counts as a write";
  EXPECT_EQ(exported(kRead)->fence(), write);
  const Ref<driver::SyncFile> both = exported(kWrite);
  EXPECT_EQ(both->info().value().fences.size(), 2u);
  read->signal({1}, 0);
  EXPECT_EQ(both->status(), 0);
  write->signal({2}, 0);
  EXPECT_EQ(both->status(), 1);
  EXPECT_EQ(exported(kWrite)->status(), 1);
}

// A snapshot: what comes later is not in it.
TEST_F(DmaBufIoctl, ExportDoesNotFollowTheBuffer) {
  const auto first = make_ref<TestFence>();
  const auto second = make_ref<TestFence>();
  EXPECT_EQ(import(kWrite, first), 0);
  const Ref<driver::SyncFile> before = exported(kRead);
  EXPECT_EQ(import(kWrite, second), 0);
  first->signal({1}, EIO);
  EXPECT_EQ(before->status(), -EIO);
  EXPECT_EQ(exported(kRead)->fence(), second);
  second->signal({2}, 0);
}

TEST_F(DmaBufIoctl, ContainersAreTakenApart) {
  const auto one = make_ref<TestFence>();
  const auto other = make_ref<TestFence>();
  const auto merged = driver::SyncFile::merge("both", *driver::SyncFile::create(one).value(),
                                              *driver::SyncFile::create(other).value())
                          .value();
  EXPECT_EQ(import(kRead, merged->fence()), 0);
  EXPECT_EQ(buffer->reservation()->view().fences, 2u);
  one->signal({1}, 0);
  EXPECT_EQ(exported(kWrite)->fence(), other);
  other->signal({2}, 0);
}

TEST_F(DmaBufIoctl, AnAccessBeginsAfterThoseThatExcludeIt) {
  const auto after = [&](std::uint64_t flags) {
    const dma_buf_sync args{flags};
    const DmaBufReply reply = dma_buf_ioctl(
        *buffer, DMA_BUF_IOCTL_SYNC, {reinterpret_cast<std::uint64_t>(&args)}, client, BadFd{});
    EXPECT_EQ(reply.result, 0);
    return reply.after;
  };
  const auto read = make_ref<TestFence>();
  const auto write = make_ref<TestFence>();
  EXPECT_EQ(after(DMA_BUF_SYNC_RW), nullptr);
  EXPECT_EQ(import(kRead, read), 0);
  EXPECT_EQ(after(kRead), nullptr);
  EXPECT_EQ(after(kWrite), read);
  EXPECT_EQ(after(DMA_BUF_SYNC_RW), read);
  EXPECT_EQ(import(kWrite, write), 0);
  EXPECT_EQ(after(kRead), write);
  for (const std::uint32_t end : {kRead, kWrite, kRead | kWrite})
    EXPECT_EQ(after(end | DMA_BUF_SYNC_END), nullptr);
  read->signal({1}, 0);
  write->signal({2}, 0);
  EXPECT_EQ(after(DMA_BUF_SYNC_RW), nullptr);
}

TEST_F(DmaBufIoctl, WhatIsRefused) {
  dma_buf_export_sync_file args{0, 3};
  const auto file = driver::SyncFile::create(make_ref<TestFence>()).value();
  for (const std::uint32_t flags : {0u, 4u, kRead | DMA_BUF_SYNC_END, ~0u}) {
    args.flags = flags;
    EXPECT_EQ(ioctl(DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args, BadFd{}).result, -EINVAL) << flags;
    EXPECT_EQ(ioctl(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args, file).result, -EINVAL) << flags;
  }
  args.flags = kRead;
  EXPECT_EQ(ioctl(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args, BadFd{}).result, -EINVAL);
  EXPECT_EQ(ioctl(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args, ForeignFd{}).result, -EINVAL);
  EXPECT_EQ(ioctl(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args, buffer).result, -EINVAL);
  EXPECT_EQ(ioctl(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, nullptr, file).result, -EFAULT);
  EXPECT_EQ(ioctl(DMA_BUF_IOCTL_EXPORT_SYNC_FILE, nullptr, BadFd{}).result, -EFAULT);
  EXPECT_EQ(ioctl(_IOW('b', 9, dma_buf_export_sync_file), &args, BadFd{}).result, -ENOTTY);
  EXPECT_EQ(buffer->reservation()->view().fences, 0u);
}

}  // namespace
}  // namespace pantry::uapi
