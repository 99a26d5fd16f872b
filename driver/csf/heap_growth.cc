// SPDX-License-Identifier: MIT
#include "driver/csf/heap_growth.h"

#include <bit>

#include "driver/csf/heap_pool.h"
#include "driver/csf/scheduler_state.h"
#include "driver/memory/reclaimer.h"
#include "gpu_emu/datasheet/cs_interface.h"

namespace pantry::driver {

namespace cs = datasheet::cs;

void HeapGrowth::ask(std::uint32_t queues) noexcept {
  asking_ |= queues;
  // A group on a slot has a reference.
  if (on_lane_ == Lane::kQueued || !group_.self->try_acquire()) return;
  on_lane_ = Lane::kQueued;
  group_.scheduler.config.executor.lane(driver::Lane::kCleanup).queue(*this);
}

void HeapGrowth::run() {
  // Last to go, and this object with it.
  const Ref<Group> reference = Ref<Group>::adopt(group_.self);
  std::uint32_t asking = 0;
  {
    MutexLock lock(group_.scheduler.mutex);
    on_lane_ = Lane::kNotQueued;
    asking = asking_;
    asking_ = 0;
  }
  for (; asking != 0; asking &= asking - 1)
    grow(static_cast<std::uint32_t>(std::countr_zero(asking)));
}

void HeapGrowth::grow(std::uint32_t queue) {
  Scheduler::State& scheduler = group_.scheduler;
  std::uint64_t residency = 0;
  GpuVa context;
  HeapPool::Passes passes;
  {
    MutexLock lock(scheduler.mutex);
    if (!group_.slot) return;
    residency = group_.residency;
    const InterfaceBlock& output = scheduler.interface().stream(*group_.slot, queue).output;
    context = {output.load64(cs::output::kHeapAddress)};
    passes = {output.load(cs::output::kHeapVtStart), output.load(cs::output::kHeapVtEnd),
              output.load(cs::output::kHeapFragEnd)};
  }
  const Ref<HeapPool> pool = HeapPool::find(*group_.vm);
  // The job that asks waits for the answer, and others for its fence.
  const NoReclaim at_once;
  const Result<std::uint64_t> chunk =
      pool ? pool->grow(context, passes) : Result<std::uint64_t>(Error(Errno::kInval));
  const bool is_fatal = !chunk && chunk.error() != Errno::kNoMem;

  Aftermath after;
  bool answered = false;
  {
    SignallingSection section(scheduler.config.cleanup);
    {
      MutexLock lock(scheduler.mutex);
      if (is_fatal) {
        after.note({"the tiler heap cannot grow: queue fatal", group_.slot.value_or(~0u), queue, 0,
                    context.value});
        group_.fatal_queues |= 1u << queue;
        scheduler.kill(group_);
      } else if (group_.slot && group_.residency == residency) {
        scheduler.answer_heap(group_, queue, chunk.value_or(0));
        answered = true;
      }
    }
    scheduler.end_dying(after);
    after.signal();
  }
  after.log();
  if (chunk && !answered) pool->give_back(context, *chunk);
}

}  // namespace pantry::driver
