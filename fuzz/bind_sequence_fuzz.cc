// SPDX-License-Identifier: MIT
//
// Binds of one VM against a naive model, which knows for each page of a window what it shows: maps
// and unmaps of any size, at once or queued behind a gate that opens now and then, by each of the
// provisioners. In the end the model, the VA tree and the page table say the same, and every table
// page is where it belongs.
//
//   input   options, seed of the schedule, steps of eight bytes: what, first page (u16), pages
//           (u16), page of the buffer (u16), and a byte for how it is queued
#include <array>
#include <optional>
#include <vector>

#include "base/check.h"
#include "driver/kernel/sim_executor.h"
#include "driver/sync/test_fence.h"
#include "driver/vm/vm_test_bed.h"
#include "fuzz/input.h"
#include "fuzz/quiet_start.h"

namespace {

using namespace pantry;
using namespace pantry::driver;

constexpr std::uint64_t kPages = 3 * 512;
constexpr std::uint64_t kBufferPages = 2 * 512;
// Across a boundary of 1 GiB, and not at a multiple of 2 MiB; its page 251 is at one.
constexpr GpuVa kBase{(std::uint64_t{1} << 30) - 3 * kMiB + 5 * kPageSize};
constexpr std::uint64_t kFirstAtBlock = 251;
constexpr std::size_t kMostSteps = 200;

struct Shown {
  std::size_t buffer = 0;
  std::uint64_t page = 0;
  Prot prot = Prot::kNone;
  bool operator==(const Shown&) const = default;
};
using Window = std::vector<std::optional<Shown>>;

struct Step {
  bool map = false;
  std::uint64_t first = 0, pages = 0, offset = 0;
  std::size_t buffer = 0;
  Prot prot = Prot::kNone;

