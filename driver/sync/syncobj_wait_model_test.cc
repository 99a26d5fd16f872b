// SPDX-License-Identifier: MIT
//
// Waits against a naive one that looks at everything after every event. Simulated time, one event
// per millisecond.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "driver/kernel/sim_executor.h"
#include "driver/sync/syncobj_wait.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

using Want = SyncobjWaitArgs::Want;
using Unsubmitted = SyncobjWaitArgs::Unsubmitted;
// The index, or a negated errno.
using Answer = std::int64_t;
constexpr Answer kInval = negated(Errno::kInval);
constexpr Answer kTime = negated(Errno::kTime);
constexpr Answer kIntr = negated(Errno::kIntr);

constexpr std::size_t kSyncobjs = 3;
constexpr std::size_t kFences = 4;

struct Event {
  enum class Kind {
    kReplace,
    kSignalNow,
    kReset,
    kAddPoint,
    kAddSignalledPoint,
    kSignal,
    kCancel
  } kind;
  std::size_t syncobj;
  std::size_t fence;
};

struct Script {
  std::vector<Event> before;  // the wait starts
  std::vector<Event> after;
  std::vector<std::pair<std::size_t, std::uint64_t>> entries;  // syncobj, point
  Want want;
  Unsubmitted unsubmitted;
  std::size_t deadline;  // after that many events; 0: a poll
};

void showValue(const Script& script, std::ostream& os) {
  const auto show = [&](const std::vector<Event>& events) {
    for (const Event& event : events)
      os << " (" << static_cast<int>(event.kind) << " s" << event.syncobj << " f" << event.fence
         << ")";
  };
  os << "before:";
  show(script.before);
  os << " after:";
  show(script.after);
  os << " entries:";
  for (auto [syncobj, point] : script.entries) os << " s" << syncobj << "@" << point;
  os << " want " << static_cast<int>(script.want) << " unsubmitted "
     << static_cast<int>(script.unsubmitted) << " deadline " << script.deadline;
}

// The same range whatever the size of the case.
template <class T>
rc::Gen<T> below(T end) {
  return rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(0, end));
}

rc::Gen<std::vector<Event>> events(int kinds) {
  return rc::gen::container<std::vector<Event>>(rc::gen::construct<Event>(
      rc::gen::map(below(kinds), [](int kind) { return static_cast<Event::Kind>(kind); }),
      below(kSyncobjs), below(kFences)));
}

rc::Gen<Script> scripts() {
  return rc::gen::construct<Script>(
      rc::gen::scale(0.1, events(6)), rc::gen::scale(0.3, events(7)),
      rc::gen::scale(
          0.05,
          rc::gen::nonEmpty(rc::gen::container<std::vector<std::pair<std::size_t, std::uint64_t>>>(
              rc::gen::pair(below(kSyncobjs), below(std::uint64_t{4}))))),
      rc::gen::element(Want::kAny, Want::kAll),
      rc::gen::element(Unsubmitted::kFail, Unsubmitted::kWait, Unsubmitted::kEnough),
      below(std::size_t{20}));
}

// What the model knows of a syncobj: the fences it holds, oldest first; the points count up from 1.
struct ModelSyncobj {
  enum class Kind { kEmpty, kBinary, kTimeline } kind = Kind::kEmpty;
  std::vector<std::optional<std::size_t>> fences;  // no value: signalled from the start
  std::uint64_t last_point = 0;
  std::uint64_t first_point = 1;  // where in `fences` the point 1 is, plus 1
};

class Model {
 public:
  explicit Model(const Script& script) : script_(script), found_(script.entries.size()) {}

