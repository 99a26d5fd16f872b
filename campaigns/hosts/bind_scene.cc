// SPDX-License-Identifier: MIT
#include "campaigns/hosts/bind_scene.h"

#include <array>

#include "base/check.h"
#include "gpu_emu/datasheet/builder.h"

namespace pantry::campaigns {
namespace {

constexpr std::uint64_t kCodeVa = 0x0100'0000;
constexpr std::uint64_t kCodeSize = 64 * kKiB;
constexpr std::uint64_t kResult = 32 * kKiB;  // in the code buffer
constexpr std::uint64_t kPoint = 7;
constexpr std::uint32_t kTimeline = DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;
constexpr auto kSignal = static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);

class PendingFence final : public driver::Fence {
 public:
  PendingFence() : Fence(next_context(), 1) {}
  const char* driver_name() const noexcept override { return "campaign"; }
  const char* timeline_name() const noexcept override { return "pending"; }
};

}  // namespace

BindScene::BindScene(uapi::Machine& machine)
    : machine_(machine),
      client_(machine),
      vm_(client_.create_vm()),
      code_(client_.create_buffer(kCodeSize, 0)),
      old_(client_.create_buffer(kOldSize, 0)),
      fresh_(client_.create_buffer(kFreshSize, 0)),
      private_(client_.create_buffer(kFreshSize, vm_)),
      binary_gate_(client_.create_syncobj()),
      timeline_gate_(client_.create_syncobj()),
      past_(client_.create_syncobj()),
      done_(client_.create_syncobj()),
      timeline_(client_.create_syncobj()),
      link_(client_.create_syncobj()) {
  std::vector<Op> ops{DirectClient::map(code_, 0, kCodeVa, kCodeSize),
                      DirectClient::map(old_, 0, kOldVa, kOldSize)};
  PANTRY_CHECK(client_.bind(vm_, 0, ops) == 0);
  ops = {map_sparse(kFreshVa, kPageSize), DirectClient::unmap(kFreshVa, kPageSize)};
  PANTRY_CHECK(client_.bind(vm_, 0, ops) == 0);
  for (std::uint32_t page = 0; page < kOldSize / kPageSize; ++page) {
    const std::uint32_t word = kOldTag + page;
    client_.write(old_, page * kPageSize, &word, sizeof word);
  }
  for (std::uint32_t page = 0; page < kFreshSize / kPageSize; ++page) {
    const std::uint32_t word = kFreshTag + page;
    client_.write(fresh_, page * kPageSize, &word, sizeof word);
    client_.write(private_, page * kPageSize, &word, sizeof word);
  }
  for (int i = 0; i < 3; ++i) pending_.push_back(make_ref<PendingFence>());
  driver::File& file = client_.file();
  file.syncobj(binary_gate_)->replace(pending_[0]);
  file.syncobj(timeline_gate_)->add_point(driver::FenceChain::create(), pending_[1], kPoint);
  file.syncobj(timeline_)->add_point(driver::FenceChain::create(), pending_[2], kPoint);
  file.syncobj(past_)->replace(driver::stub_fence());
}

BindScene::~BindScene() { let_go(); }

BindScene::Op BindScene::map_fresh(std::uint64_t va, std::uint64_t offset,
                                   std::uint64_t size) const {
  return DirectClient::map(fresh_, offset, va, size);
}

BindScene::Op BindScene::map_private(std::uint64_t va) const {
  return DirectClient::map(private_, 0, va, kFreshSize);
}

BindScene::Op BindScene::map_sparse(std::uint64_t va, std::uint64_t size) {
  Op op{};
  op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_MAP | DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE |
             DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC;
  op.va = va;
  op.size = size;
  return op;
}

BindScene::Op BindScene::with(Op op, SyncOps syncs) {
  const SyncOps& kept = kept_.emplace_back(std::move(syncs));
  op.syncs = {sizeof kept[0], static_cast<std::uint32_t>(kept.size()),
              reinterpret_cast<std::uint64_t>(kept.data())};
  return op;
}

BindScene::SyncOps BindScene::all_syncs() const {
  return {{0, binary_gate_, 0},
          {kTimeline, timeline_gate_, kPoint},
          {0, past_, 0},
          {kSignal, done_, 0},
          {kSignal | kTimeline, timeline_, kPoint + 1}};
}

drm_panthor_sync_op BindScene::signal_link() const { return {kSignal, link_, 0}; }
drm_panthor_sync_op BindScene::wait_link() const { return {0, link_, 0}; }

void BindScene::let_go() {
  const TimePoint now = machine_.device().executor().clock().now();
  for (const Ref<driver::Fence>& fence : pending_) fence->signal(now, 0);
  pending_.clear();
  machine_.device().settle();
}

std::optional<std::uint32_t> BindScene::gpu_read(std::uint64_t va) {
  if (group_ == 0) group_ = client_.create_group(vm_);
  std::array<std::uint64_t, 8> words{};
  datasheet::CsBuilder stream(words);
  stream.add_word(0x0144'0000'0000'0000 | va);                   // MOVE48 r68:69, va
  stream.add_word(0x1446'4400'0001'0000);                        // LOAD_MULTIPLE r70 <- [r68:69]
  stream.add_word(0x0300'0000'00ff'0000);                        // WAIT all
  stream.add_word(0x0142'0000'0000'0000 | (kCodeVa + kResult));  // MOVE48 r66:67, result
  stream.add_word(0x1546'4200'0001'0000);                        // STORE_MULTIPLE r70 -> [r66:67]
  stream.add_word(0x0300'0000'00ff'0000);                        // WAIT all
  client_.write(code_, 0, words.data(), stream.bytes());
  const std::uint32_t nothing = 0xdead'0000;
  client_.write(code_, kResult, &nothing, sizeof nothing);
  const int status = client_.run(group_, kCodeVa, static_cast<std::uint32_t>(stream.bytes()));
  if (status == 1) return client_.word(code_, kResult);
  client_.destroy_group(group_);
  group_ = 0;
  return std::nullopt;
}

VmSnapshot BindScene::snapshot() {
  // Of its own: each look-up holds one more reference.
  driver::File& file = client_.file();
  std::vector<Ref<driver::Buffer>> buffers;
  for (const std::uint32_t handle : {code_, old_, fresh_, private_})
    buffers.push_back(file.buffer(handle));
  std::vector<Ref<driver::Syncobj>> syncobjs;
  for (const std::uint32_t handle : {binary_gate_, timeline_gate_, past_, done_, timeline_, link_})
    syncobjs.push_back(file.syncobj(handle));
  return take_snapshot(machine_, file.vm(vm_), buffers, syncobjs);
}

}  // namespace pantry::campaigns
