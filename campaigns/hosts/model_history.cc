// SPDX-License-Identifier: MIT
#include "campaigns/hosts/model_history.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "campaigns/hosts/bare_machine.h"
#include "campaigns/hosts/step_dice.h"
#include "driver/iopgtable/raw_table.h"

namespace pantry::campaigns {
namespace {

using driver::Buffer;
using driver::Prot;

constexpr std::uint64_t kVms = 2;
constexpr std::uint64_t kBuffers = 3;
// Alive at once, most of them by mappings alone.
constexpr std::uint64_t kMostBuffers = 12;
constexpr std::uint64_t kBufferPages = 2 * 512;
// Across a boundary of 1 GiB and not at a multiple of 2 MiB; the first page at one is number 251.
constexpr std::uint64_t kPages = 3 * 512;
constexpr GpuVa kBase{kGiB - 3 * kMiB + 5 * kPageSize};
constexpr std::uint64_t kFirstAligned = 251;
constexpr std::size_t kEverything = 1000;  // steps
constexpr std::size_t kMostPending = 24;

struct Step {
  enum class Kind : std::uint8_t { kMap, kUnmap, kRun, kRenewBuffer, kMoveSlots } kind;
  std::uint64_t vm = 0;
  bool async = false;
  std::uint64_t first = 0, pages = 1;
  std::uint64_t buffer = 0, offset = 0;
  Prot prot = Prot::kNone;
  std::uint64_t failing = 0;  // which allocation fails; 0: none
};

Step step_of(std::uint64_t seed, std::size_t number) {
  StepDice dice(seed, number);
  Step step{};
  step.vm = dice.roll(kVms);
  step.buffer = dice.roll(kBuffers);
  const std::uint64_t kind = dice.roll(1000);
  if (kind < 3)
    step.kind = Step::Kind::kMoveSlots;
  else if (kind < 5)
    step.kind = Step::Kind::kRenewBuffer;
  else if (kind < 150)
    step.kind = Step::Kind::kRun;
  else
    step.kind = kind < 400 ? Step::Kind::kUnmap : Step::Kind::kMap;
  step.async = dice.one_in(3);
  if (dice.one_in(50)) step.failing = 1 + dice.roll(8);
  step.prot = static_cast<Prot>(dice.one_in(2) ? 0 : dice.roll(8));
  step.first = dice.roll(kPages);
  step.offset = dice.roll(kBufferPages);
  const std::uint64_t size = dice.roll(16);
  if (size == 0) {
    // A block, where frames allow it.
    step.first = kFirstAligned + dice.roll(2) * 512;
    step.offset = dice.roll(2) * 512;
    step.pages = 512;
  } else {
    step.pages = 1 + dice.roll(size < 10 ? 8 : size < 15 ? 64 : kBufferPages);
  }
  step.pages = std::min(step.pages, kPages - step.first);
  if (step.kind == Step::Kind::kMap) step.pages = std::min(step.pages, kBufferPages - step.offset);
  return step;
}

// A buffer whose pages can be told from those of all others.
struct Tagged {
  Ref<Buffer> buffer;
  std::uint32_t id = 0;
  std::vector<PhysAddr> frames;
};

// What a page shows.
struct Shown {
  const Tagged* buffer = nullptr;  // null: nothing
  std::uint64_t page = 0;
  Prot prot = Prot::kNone;
};

struct Found {
  std::string what;
};

template <class... T>
[[noreturn]] void found(fmt::format_string<T...> format, T&&... arguments) {
  throw Found{fmt::format(format, std::forward<T>(arguments)...)};
}

class Play {
 public:
  Play(std::uint64_t seed, LossyRegisters::Lost lost)
      : machine_(
            seed % 4 == 0 ? BareMachine::Placement::kScatter : BareMachine::Placement::kCompact,
            seed, caching_of(seed, lost), lost),
        lost_(lost) {
    for (Space& space : spaces_) {
      space.vm = driver::Vm::create(machine_.device(), 0).value();
      space.as = space.vm->activate().value();
    }
    for (std::uint64_t i = 0; i < kBuffers; ++i) renew_buffer(i);
  }

  void step(const Step& step, std::size_t played) {
    switch (step.kind) {
      case Step::Kind::kMap:
      case Step::Kind::kUnmap:
        bind(step);
        break;
      case Step::Kind::kRun:
        run_pending();
        break;
      case Step::Kind::kRenewBuffer:
        run_pending();
        if (all_.size() < kMostBuffers) renew_buffer(step.buffer);
        break;
      case Step::Kind::kMoveSlots:
        move_slots();
        break;
    }
    if (played % kEverything == 0) check_everything();
  }