  void apply(const Event& event) {
    ModelSyncobj& syncobj = syncobjs_[event.syncobj];
    switch (event.kind) {
      case Event::Kind::kReplace:
        syncobj = {ModelSyncobj::Kind::kBinary, {event.fence}, 0, 1};
        break;
      case Event::Kind::kSignalNow:
        syncobj = {ModelSyncobj::Kind::kBinary, {std::nullopt}, 0, 1};
        break;
      case Event::Kind::kReset:
        syncobj = {};
        break;
      case Event::Kind::kAddPoint:
        add(syncobj, event.fence);
        break;
      case Event::Kind::kAddSignalledPoint:
        add(syncobj, std::nullopt);
        break;
      case Event::Kind::kSignal:
        signalled_[event.fence] = true;
        break;
      case Event::Kind::kCancel:
        if (started_) cancelled_ = true;
    }
    if (started_) look();
  }

  // The answer, if the wait has one by now.
  std::optional<Answer> start() {
    started_ = true;
    look();
    std::optional<std::uint32_t> first;
    for (std::uint32_t i = 0; i < found_.size(); ++i)
      if (!first && satisfied(i)) first = i;
    first_at_start_ = first.value_or(SyncobjWait::kNone);
    for (const auto& found : found_)
      if (!found && script_.unsubmitted == Unsubmitted::kFail) return kInval;
    return answer();
  }
  std::optional<Answer> answer() const {
    std::uint32_t satisfied_entries = 0;
    for (std::uint32_t i = 0; i < found_.size(); ++i) {
      if (!satisfied(i)) continue;
      if (script_.want == Want::kAny) return i;
      ++satisfied_entries;
    }
    if (satisfied_entries == found_.size()) return first_at_start_;
    if (cancelled_) return kIntr;
    return std::nullopt;
  }
  bool signalled(std::size_t fence) const { return signalled_[fence]; }
  std::uint64_t last_point(std::size_t syncobj) const { return syncobjs_[syncobj].last_point; }

 private:
  static void add(ModelSyncobj& syncobj, std::optional<std::size_t> fence) {
    if (syncobj.kind != ModelSyncobj::Kind::kTimeline) {
      syncobj.first_point = syncobj.fences.size() + 1;
      syncobj.last_point = 0;
    }
    syncobj.kind = ModelSyncobj::Kind::kTimeline;
    syncobj.fences.push_back(fence);
    ++syncobj.last_point;
  }
  // What an entry waits for is what it finds first.
  void look() {
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (found_[i]) continue;
      const auto [number, point] = script_.entries[i];
      const ModelSyncobj& syncobj = syncobjs_[number];
      if (syncobj.kind == ModelSyncobj::Kind::kEmpty) continue;
      if (point != 0 && syncobj.last_point < point) continue;
      const std::size_t length =
          point == 0 ? syncobj.fences.size() : syncobj.first_point - 1 + point;
      found_[i].emplace(syncobj.fences.begin(),
                        syncobj.fences.begin() + static_cast<std::ptrdiff_t>(length));
    }
  }
  bool satisfied(std::size_t entry) const {
    if (!found_[entry]) return false;
    return script_.unsubmitted == Unsubmitted::kEnough ||
           std::ranges::all_of(*found_[entry],
                               [&](auto fence) { return !fence || signalled_[*fence]; });
  }

  const Script& script_;
  ModelSyncobj syncobjs_[kSyncobjs];
  bool signalled_[kFences] = {};
  std::vector<std::optional<std::vector<std::optional<std::size_t>>>> found_;
  bool started_ = false;
  bool cancelled_ = false;
  std::uint32_t first_at_start_ = SyncobjWait::kNone;
};

class Recorder final : public SyncobjWait::Completion {
 public:
  void on_wait_done(Result<std::uint32_t> result) noexcept override {
    MutexLock lock(mutex_);
    ++calls_;
    answer_ = result ? Answer{*result} : Answer{negated(result.error())};
  }
  std::optional<Answer> answer() {
    MutexLock lock(mutex_);
    return answer_;
  }
  int calls() {
    MutexLock lock(mutex_);
    return calls_;
  }

 private:
  Mutex mutex_;
  int calls_ PANTRY_GUARDED_BY(mutex_) = 0;
  std::optional<Answer> answer_ PANTRY_GUARDED_BY(mutex_);
};

