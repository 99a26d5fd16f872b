// SPDX-License-Identifier: MIT
//
// SYNCOBJ_WAIT, SYNCOBJ_TIMELINE_WAIT, SYNCOBJ_EVENTFD: panthor-uapi.md B.4, errata B.6.
#include <drm/panthor_drm.h>

#include "driver/sync/syncobj_event.h"
#include "uapi/drm_abi.h"
#include "uapi/eventfd_signal.h"
#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"
#include "uapi/syncobj_lookup.h"

namespace pantry::uapi {
namespace {

using driver::SyncobjWaitArgs;

// CLOCK_MONOTONIC of the client is the clock of the executor; a negative time lies in the past.
TimePoint deadline_of(std::int64_t timeout_nsec) { return {timeout_nsec}; }

SyncobjWaitArgs::Unsubmitted unsubmitted_of(std::uint32_t flags) {
  if ((flags & kWaitAvailable) != 0) return SyncobjWaitArgs::Unsubmitted::kEnough;
  return (flags & kWaitForSubmit) != 0 ? SyncobjWaitArgs::Unsubmitted::kWait
                                       : SyncobjWaitArgs::Unsubmitted::kFail;
}

template <class Args>
Result<> start_wait(Call& call, std::uint32_t known_flags, UserAddr points) {
  const Args& args = call.arg<Args>();
  if ((args.flags & ~known_flags) != 0)
    return reject(Errno::kInval, "SYNCOBJ_WAIT: flags {:#x} are unknown", args.flags);
  if (args.count_handles == 0) return {};
  PendingWait wait;
  PANTRY_TRY_ASSIGN(wait.args.syncobjs, find_syncobjs(call, {args.handles}, args.count_handles));
  PANTRY_TRY_ASSIGN(wait.args.points,
                    read_points(call, points, args.count_handles, NullPoints::kAreZero));
  wait.args.deadline = deadline_of(args.timeout_nsec);
  wait.args.want =
      (args.flags & kWaitAll) != 0 ? SyncobjWaitArgs::Want::kAll : SyncobjWaitArgs::Want::kAny;
  wait.args.unsubmitted = unsubmitted_of(args.flags);
  wait.finish = [](Call& done, Result<std::uint32_t> result,
                   const driver::SyncobjWait&) -> Result<> {
    // Written only on success: a timeout leaves what the caller passed.
    if (!result) return Error(result.error());
    done.arg<Args>().first_signaled = *result;
    return {};
  };
  call.wait = std::move(wait);
  return {};
}

// Adds one to the client's eventfd, and lets go of it.
class EventfdEvent final : public driver::SyncobjEvent {
 public:
  EventfdEvent(driver::WorkLane& cleanup, driver::Held<driver::OwnedFd> event,
               const DrmSyncobjEventfd& args, driver::Charge charge)
      : SyncobjEvent(cleanup, args.point,
                     (args.flags & kWaitAvailable) != 0 ? When::kAvailable : When::kSignalled,
                     std::move(charge)),
        event_(std::move(event)) {}

 private:
  void fire() noexcept override { signal_eventfd(event_.object.get()); }
  void let_go() noexcept override { event_ = {}; }

  driver::Held<driver::OwnedFd> event_;
};

}  // namespace

Result<> syncobj_wait(Call& call) {
  return start_wait<DrmSyncobjWait>(call, kWaitAll | kWaitForSubmit | kWaitDeadline, {});
}

Result<> syncobj_timeline_wait(Call& call) {
  return start_wait<DrmSyncobjTimelineWait>(
      call, kWaitAll | kWaitForSubmit | kWaitAvailable | kWaitDeadline,
      {call.arg<DrmSyncobjTimelineWait>().points});
}

Result<> syncobj_eventfd(Call& call) {
  const auto& args = call.arg<DrmSyncobjEventfd>();
  if ((args.flags & ~kWaitAvailable) != 0)
    return reject(Errno::kInval, "SYNCOBJ_EVENTFD: flags {:#x} are unknown", args.flags);
  if (args.pad != 0) return reject(Errno::kInval, "SYNCOBJ_EVENTFD: pad is {:#x}", args.pad);
  const Ref<driver::Syncobj> syncobj = call.file.syncobj(args.handle);
  if (!syncobj) return reject(Errno::kNoEnt, "SYNCOBJ_EVENTFD: syncobj {} is unknown", args.handle);
  if (std::holds_alternative<BadFd>(call.fd))
    return reject(Errno::kBadF, "SYNCOBJ_EVENTFD: descriptor {} is not open", args.fd);
  if (!std::holds_alternative<EventFd>(call.fd))
    return reject(Errno::kInval, "SYNCOBJ_EVENTFD: descriptor {} is not an eventfd", args.fd);

  PANTRY_TRY_ASSIGN(driver::Charge charge,
                    call.file.account().charge(driver::Resource::kFences, 1));
  auto descriptor = call.file.account().charge(driver::Resource::kDescriptors, 1);
  if (!descriptor) return Error(Errno::kNoMem);  // this ioctl has no EMFILE
  prepare_eventfd_signals();
  syncobj->add_event(make_ref<EventfdEvent>(
      call.file.device().executor().lane(driver::Lane::kCleanup),
      driver::Held{std::get<EventFd>(std::move(call.fd)).fd, *std::move(descriptor)}, args,
      std::move(charge)));
  return {};
}

}  // namespace pantry::uapi