  void finish() {
    run_pending();
    check_everything();
    for (Space& space : spaces_) {
      space.vm->deactivate();
      space.vm->destroy();
      machine_.pump();
      if (!driver::RawTable(machine_.dram(), space.vm->tables().root, 0).read_all().leaves.empty())
        found("a destroyed VM has entries in its table");
      space = {};
    }
    machine_.pump();
    current_ = {};
    all_.clear();
    machine_.pump();
    if (machine_.buffers().totals() != driver::BufferStore::Totals{}) found("buffers are left");
    if (machine_.pages().statistics().lent != 0) found("table pages are left");
    machine_.pages().trim(0);
    if (machine_.frames().statistics().used != 0) found("frames are left");
  }

 private:
  struct Space {
    Ref<driver::Vm> vm;
    std::uint32_t as = 0;
    std::vector<Shown> shown = std::vector<Shown>(kPages);
    std::vector<std::pair<Step, const Tagged*>> pending;
    std::vector<Ref<driver::Fence>> fences;
  };

  static emu::Quirks::Caching caching_of(std::uint64_t seed, LossyRegisters::Lost lost) {
    using Caching = emu::Quirks::Caching;
    constexpr Caching kAll[] = {Caching::kReal, Caching::kSticky, Caching::kSpeculative,
                                Caching::kReal, Caching::kCoherent};
    return lost == LossyRegisters::Lost::kNothing ? kAll[seed % std::size(kAll)] : Caching::kSticky;
  }

  void renew_buffer(std::uint64_t which) {
    auto tagged = std::make_unique<Tagged>();
    tagged->buffer = machine_.buffers().create(kBufferPages * kPageSize, 0, nullptr).value();
    tagged->id = next_id_++;
    for (const PhysExtent& extent : tagged->buffer->frames())
      for (std::uint64_t at = 0; at < extent.size; at += kPageSize)
        tagged->frames.push_back(extent.start + at);
    for (std::uint32_t page = 0; page < kBufferPages; ++page) {
      const std::uint32_t tag = tag_of({tagged.get(), page, Prot::kNone});
      tagged->buffer->write(page * kPageSize, &tag, sizeof tag);
    }
    current_[which] = tagged.get();
    all_.push_back(std::move(tagged));
    drop_unused();
  }
  // From now on a buffer that is replaced lives by its mappings alone. Whose pages none shows must
  // be gone.
  void drop_unused() {
    std::erase_if(all_, [&](const std::unique_ptr<Tagged>& tagged) {
      const auto shows = [&](const Shown& shown) { return shown.buffer == tagged.get(); };
      if (std::ranges::find(current_, tagged.get()) != current_.end()) return false;
      tagged->buffer = nullptr;
      return std::ranges::none_of(
          spaces_, [&](const Space& space) { return std::ranges::any_of(space.shown, shows); });
    });
    machine_.pump();
    if (machine_.buffers().totals().buffers != all_.size())
      found("{} buffers are alive, of which {} are mapped or held",
            machine_.buffers().totals().buffers, all_.size());
  }
  static std::uint32_t tag_of(const Shown& shown) {
    return shown.buffer->id << 12 | static_cast<std::uint32_t>(shown.page);
  }

  static driver::BindOp op_of(const Step& step, const Tagged* buffer) {
    driver::BindOp op;
    op.type = buffer ? driver::BindType::kMap : driver::BindType::kUnmap;
    op.range = GpuRange::of_size(kBase + step.first * kPageSize, step.pages * kPageSize);
    if (!buffer) return op;
    op.buffer = buffer->buffer;
    op.buffer_offset = step.offset * kPageSize;
    op.prot = step.prot;
    return op;
  }
  static void apply(Space& space, const Step& step, const Tagged* buffer) {
    for (std::uint64_t i = 0; i < step.pages; ++i)
      space.shown[step.first + i] = buffer ? Shown{buffer, step.offset + i, step.prot} : Shown{};
  }

  void bind(const Step& step) {
    Space& space = spaces_[step.vm];
    const Tagged* buffer = step.kind == Step::Kind::kMap ? current_[step.buffer] : nullptr;
    driver::AllocationFaults& faults = machine_.pages().faults();
    faults.fail_nth(step.failing);
    Result<> done;
    if (step.async) {
      Result<Ref<driver::Job>> job = space.vm->prepare_bind(op_of(step, buffer));
      if (job) {
        space.fences.push_back((*job)->done());
        space.vm->push(*std::move(job));
        space.pending.emplace_back(step, buffer);
      } else {
        done = Error(job.error());
      }
    } else {
      done = space.vm->bind_now(op_of(step, buffer));
      if (done) apply(space, step, buffer);
    }
    const bool failed = step.failing != 0 && faults.fired();
    faults.fail_nth(0);
    if (done.has_value() == failed)
      found("a bind {}", failed ? "succeeds without memory" : "fails");
    if (!done && done.error() != Errno::kNoMem)
      found("a bind fails with {}", name_of(done.error()));
    check(space, step.first, step.pages);
    if (space.pending.size() >= kMostPending) run_pending();
  }

