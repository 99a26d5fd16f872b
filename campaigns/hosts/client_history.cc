// SPDX-License-Identifier: MIT
#include "campaigns/hosts/client_history.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "campaigns/hosts/direct_client.h"
#include "campaigns/hosts/step_dice.h"
#include "driver/kernel/sim_executor.h"
#include "driver/provision/page_pool.h"
#include "driver/vm/shrinker.h"
#include "gpu_emu/datasheet/builder.h"
#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::campaigns {
namespace {

namespace isa = datasheet::isa;
using driver::Prot;

constexpr std::uint64_t kClients = 2;
constexpr std::uint64_t kBuffers = 2;
constexpr std::uint64_t kBufferPages = 512 + 64;
constexpr std::uint64_t kPages = 2 * 512;
constexpr std::uint64_t kSparsePages = 512;  // until a sparse range shows the same again
constexpr std::uint64_t kVa = 0x4000'0000;   // where such a window begins
constexpr std::uint64_t kCodeVa = 0x0100'0000;
constexpr std::uint64_t kStreamBytes = 64;
constexpr std::uint64_t kStreams = 8;  // in flight at most
constexpr std::uint64_t kMostInBatch = 3;
constexpr unsigned kBindThreads = 2;

// What one VM_BIND operation does.
struct Range {
  bool map = false;
  bool sparse = false;  // of a map: shows what all sparse ranges do, not a buffer
  std::uint64_t first = 0, pages = 1;
  std::uint64_t buffer = 0, offset = 0;
  Prot prot = Prot::kNone;
};

struct Step {
  enum class Kind : std::uint8_t {
    kBind,
    kQueueBinds,  // behind the client's gate, if that is shut
    kShutGate,
    kOpenGate,
    kStore,   // a job that stores to a page, and its end
    kSubmit,  // one that is left alone
    kDropGroup,
    kReset,
    kRenewVm,
    kKill,
    kEvict,  // as many pages of whatever is idle as `page` says, and one
  } kind;
  std::uint64_t client = 0;
  std::uint64_t failing = 0;  // which allocation fails; 0: none
  std::uint64_t page = 0;     // of a store
  std::size_t count = 1;
  std::array<Range, kMostInBatch> ranges{};
};
constexpr const char* kNames[] = {"bind",       "queue binds",    "shut the gate",  "open the gate",
                                  "store",      "submit a store", "drop the group", "reset the GPU",
                                  "another VM", "kill",           "evict"};

Range range_of(StepDice& dice) {
  Range range;
  range.map = !dice.one_in(3);
  range.first = dice.roll(kPages);
  range.buffer = dice.roll(kBuffers);
  range.offset = dice.roll(kBufferPages);
  range.prot = static_cast<Prot>(dice.one_in(2) ? 0 : dice.roll(8));
  if (dice.one_in(4)) {
    range.first = dice.roll(2) * 512;
    range.pages = 512;
    range.offset = 0;
  } else {
    range.pages = 1 + dice.roll(dice.one_in(3) ? 512 : 8);
  }
  range.pages = std::min({range.pages, kPages - range.first, kBufferPages - range.offset});
  range.sparse = range.map && dice.one_in(4);
  if (range.sparse) range.prot = range.prot | Prot::kNoExec;
  return range;
}

Step step_of(std::uint64_t seed, std::size_t number) {
  using Kind = Step::Kind;
  // Out of 100.
  constexpr std::pair<Kind, std::uint64_t> kShares[] = {
      {Kind::kBind, 25},   {Kind::kQueueBinds, 21}, {Kind::kShutGate, 6},  {Kind::kOpenGate, 8},
      {Kind::kStore, 12},  {Kind::kSubmit, 10},     {Kind::kDropGroup, 3}, {Kind::kReset, 3},
      {Kind::kRenewVm, 3}, {Kind::kKill, 3},        {Kind::kEvict, 6}};
  StepDice dice(seed, number);
  Step step{};
  std::uint64_t share = dice.roll(100);
  for (const auto& [kind, size] : kShares) {
    step.kind = kind;
    if (share < size) break;
    share -= size;
  }
  step.client = dice.roll(kClients);
  if (dice.one_in(8)) step.failing = 1 + dice.roll(12);
  step.page = dice.roll(kPages);
  step.count = 1 + dice.roll(kMostInBatch);
  for (Range& range : step.ranges) range = range_of(dice);
  return step;
}

struct Found {
  std::string what;
};

template <class... T>
[[noreturn]] void found(fmt::format_string<T...> format, T&&... arguments) {
  throw Found{fmt::format(format, std::forward<T>(arguments)...)};
}

class GateFence final : public driver::Fence {
 public:
  GateFence() : Fence(next_context(), 1) {}
  const char* driver_name() const noexcept override { return "campaign"; }
  const char* timeline_name() const noexcept override { return "gate"; }
};

// A client and what its VM must show.
class Client {
 public:
  explicit Client(uapi::Machine& machine)
      : machine_(machine),
        client_(machine),
        code_(client_.create_buffer(kStreams * kStreamBytes, 0)),
        gate_(client_.create_syncobj()),
        done_(client_.create_syncobj()) {
    for (std::uint32_t& handle : buffers_)
      handle = client_.create_buffer(kBufferPages * kPageSize, 0);
    make_vm();
  }
  // As a process that is killed: whatever is in flight stays behind. What holds its gate shut is
  // left to the caller.
  ~Client() = default;

