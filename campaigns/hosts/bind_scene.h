// SPDX-License-Identifier: MIT
//
// A VM in the middle of its life, to try one VM_BIND on: a buffer of 4 MiB is mapped, a fresh one
// is not yet, and there are syncobjs of every kind to wait on and to signal. The scene can say what
// the GPU finds at an address. Everything goes when it does.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "campaigns/hosts/direct_client.h"
#include "campaigns/hosts/vm_snapshot.h"

namespace pantry::campaigns {

class BindScene {
 public:
  // Where the old buffer is mapped, aligned to 1 GiB; and a place whose page tables do not exist,
  // at the seam of two 512 GiB windows.
  static constexpr std::uint64_t kOldVa = 0x4000'0000;
  static constexpr std::uint64_t kOldSize = 4 * kMiB;
  static constexpr std::uint64_t kFreshSize = 16 * kKiB;
  static constexpr std::uint64_t kFreshVa = (std::uint64_t{1} << 39) - kFreshSize / 2;
  // The first word of page i of the old and the fresh buffer.
  static constexpr std::uint32_t kOldTag = 0x1000;
  static constexpr std::uint32_t kFreshTag = 0x20000;

  explicit BindScene(uapi::Machine& machine);
  ~BindScene();

  // Operations on the scene; `syncs` are kept for the call.
  using Op = drm_panthor_vm_bind_op;
  using SyncOps = std::vector<drm_panthor_sync_op>;
  Op map_fresh(std::uint64_t va, std::uint64_t offset, std::uint64_t size) const;
  Op map_private(std::uint64_t va) const;
  // The memory that it shows is there already: the client had a sparse range before.
  static Op map_sparse(std::uint64_t va, std::uint64_t size);
  Op with(Op op, SyncOps syncs);
  // WAIT on a fence that is pending, binary or a point; on one that has signalled; SIGNAL of a
  // binary syncobj and of a new point; a syncobj for the ops of one batch.
  SyncOps all_syncs() const;
  drm_panthor_sync_op signal_link() const;
  drm_panthor_sync_op wait_link() const;

  int bind(std::uint32_t flags, std::vector<Op>& ops) { return client_.bind(vm_, flags, ops); }
  // Signals what was pending, and waits until the queue of the VM has run dry.
  void let_go();
  // The word that the GPU reads at `va`; nothing when it faults.
  std::optional<std::uint32_t> gpu_read(std::uint64_t va);

  VmSnapshot snapshot();
  DirectClient& client() { return client_; }
  std::uint32_t vm() const { return vm_; }

 private:
  uapi::Machine& machine_;
  DirectClient client_;
  const std::uint32_t vm_;
  const std::uint32_t code_;
  const std::uint32_t old_;
  const std::uint32_t fresh_;
  const std::uint32_t private_;
  const std::uint32_t binary_gate_;
  const std::uint32_t timeline_gate_;
  const std::uint32_t past_;
  const std::uint32_t done_;
  const std::uint32_t timeline_;
  const std::uint32_t link_;
  std::uint32_t group_ = 0;  // 0: none, or it is gone
  std::vector<Ref<driver::Fence>> pending_;
  std::deque<SyncOps> kept_;
};

}  // namespace pantry::campaigns