  void run_pending() {
    machine_.pump();
    for (Space& space : spaces_) {
      for (const auto& [step, buffer] : space.pending) apply(space, step, buffer);
      for (const Ref<driver::Fence>& fence : space.fences)
        if (fence->status() != 1) found("a queued bind ends with {}", fence->status());
      for (const auto& [step, buffer] : space.pending) check(space, step.first, step.pages);
      space.pending.clear();
      space.fences.clear();
    }
  }

  // As for a reset of the device, and back in other slots.
  void move_slots() {
    for (Space& space : spaces_) space.vm->deactivate();
    machine_.spaces().drop_all(driver::AddressSpaces::Registers::kDisable);
    std::ranges::reverse(spaces_order_);
    for (const std::size_t i : spaces_order_) spaces_[i].as = spaces_[i].vm->activate().value();
  }

  // [first, first + pages) and a neighbour on either side.
  void check(Space& space, std::uint64_t first, std::uint64_t pages) {
    const std::uint64_t begin = first == 0 ? 0 : first - 1;
    const std::uint64_t end = std::min(first + pages + 1, kPages);
    check_tree(space, begin, end);
    const driver::RawTable table(machine_.dram(), space.vm->tables().root, 0);
    for (std::uint64_t page = begin; page < end; ++page) {
      const std::uint64_t va = kBase.value + page * kPageSize;
      check_entry(space.shown[page], va, table.find(va));
      const bool edge = page <= first || page + 1 >= first + pages;
      check_access(space, page, edge ? Accesses::kAll : Accesses::kRead);
    }
    // In the control it was: what is to be found is what comes of it.
    if (lost_ == LossyRegisters::Lost::kNothing && machine_.has_misbehaved())
      found("the device was given wrong commands");
  }

  void check_tree(Space& space, std::uint64_t begin, std::uint64_t end) {
    class Look final : public driver::Vm::MappingVisitor {
     public:
      explicit Look(std::uint64_t pages) : seen(pages) {}
      void visit(const driver::Vm::MappingView& view) override {
        if (view.owner != driver::MappingOwner::kUser) return;
        if (view.range.first < kBase || view.range.last >= kBase + kPages * kPageSize)
          found("a mapping at {:#x}, where nobody asked for one", view.range.first.value);
        const std::uint64_t first = (view.range.first - kBase) / kPageSize;
        for (std::uint64_t i = 0; i < view.range.size() / kPageSize; ++i) {
          if (seen[first + i].first) found("two mappings of page {}", first + i);
          seen[first + i] = {view.buffer, view.buffer_offset / kPageSize + i};
          prots[first + i] = view.prot;
        }
      }
      std::vector<std::pair<const Buffer*, std::uint64_t>> seen;
      std::array<Prot, kPages> prots{};
    } look(kPages);
    space.vm->for_each_mapping(look);
    for (std::uint64_t page = begin; page < end; ++page) {
      const Shown& shown = space.shown[page];
      const auto& [buffer, offset] = look.seen[page];
      if (!buffer && !shown.buffer) continue;
      if (!buffer || !shown.buffer)
        found("the tree has {} mapping at page {}", buffer ? "a" : "no", page);
      if (offset != shown.page || look.prots[page] != shown.prot ||
          buffer->cpu(offset * kPageSize, 4) !=
              machine_.dram().at(shown.buffer->frames[shown.page], 4))
        found("the tree has another mapping at page {}", page);
    }
  }

  static void check_entry(const Shown& shown, std::uint64_t va,
                          const std::optional<driver::RawLeaf>& leaf) {
    if (leaf.has_value() != (shown.buffer != nullptr))
      found("the table has {} entry for {:#x}", leaf ? "an" : "no", va);
    if (!leaf) return;
    if (leaf->frame() + (va - leaf->va) != shown.buffer->frames[shown.page].value)
      found("the table leads from {:#x} to another frame", va);
    if (leaf->attributes() != attributes_of(shown.prot))
      found("the entry for {:#x} has the attributes {:#x}, not {:#x}", va, leaf->attributes(),
            attributes_of(shown.prot));
  }
  // From the architecture's manual: AttrIndx 4:2 with 1 for cached memory, AP 7:6, SH 9:8 inner or
  // outer, AF, nG, PXN and UXN.
  static std::uint64_t attributes_of(Prot prot) {
    const bool cached = !has(prot, Prot::kUncached);
    return (cached ? 0x344u : 0x240u) | (has(prot, Prot::kReadOnly) ? 0x80u : 0u) | 0xc00u |
           (has(prot, Prot::kNoExec) ? std::uint64_t{3} << 53 : 0);
  }