  void bind(const Step& step) {
    // Binds that are on their way would be in no order with this one.
    if (!shut_) settle_and_check();
    const Range& range = step.ranges[0];
    std::vector<drm_panthor_vm_bind_op> ops{op_of(range)};
    if (attempt(step, [&] { return client_.bind(vm_, 0, ops); })) apply(range);
  }

  void queue_binds(const Step& step) {
    std::vector<drm_panthor_vm_bind_op> ops;
    for (std::size_t i = 0; i < step.count; ++i) ops.push_back(op_of(step.ranges[i]));
    drm_panthor_sync_op wait{0, gate_, 0};
    if (shut_) ops[0].syncs = {sizeof wait, 1, reinterpret_cast<std::uint64_t>(&wait)};
    if (attempt(step, [&] { return client_.bind(vm_, DRM_PANTHOR_VM_BIND_ASYNC, ops); }))
      queued_.insert(queued_.end(), step.ranges.begin(),
                     step.ranges.begin() + static_cast<std::ptrdiff_t>(step.count));
  }

  void shut_gate() {
    if (shut_) return;
    settle_and_check();
    shut_ = make_ref<GateFence>();
    client_.file().syncobj(gate_)->replace(Ref<driver::Fence>(shut_));
  }
  void open_gate() {
    if (!shut_) return;
    std::exchange(shut_, nullptr)->signal(machine_.device().executor().clock().now(), 0);
  }
  Ref<GateFence> take_gate() { return std::exchange(shut_, nullptr); }

  void submit(const Step& step) {
    if (in_flight_ == kStreams) finish_jobs();
    if (group_ == 0) group_ = client_.create_group(vm_);
    const std::uint32_t value = ++last_value_;
    // The second word of a page is for jobs that nobody waits for.
    const std::uint32_t bytes = write_stream(in_flight_, kVa + step.page * kPageSize + 4, value);
    const std::uint64_t stream = kCodeVa + in_flight_ * kStreamBytes;
    const int result =
        with_failing(step, [&] { return client_.submit(group_, stream, bytes, done_); });
    if (result == 0) ++in_flight_;
    // A group that has faulted takes no more.
    if (result != 0 && result != -ENOMEM && result != -EINVAL && result != -ECANCELED)
      found("a submit fails with {}", result);
    if (result != 0 && result != -ENOMEM) drop_group();
  }

  // A job that must arrive where the VM shows a writable page, and nowhere else.
  void store(const Step& step) {
    finish_jobs();
    settle_and_check();
    const Shown& shown = shown_[step.page];
    const bool arrives = shown.mapped && !has(shown.prot, Prot::kReadOnly);
    group_ = client_.create_group(vm_);
    const std::uint32_t value = ++last_value_;
    const std::uint32_t bytes = write_stream(0, kVa + step.page * kPageSize, value);
    const int status = client_.run(group_, kCodeVa, bytes);
    if ((status == 1) != arrives) found("a store to page {} ends with {}", step.page, status);
    if (arrives && word_at(shown) != value) found("a store to page {} has not arrived", step.page);
    drop_group();
  }

  void drop_group() {
    if (group_ != 0) client_.destroy_group(group_);
    group_ = 0;
    in_flight_ = 0;
  }