  void show(Window& window) const {
    for (std::uint64_t n = 0; n < pages; ++n)
      window[first + n] = map ? std::optional(Shown{buffer, offset + n, prot}) : std::nullopt;
  }
};

struct Source {
  explicit Source(Ref<Buffer> of) : buffer(std::move(of)) {
    for (const PhysExtent& extent : buffer->frames())
      for (std::uint64_t at = 0; at < extent.size; at += kPageSize)
        frames.push_back(extent.start + at);
  }
  Ref<Buffer> buffer;
  std::vector<PhysAddr> frames;  // by page
};
using Sources = std::array<Source, 2>;

// Which pages of the window are looked up in the page table, since most of the time goes there.
struct LookedUp {
  std::uint64_t first = 0;
  std::uint64_t step = 1;
};

void compare(const Vm& vm, const Sources& sources, const Window& model, LookedUp looked_up) {
  class Tree final : public Vm::MappingVisitor {
   public:
    explicit Tree(const Sources& sources) : sources_(sources) {}
    void visit(const Vm::MappingView& view) override {
      for (std::uint64_t at = 0; at < view.range.size(); at += kPageSize) {
        const std::uint64_t page = (view.range.first + at - kBase) / kPageSize;
        PANTRY_CHECK(page < kPages && !pages[page]);
        pages[page] = Shown{view.buffer == sources_[1].buffer.get() ? std::size_t{1} : 0,
                            (view.buffer_offset + at) / kPageSize, view.prot};
      }
    }
    Window pages = Window(kPages);

   private:
    const Sources& sources_;
  } tree(sources);
  vm.for_each_mapping(tree);
  PANTRY_CHECK(tree.pages == model);
  for (std::uint64_t page = looked_up.first; page < kPages; page += looked_up.step) {
    const auto seen = vm.translate(kBase + page * kPageSize);
    PANTRY_CHECK(seen.has_value() == model[page].has_value());
    if (!seen) continue;
    const Shown& shown = *model[page];
    PANTRY_CHECK(seen->frame == sources[shown.buffer].frames[shown.page]);
    PANTRY_CHECK(seen->prot == shown.prot);
  }
  PANTRY_CHECK(!vm.translate(kBase - kPageSize));
  PANTRY_CHECK(!vm.translate(kBase + kPages * kPageSize));
}

Step take_step(fuzz::Input& input, std::uint8_t what) {
  Step step;
  step.map = (what & 3) != 0;
  step.buffer = what >> 4 & 1;
  step.prot = static_cast<Prot>(what >> 5);
  step.first = input.take<std::uint16_t>() % kPages;
  step.pages = 1 + input.take<std::uint16_t>() % kBufferPages;
  step.offset = input.take<std::uint16_t>() % kBufferPages;
  if (what & 4) {  // whole blocks
    step.first = step.first / 512 * 512 + kFirstAtBlock;
    step.pages = 512;
    step.offset = step.offset / 512 * 512;
  }
  step.pages = std::min({step.pages, kPages - step.first, kBufferPages - step.offset});
  return step;
}

BindOp op_of(const Step& step, const Sources& sources) {
  BindOp op;
  op.type = step.map ? BindType::kMap : BindType::kUnmap;
  op.range = GpuRange::of_size(kBase + step.first * kPageSize, step.pages * kPageSize);
  if (!step.map) return op;
  op.buffer = sources[step.buffer].buffer;
  op.buffer_offset = step.offset * kPageSize;
  op.prot = step.prot;
  return op;
}

// How a bind is queued.
enum How : std::uint8_t {
  kQueued = 1,
  kDropped = 2,  // prepared, and given up
  kGateOpens = 4,
  kGateComes = 8,  // what is queued from now on waits for it
  kSettled = 16,
  kCompared = 32,
};

void run(VmTestBed& bed, fuzz::Input& input, bool active) {
  const Ref<Vm> vm = bed.new_vm();
  if (active) PANTRY_CHECK(vm->activate().has_value());
  const Sources sources{Source(bed.new_buffer(kBufferPages * kPageSize)),
                        Source(bed.new_buffer(kBufferPages * kPageSize))};

  Window model(kPages);
  Ref<TestFence> gate;
  std::vector<Step> behind_gate;
  std::vector<Ref<Fence>> fences;
  const auto open_gate = [&] {
    if (!gate) return;
    gate->signal(bed.executor.clock().now(), 0);
    gate = nullptr;
    for (const Step& step : behind_gate) step.show(model);
    behind_gate.clear();
  };
  // What is queued has run, as far as the gate lets it: so the model's order is the real one.
  const auto settle = [&] { bed.executor.lane(Lane::kBind).drain(); };
  for (std::size_t n = 0; n < kMostSteps && !input.is_over(); ++n) {
    const auto what = input.take<std::uint8_t>();
    const Step step = take_step(input, what);
    const auto how = input.take<std::uint8_t>();
    if (how & kGateOpens) open_gate();
    if ((how & kGateComes) && !gate) gate = make_ref<TestFence>();
    BindOp op = op_of(step, sources);
    if (how & kDropped) {
      (void)vm->prepare_bind(std::move(op));
    } else if (how & kQueued) {
      auto job = vm->prepare_bind(std::move(op));
      if (!job) continue;  // too many table pages lie in for those that wait
      if (gate) {
        PANTRY_CHECK((*job)->add_dependency(gate).has_value());
        behind_gate.push_back(step);
      } else {
        step.show(model);
      }
      fences.push_back((*job)->done());
      vm->push(*std::move(job));
    } else {
      settle();
      if (vm->bind_now(std::move(op))) step.show(model);
    }
    if (how & kSettled) bed.settle();
    if (how & kCompared) {
      settle();
      compare(*vm, sources, model, {.first = n % 8, .step = 8});
    }
  }
  open_gate();
  bed.settle();
  for (const Ref<Fence>& fence : fences) PANTRY_CHECK(fence->status() == 1);
  compare(*vm, sources, model, {});
  const Vm::TableView view = vm->tables();
  PANTRY_CHECK(bed.pages.statistics().lent == VmTestBed::table_pages(*vm));
  PANTRY_CHECK(view.pending_pages == 0);
  BindStatistics all = view.total;
  all.add(view.kernel);
  all.add(view.given_up);
  PANTRY_CHECK(all.pages_reserved == all.pages_used + all.pages_returned);
  if (active) vm->deactivate();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto options = input.take<std::uint8_t>();
  SimExecutor executor(input.take<std::uint8_t>(), 1 + (options >> 4 & 1));
  VmTestBed bed(executor,
                options & 4 ? VmTestBed::Placement::kScatter : VmTestBed::Placement::kCompact,
                static_cast<Provisioning>((options & 3) % 3));
  run(bed, input, (options & 8) != 0);
  PANTRY_CHECK(bed.left_behind() == nullptr);
  return 0;
}