  enum class Accesses { kRead, kAll };
  void check_access(Space& space, std::uint64_t page, Accesses accesses) {
    const Shown& shown = space.shown[page];
    const GpuVa va = kBase + page * kPageSize;
    const auto read = machine_.reach(space.as, va, emu::Access::kRead);
    if (read.has_value() != (shown.buffer != nullptr))
      found("the device {} at {:#x}", read ? "reads" : "faults", va.value);
    if (read) {
      const auto tag = *static_cast<const std::uint32_t*>(machine_.dram().at(*read, 4));
      if (tag != tag_of(shown))
        found("the device reads {:#x} at {:#x}, not {:#x}", tag, va.value, tag_of(shown));
    }
    if (accesses == Accesses::kRead) return;
    const bool writes = machine_.reach(space.as, va, emu::Access::kWrite).has_value();
    if (writes != (shown.buffer && !has(shown.prot, Prot::kReadOnly)))
      found("the device {} to {:#x}", writes ? "writes" : "does not write", va.value);
    const bool executes = machine_.reach(space.as, va, emu::Access::kExecute).has_value();
    if (executes != (shown.buffer && !has(shown.prot, Prot::kNoExec)))
      found("the device {} at {:#x}", executes ? "executes" : "does not execute", va.value);
  }

  void check_everything() {
    std::uint64_t tables = 0;
    for (Space& space : spaces_) {
      check(space, 0, kPages);
      for (std::uint64_t page = 0; page < kPages; ++page) check_access(space, page, Accesses::kAll);
      const auto contents =
          driver::RawTable(machine_.dram(), space.vm->tables().root, 0).read_all();
      tables += contents.tables.size();
      if (contents.bad_entries != 0) found("{} entries make no sense", contents.bad_entries);
      if (contents.empty_tables != 0) found("{} tables are empty", contents.empty_tables);
      for (const driver::RawLeaf& leaf : contents.leaves)
        if (leaf.va < kBase.value || leaf.va + leaf.size > kBase.value + kPages * kPageSize)
          found("an entry for {:#x}, where nobody asked for one", leaf.va);
    }
    std::uint64_t pending = 0;
    for (const Space& space : spaces_) pending += space.vm->tables().pending_pages;
    const std::uint64_t lent = machine_.pages().statistics().lent;
    // A queued bind may be charged for more than was laid in for it; one that has run, for nothing.
    if (lent < tables || lent > tables + pending)
      found("{} table pages are out, {} in tables and {} in queued binds", lent, tables, pending);
    if (std::ranges::all_of(spaces_, [](const Space& space) { return space.pending.empty(); }) &&
        pending != 0)
      found("{} table pages are charged, and no bind is queued", pending);
  }

  BareMachine machine_;
  const LossyRegisters::Lost lost_;
  std::array<Space, kVms> spaces_;
  std::array<std::size_t, kVms> spaces_order_{0, 1};
  std::array<const Tagged*, kBuffers> current_{};
  std::vector<std::unique_ptr<Tagged>> all_;
  std::uint32_t next_id_ = 1;
};

}  // namespace

std::optional<std::string> ModelHistory::play(std::uint64_t seed,
                                              std::span<const std::size_t> kept) const {
  auto play = std::make_unique<Play>(seed, lost_);
  std::size_t played = 0;
  try {
    for (const std::size_t number : kept) play->step(step_of(seed, number), ++played);
    play->finish();
  } catch (const Found& finding) {
    // What is wrong now may not be fit to be taken down.
    static_cast<void>(play.release());
    return fmt::format("after {} steps {}", played, finding.what);
  }
  return std::nullopt;
}

std::string ModelHistory::describe(std::uint64_t seed, std::size_t number) const {
  const Step step = step_of(seed, number);
  const auto bind = [&] {
    return fmt::format("{} VM {}: pages {} to {}{}", step.async ? "queue" : "now", step.vm,
                       step.first, step.first + step.pages - 1,
                       step.failing ? fmt::format(", allocation {} fails", step.failing) : "");
  };
  switch (step.kind) {
    case Step::Kind::kMap:
      return fmt::format("map {} to page {} of buffer {}, flags {}", bind(), step.offset,
                         step.buffer, static_cast<unsigned>(step.prot));
    case Step::Kind::kUnmap:
      return fmt::format("unmap {}", bind());
    case Step::Kind::kRun:
      return "run what is queued";
    case Step::Kind::kRenewBuffer:
      return fmt::format("another buffer {}", step.buffer);
    case Step::Kind::kMoveSlots:
      return "take the address spaces away and give them back";
  }
  return {};
}

}  // namespace pantry::campaigns