  void renew_vm() {
    drop_group();
    client_.destroy_vm(vm_);
    make_vm();
  }

  // What holds at any moment.
  void check_always() {
    const Ref<driver::Vm> vm = client_.file().vm(vm_);
    if (vm->unusable()) found("a bind that was accepted has failed");
    if (const auto tables = vm->tables();
        tables.pending_pages > machine_.device().vm_device().max_pending_table_pages)
      found("{} table pages are held by queued binds", tables.pending_pages);
    class Order final : public driver::Vm::MappingVisitor {
     public:
      void visit(const driver::Vm::MappingView& view) override {
        if (!view.sparse && view.buffer_offset + view.range.size() > view.buffer->size())
          found("the mapping at {:#x} leaves its buffer", view.range.first.value);
        if (last && view.range.first <= *last)
          found("two mappings at {:#x}", view.range.first.value);
        last = view.range.last;
      }
      std::optional<GpuVa> last;
    } order;
    vm->for_each_mapping(order);
  }

  // Lets everything run that can, and compares.
  void settle_and_check() {
    machine_.device().settle();
    if (!shut_) {
      for (const Range& range : queued_) apply(range);
      queued_.clear();
    }
    const Ref<driver::Vm> vm = client_.file().vm(vm_);
    // As a submit does: what was evicted is back.
    const Result<driver::Residency> resident = vm->make_resident();
    if (!resident) found("what was evicted does not come back");
    if (const std::uint64_t pending = vm->tables().pending_pages; queued_.empty() && pending != 0)
      found("{} table pages are held, and no bind is queued", pending);
    check_tree(*vm);
    for (std::uint64_t page = 0; page < kPages; ++page) check_page(*vm, page);
  }

 private:
  struct Shown {
    bool mapped = false;
    bool sparse = false;                 // then without a buffer of its own
    std::uint64_t buffer = 0, page = 0;  // sparse: of the 2 MiB that it shows
    Prot prot = Prot::kNone;
    bool operator==(const Shown&) const = default;
  };

  void make_vm() {
    vm_ = client_.create_vm();
    std::vector<drm_panthor_vm_bind_op> ops{DirectClient::map(code_, 0, kCodeVa, kPageSize)};
    if (client_.bind(vm_, 0, ops) != 0) found("a first bind fails");
    shown_.assign(kPages, {});
    queued_.clear();
  }

  drm_panthor_vm_bind_op op_of(const Range& range) const {
    const std::uint64_t va = kVa + range.first * kPageSize;
    const std::uint64_t size = range.pages * kPageSize;
    if (!range.map) return DirectClient::unmap(va, size);
    drm_panthor_vm_bind_op op =
        range.sparse
            ? DirectClient::map(0, 0, va, size)
            : DirectClient::map(buffers_[range.buffer], range.offset * kPageSize, va, size);
    if (range.sparse) op.flags |= DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE;
    op.flags |= static_cast<std::uint32_t>(range.prot);
    return op;
  }
  void apply(const Range& range) {
    for (std::uint64_t page = range.first; page < range.first + range.pages; ++page) {
      Shown& shown = shown_[page];
      shown = {};
      if (range.sparse)
        shown = {true, true, 0, page % kSparsePages, range.prot};
      else if (range.map)
        shown = {true, false, range.buffer, range.offset + page - range.first, range.prot};
    }
  }
  Ref<driver::Buffer> buffer_of(const Shown& shown) {
    return shown.sparse ? client_.file().buffer_lookup().sparse_buffer().value()
                        : client_.file().buffer(buffers_[shown.buffer]);
  }
  std::uint32_t word_at(const Shown& shown) {
    std::uint32_t word = 0;
    if (!buffer_of(shown)->read(shown.page * kPageSize, &word, sizeof word))
      found("page {} is outside of its buffer", shown.page);
    return word;
  }

  template <class Call>
  int with_failing(const Step& step, Call call) {
    driver::AllocationFaults& faults = machine_.device().pages().faults();
    faults.fail_nth(step.failing);
    const int result = call();
    const bool failed = step.failing != 0 && faults.fired();
    faults.fail_nth(0);
    if (result == -ENOMEM && !failed) found("there is no memory, and nothing was made to fail");
    return result;
  }
  // False: for want of memory.
  template <class Call>
  bool attempt(const Step& step, Call call) {
    const int result = with_failing(step, call);
    if (result != 0 && result != -ENOMEM) found("a bind fails with {}", result);
    return result == 0;
  }