// A wait that an assertion leaves behind is cancelled.
class WaitInTest {
 public:
  WaitInTest(Executor& executor, SyncobjWaitArgs args, SyncobjWait::Completion& completion)
      : wait_(executor, std::move(args), completion) {}
  ~WaitInTest() { wait_.cancel(); }
  SyncobjWait* operator->() { return &wait_; }

 private:
  SyncobjWait wait_;
};

void perform(SimExecutor& executor, const Event& event, Model& model,
             std::vector<Ref<Syncobj>>& syncobjs, std::vector<Ref<TestFence>>& fences,
             WaitInTest* wait) {
  Syncobj& syncobj = *syncobjs[event.syncobj];
  const Ref<TestFence>& fence = fences[event.fence];
  const bool was_signalled = model.signalled(event.fence);
  model.apply(event);
  switch (event.kind) {
    case Event::Kind::kReplace:
      return syncobj.replace(fence);
    case Event::Kind::kSignalNow:
      return syncobj.replace(stub_fence());
    case Event::Kind::kReset:
      return syncobj.replace(nullptr);
    case Event::Kind::kAddPoint:
      return syncobj.add_point(FenceChain::create(), fence, model.last_point(event.syncobj));
    case Event::Kind::kAddSignalledPoint:
      return syncobj.add_point(FenceChain::create(), stub_fence(), model.last_point(event.syncobj));
    case Event::Kind::kSignal:
      if (!was_signalled) fence->signal(executor.clock().now(), 0);
      return;
    case Event::Kind::kCancel:
      if (wait) (*wait)->cancel();
  }
}

RC_GTEST_PROP(SyncobjWaitModel, AnswersAsANaiveWaitDoes, ()) {
  const Script script = *scripts();
  SimExecutor executor(*rc::gen::inRange<std::uint64_t>(0, 1'000'000), 1);
  std::vector<Ref<Syncobj>> syncobjs;
  std::vector<Ref<TestFence>> fences;
  for (std::size_t i = 0; i < kSyncobjs; ++i) syncobjs.push_back(Syncobj::create());
  for (std::size_t i = 0; i < kFences; ++i) fences.push_back(make_ref<TestFence>());
  Model model(script);
  for (const Event& event : script.before)
    perform(executor, event, model, syncobjs, fences, nullptr);

  const TimePoint start = executor.clock().now();
  SyncobjWaitArgs args;
  for (auto [syncobj, point] : script.entries) {
    args.syncobjs.push_back(syncobjs[syncobj]);
    args.points.push_back(point);
  }
  // Half a millisecond after the event it is counted by.
  args.deadline =
      script.deadline == 0
          ? TimePoint{}
          : start + milliseconds(static_cast<std::int64_t>(script.deadline)) + microseconds(500);
  args.want = script.want;
  args.unsubmitted = script.unsubmitted;
  Recorder recorder;
  WaitInTest wait(executor, std::move(args), recorder);

  std::optional<Answer> expected = model.start();
  if (!expected && script.deadline == 0) expected = kTime;
  wait->start();
  RC_ASSERT(recorder.answer() == expected);
  for (std::size_t i = 0; i < script.after.size() || !expected; ++i) {
    executor.clock().sleep(start + milliseconds(static_cast<std::int64_t>(i) + 1) -
                           executor.clock().now());
    if (!expected && i >= script.deadline) expected = kTime;
    RC_ASSERT(recorder.answer() == expected);
    if (i >= script.after.size()) continue;
    perform(executor, script.after[i], model, syncobjs, fences, &wait);
    if (!expected) expected = model.answer();
    RC_ASSERT(recorder.answer() == expected);
  }
  RC_ASSERT(recorder.calls() == 1);
  RC_TAG(expected == kTime    ? "timed out"
         : expected == kIntr  ? "cancelled"
         : expected == kInval ? "invalid"
                              : "satisfied");
}

}  // namespace
}  // namespace pantry::driver
