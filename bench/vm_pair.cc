// SPDX-License-Identifier: MIT
#include "bench/vm_pair.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "driver/iopgtable/extent_cursor.h"

namespace pantry::bench {

using namespace driver;

VmPair::VmPair(std::uint64_t dram_bytes)
    : memory_(dram_bytes),
      frames_({memory_.dram().base, memory_.dram().size}, {}),
      backing_(memory_.dram()),
      buffers_(frames_, memory_.dram(), backing_),
      pages_(frames_, memory_.dram()),
      spaces_(registers_, executor_.clock(), 0x0f, registers_, registers_),
      cleanup_(executor_.lane(Lane::kCleanup)),
      device_{executor_, cleanup_, memory_.dram(), spaces_, buffers_, pages_, *this} {
  ours_ = Vm::create(device_, 0).value();
  if (!linux_peer_installed()) return;
  magazine_.emplace(pages_);
  linux_peer_set_dram(memory_.dram().host, memory_.dram().base.value);
  const linux_page_source source{take, give_back, this};
  theirs_ = linux_vm_create(&source, device_.va_bits, device_.pa_bits);
}

VmPair::~VmPair() {
  ours_->destroy();
  ours_ = nullptr;
  executor_.lane(Lane::kBind).drain();
  cleanup_.drain();
  if (!theirs_) return;
  const int error = linux_vm_bind_unmap(theirs_, 0, std::uint64_t{1} << device_.va_bits);
  PANTRY_CHECK(error == 0);
  linux_vm_destroy(theirs_);
}

bool VmPair::take(void* cookie, void** pages, unsigned count) {
  auto& pair = *static_cast<VmPair*>(cookie);
  PageList kept(pair.pages_.links());
  if (pair.pages_of_theirs_ == PagesOfTheirs::kMagazine && pair.magazine_->take(count, kept)) {
    for (unsigned i = 0; i < count; ++i) pages[i] = pair.memory_.dram().at(kept.pop(), kPageSize);
    return true;
  }
  Result<PageList> list = pair.pages_.take(count);
  if (!list) return false;
  for (unsigned i = 0; i < count; ++i) pages[i] = pair.memory_.dram().at(list->pop(), kPageSize);
  return true;
}

void VmPair::give_back(void* cookie, void** pages, unsigned count, linux_page_content content) {
  auto& pair = *static_cast<VmPair*>(cookie);
  const emu::Dram& dram = pair.memory_.dram();
  PageList list(pair.pages_.links());
  for (unsigned i = 0; i < count; ++i)
    list.push(dram.base +
              static_cast<std::uint64_t>(static_cast<std::uint8_t*>(pages[i]) - dram.host));
  if (pair.pages_of_theirs_ == PagesOfTheirs::kMagazine && content == LINUX_PAGES_ZERO)
    pair.magazine_->give(list);
  if (list.empty()) return;
  pair.pages_.give_back(std::move(list), content == LINUX_PAGES_ZERO ? PagePool::Content::kZero
                                                                     : PagePool::Content::kUsed);
}

Ref<Buffer> VmPair::new_buffer(std::uint64_t size, Frames frames, Sharing sharing) {
  const Ref<Reservation> exclusive_to =
      sharing == Sharing::kPrivate ? ours_->reservation() : nullptr;
  if (frames == Frames::kContiguous) return buffers_.create(size, 0, exclusive_to).value();
  // While every free frame but each second one is taken, a buffer cannot have two in a row.
  FrameStatistics before = frames_.statistics();
  std::vector<PhysAddr> taken;
  while (before.free > taken.size()) taken.push_back(frames_.alloc({0}, {0}).value());
  for (const PhysAddr frame : taken)
    if (frame.value / kPageSize % 2 == 0) frames_.free({frame, kPageSize});
  Ref<Buffer> buffer = buffers_.create(size, 0, exclusive_to).value();
  for (const PhysAddr frame : taken)
    if (frame.value / kPageSize % 2 == 1) frames_.free({frame, kPageSize});
  return buffer;
}

std::vector<linux_extent> VmPair::extents_of(const Buffer& buffer, std::uint64_t offset,
                                             std::uint64_t size) {
  std::vector<linux_extent> extents;
  for (ExtentCursor frames(buffer.frames(), offset); size != 0;) {
    const std::uint64_t bytes = std::min(frames.contiguous(), size);
    extents.push_back({frames.address().value, bytes});
    frames.advance(bytes);
    size -= bytes;
  }
  return extents;
}

BindOp VmPair::map_op(GpuRange range, const Ref<Buffer>& buffer, std::uint64_t offset) {
  BindOp op;
  op.type = BindType::kMap;
  op.range = range;
  op.buffer = buffer;
  op.buffer_offset = offset;
  return op;
}

BindOp VmPair::unmap_op(GpuRange range) {
  BindOp op;
  op.type = BindType::kUnmap;
  op.range = range;
  return op;
}

}  // namespace pantry::bench