  std::uint32_t write_stream(std::uint64_t slot, std::uint64_t va, std::uint32_t value) {
    std::array<std::uint64_t, kStreamBytes / 8> words{};
    datasheet::CsBuilder stream(words);
    stream.add(isa::Move48{isa::d(68), va});
    stream.add(isa::Move32{isa::r(70), value});
    stream.add(isa::StoreMultiple{isa::r(70), isa::d(68), 1, 0});
    stream.add(isa::Wait{.mask = {0xff}});
    client_.write(code_, slot * kStreamBytes, words.data(), stream.bytes());
    return static_cast<std::uint32_t>(stream.bytes());
  }
  void finish_jobs() {
    // However they end.
    if (in_flight_ != 0) static_cast<void>(client_.finish(done_));
    drop_group();
  }

  void check_tree(const driver::Vm& vm) {
    class Look final : public driver::Vm::MappingVisitor {
     public:
      void visit(const driver::Vm::MappingView& view) override {
        if (view.range.first.value < kVa || view.range.first.value >= kVa + kPages * kPageSize)
          return;
        const std::uint64_t first = (view.range.first.value - kVa) / kPageSize;
        for (std::uint64_t i = 0; i < view.range.size() / kPageSize; ++i) {
          const std::uint64_t page = view.buffer_offset / kPageSize + i;
          seen.at(first + i) = {view.buffer, view.sparse ? page % kSparsePages : page, view.prot};
        }
      }
      struct Seen {
        const driver::Buffer* buffer = nullptr;
        std::uint64_t page = 0;
        Prot prot = Prot::kNone;
      };
      std::vector<Seen> seen = std::vector<Seen>(kPages);
    } look;
    vm.for_each_mapping(look);
    for (std::uint64_t page = 0; page < kPages; ++page) {
      const Shown& shown = shown_[page];
      const Look::Seen& seen = look.seen[page];
      if ((seen.buffer != nullptr) != shown.mapped)
        found("the tree has {} mapping at page {}", seen.buffer ? "a" : "no", page);
      if (shown.mapped && (seen.page != shown.page || seen.prot != shown.prot ||
                           seen.buffer != buffer_of(shown).get()))
        found("the tree has another mapping at page {}", page);
    }
  }
  void check_page(const driver::Vm& vm, std::uint64_t page) {
    const Shown& shown = shown_[page];
    const auto there = vm.translate({kVa + page * kPageSize});
    if (there.has_value() != shown.mapped)
      found("the table has {} entry for page {}", there ? "an" : "no", page);
    if (!there) return;
    if (there->prot != shown.prot) found("the entry for page {} has other rights", page);
    std::uint64_t offset = shown.page * kPageSize;
    const Ref<driver::Buffer> buffer = buffer_of(shown);
    for (const PhysExtent& extent : buffer->frames()) {
      if (offset < extent.size) {
        if (there->frame != extent.start + offset)
          found("the table leads from page {} to another frame", page);
        return;
      }
      offset -= extent.size;
    }
  }

  uapi::Machine& machine_;
  DirectClient client_;
  const std::uint32_t code_;
  const std::uint32_t gate_;
  const std::uint32_t done_;
  std::array<std::uint32_t, kBuffers> buffers_{};
  std::uint32_t vm_ = 0;
  std::uint32_t group_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint32_t last_value_ = 0;
  Ref<GateFence> shut_;
  std::vector<Shown> shown_;
  std::vector<Range> queued_;
};

class Play {
 public:
  explicit Play(std::uint64_t seed) : executor_(seed, kBindThreads) {
    uapi::MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    using Memory = uapi::MachineConfig::Memory;
    config.memory = seed % 2 == 0 ? Memory::kWindow : Memory::kArena;
    config.scatter_seed = seed;
    using Caching = emu::Quirks::Caching;
    constexpr Caching kCachings[] = {Caching::kReal, Caching::kSticky, Caching::kSpeculative,
                                     Caching::kCoherent};
    config.quirks.caching = kCachings[seed / 2 % 4];
    config.quirks.speculation_seed = seed;
    const auto& provisioners = driver::kProvisioningNames;
    config.provisioning = provisioners[seed / 8 % std::size(provisioners)].provisioning;
    config.checker = uapi::MachineConfig::Check::kReport;
    config.swap_bytes = kGiB;
    machine_ = uapi::Machine::create(executor_, config).value();
    before_ = machine_->baseline();
    for (auto& client : clients_) client = std::make_unique<Client>(*machine_);
  }

  void step(const Step& step) {
    Client& client = *clients_[step.client];
    switch (step.kind) {
      case Step::Kind::kBind:
        client.bind(step);
        break;
      case Step::Kind::kQueueBinds:
        client.queue_binds(step);
        break;
      case Step::Kind::kShutGate:
        client.shut_gate();
        break;
      case Step::Kind::kOpenGate:
        client.open_gate();
        open_left_gates();
        break;
      case Step::Kind::kStore:
        client.store(step);
        break;
      case Step::Kind::kSubmit:
        client.submit(step);
        break;
      case Step::Kind::kDropGroup:
        client.drop_group();
        break;
      case Step::Kind::kReset:
        machine_->device().request_reset("a history asks for it");
        break;
      case Step::Kind::kRenewVm:
        client.renew_vm();
        break;
      case Step::Kind::kKill:
        kill(step.client);
        clients_[step.client] = std::make_unique<Client>(*machine_);
        break;
      case Step::Kind::kEvict:
        machine_->device().shrinker().shrink(step.page + 1);
        break;
    }
    for (const auto& each : clients_) each->check_always();
    if (const auto mistakes = machine_->mistakes(); !mistakes.empty())
      found("the checker says: {}", text_of(mistakes[0]));
  }

  void finish() {
    for (const auto& client : clients_) client->settle_and_check();
    for (std::size_t i = 0; i < kClients; ++i) kill(i);
    open_left_gates();
    if (machine_->baseline() != before_) found("something is left when all clients are gone");
    machine_.reset();
    executor_.join_spawned();
  }

 private:
  void kill(std::size_t which) {
    if (Ref<GateFence> gate = clients_[which]->take_gate()) left_gates_.push_back(std::move(gate));
    clients_[which].reset();
  }
  // Those that clients which were killed have left shut.
  void open_left_gates() {
    for (const Ref<GateFence>& gate : std::exchange(left_gates_, {}))
      gate->signal(executor_.clock().now(), 0);
  }

  driver::SimExecutor executor_;
  std::unique_ptr<uapi::Machine> machine_;
  uapi::Machine::Baseline before_;
  std::array<std::unique_ptr<Client>, kClients> clients_;
  std::vector<Ref<GateFence>> left_gates_;
};

}  // namespace

std::optional<std::string> ClientHistory::play(std::uint64_t seed,
                                               std::span<const std::size_t> kept) const {
  auto play = std::make_unique<Play>(seed);
  std::size_t played = 0;
  try {
    for (const std::size_t number : kept) {
      ++played;
      play->step(step_of(seed, number));
    }
    play->finish();
  } catch (const Found& finding) {
    // What is wrong now may not be fit to be taken down.
    static_cast<void>(play.release());
    return fmt::format("after {} steps {}", played, finding.what);
  }
  return std::nullopt;
}

std::string ClientHistory::describe(std::uint64_t seed, std::size_t number) const {
  const Step step = step_of(seed, number);
  std::string text =
      fmt::format("client {}: {}", step.client, kNames[static_cast<std::size_t>(step.kind)]);
  using Kind = Step::Kind;
  if (step.kind == Kind::kStore || step.kind == Kind::kSubmit)
    text += fmt::format(" to page {}", step.page);
  if (step.kind == Kind::kBind || step.kind == Kind::kQueueBinds) {
    const std::size_t count = step.kind == Kind::kBind ? 1 : step.count;
    for (const Range& range : std::span(step.ranges).first(count))
      text += range.sparse ? fmt::format("; map {}+{} sparse, flags {}", range.first, range.pages,
                                         static_cast<unsigned>(range.prot))
              : range.map  ? fmt::format("; map {}+{} to page {} of buffer {}, flags {}",
                                         range.first, range.pages, range.offset, range.buffer,
                                         static_cast<unsigned>(range.prot))
                           : fmt::format("; unmap {}+{}", range.first, range.pages);
  }
  if (step.failing != 0) text += fmt::format("; allocation {} fails", step.failing);
  return text;
}

}  // namespace pantry::campaigns
