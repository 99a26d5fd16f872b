// SPDX-License-Identifier: MIT
//
// For tests only: a firmware by the book, over the memory that the driver mapped. It answers
// requests at once, when a doorbell is rung, and executes nothing: what becomes of a job is
// scripted by the address of the client's stream. It can be told to ignore requests.
//
// Three group slots of eight streams, so that a few groups compete. Called by FakeGpu under its
// lock.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <vector>

#include "driver/csf/fake_memory.h"
#include "driver/csf/job_stream.h"
#include "gpu_emu/datasheet/cs_operand.h"
#include "gpu_emu/datasheet/firmware_interface.h"

namespace pantry::driver {

class FakeFirmware {
 public:
  static constexpr std::uint32_t kGroups = 3;
  static constexpr std::uint32_t kStreams = 8;
  static constexpr std::uint32_t kSuspendBytes = 0x100;

  // What a job does.
  struct Script {
    enum class Kind {
      kDone,
      kHang,        // never ends
      kFault,       // CS_FAULT of type `exception`, then ends
      kFatal,       // CS_FATAL of type `exception`
      kWait,        // until the 64-bit word at `object` is greater than `reference`, then ends
      kTilerOom,    // asks for memory for the heap at `object`, and is done when it is answered
      kNoProgress,  // PROGRESS_TIMER_EVENT, then never ends
    } kind = Kind::kDone;
    std::uint32_t exception = 0;
    GpuVa object = {};
    std::uint64_t reference = 0;
    // Of kTilerOom.
    std::uint32_t passes_begun = 1;
    std::uint32_t passes_tiled = 0;
    std::uint32_t passes_rendered = 0;
  };

  explicit FakeFirmware(FakeMemory memory) : memory_(memory) {
    transitions.reserve(kMaxNotes);
    requests.reserve(kMaxNotes);
    grants.reserve(kMaxNotes);
  }

  // Test side, under the lock of FakeGpu.
  std::map<std::uint64_t, Script> scripts;  // by the address of the stream
  std::uint32_t ignored_slots = 0;          // requests of these are not answered
  bool is_deaf = false;                     // no request is answered, doorbells do nothing
  bool refuses_to_boot = false;
  bool reports_idle = true;
  std::array<std::uint64_t, kGroups> starts{};
  std::array<std::uint64_t, kGroups> resumes{};
  // In order: slot << 4 | new state.
  std::vector<std::uint32_t> transitions;
  std::vector<std::uint32_t> requests;  // CSG_REQ as each doorbell found it, if it had changed
  std::vector<std::uint64_t> grants;    // what TILER_OOM was answered with, in order
  const char* mistake = nullptr;        // of the driver's

  // Device side. `roots`: the root table of each address space.
  using Roots = std::array<PhysAddr, 16>;
  bool boot(const Roots& roots) {
    roots_ = roots;
    if (refuses_to_boot || !memory_.at(roots[0], section(0))) return false;
    publish();
    for (Slot& slot : slots_) slot = {};
    const auto all = [&](std::uint32_t in, std::uint32_t out) {
      word(out).store(0, word(in).load(0));
    };
    all(kGlbIn, kGlbOut);
    all(kGlbIn + 8, kGlbOut + 8);
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      word(csg_out(g)).store(0, word(csg_in(g)).load(0) & ~7u);
      word(csg_out(g) + 8).store(0, word(csg_in(g)).load(8));
      word(csg_out(g)).store(0xc, word(csg_in(g)).load(0xc));
      for (std::uint32_t s = 0; s < kStreams; ++s)
        word(cs_out(g, s)).store(0, word(cs_in(g, s)).load(0) & ~7u);
    }
    interrupts_ |= 1u << 31;
    return true;
  }
  void doorbell(std::uint32_t page, const Roots& roots) {
    if (is_deaf) return;
    roots_ = roots;
    if (page == 0) answer_global();
    run_all();
  }
  // As a timer of the firmware's would: sync objects may have changed.
  void poke(const Roots& roots) {
    roots_ = roots;
    run_all();
  }
  std::uint32_t take_interrupts() { return std::exchange(interrupts_, 0u); }
  bool halt_requested() const { return (word(kGlbIn).load(0) & 1) != 0; }

  struct StreamView {
    std::uint32_t request, config;
  };
  StreamView stream(std::uint32_t g, std::uint32_t s) const {
    return {word(cs_in(g, s)).load(0), word(cs_in(g, s)).load(4)};
  }
  std::uint32_t endpoints(std::uint32_t g) const { return word(csg_in(g)).load(0x34); }
  std::uint32_t address_space(std::uint32_t g) const { return word(csg_in(g)).load(0x50); }
  InterfaceBlock global_input() const { return word(kGlbIn); }
  // The address in the shared section, for tests that damage it.
  InterfaceBlock at_offset(std::uint32_t offset) const { return word(offset); }

 private:
  struct Stream {
    bool started = false;
    bool dead = false;
    bool faulted = false;
    bool asked = false;  // TILER_OOM
    bool told = false;   // the event of the current job was posted
    std::uint64_t extract = 0;
  };
  struct Slot {
    bool running = false;
    std::array<Stream, kStreams> streams{};
    std::uint32_t events = 0;                             // CSG events to be posted
    std::array<std::uint32_t, kStreams> stream_events{};  // CS events to be posted
    bool was_idle = false;
  };

  static constexpr std::size_t kMaxNotes = 4096;
  static constexpr std::uint32_t kGlbIn = 0x2000;
  static constexpr std::uint32_t kGlbOut = 0x3000;
  static constexpr std::uint32_t csg_in(std::uint32_t g) { return 0x4000 + 0x2000 * g; }
  static constexpr std::uint32_t csg_out(std::uint32_t g) { return 0x5000 + 0x2000 * g; }
  static constexpr std::uint32_t cs_in(std::uint32_t g, std::uint32_t s) {
    return csg_in(g) + 0x400 + 0x80 * s;
  }
  static constexpr std::uint32_t cs_out(std::uint32_t g, std::uint32_t s) {
    return csg_out(g) + 0x400 + 0x100 * s;
  }
  static GpuVa section(std::uint32_t offset) { return {0x0400'0000ull + offset}; }
  InterfaceBlock word(std::uint32_t offset) const {
    return memory_.block(roots_[0], section(offset));
  }

  void publish() {
    namespace layout = datasheet::firmware_interface;
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      InterfaceBlock control = word(layout::group_control(g, 0x100));
      control.store(0x04, 0x0400'0000 + csg_in(g));
      control.store(0x08, 0x0400'0000 + csg_out(g));
      control.store(0x0c, kSuspendBytes);
      control.store(0x10, 0x1000);
      control.store(0x14, kStreams);
      control.store(0x18, 12);
      for (std::uint32_t s = 0; s < kStreams; ++s) {
        InterfaceBlock stream = word(layout::stream_control(g, 0x100, s, 12));
        stream.store(0x0, 0x0007'085f);
        stream.store(0x4, 0x0400'0000 + cs_in(g, s));
        stream.store(0x8, 0x0400'0000 + cs_out(g, s));
      }
    }
    InterfaceBlock control = word(0);
    control.store(0x08, 0x0400'0000 + kGlbIn);
    control.store(0x0c, 0x0400'0000 + kGlbOut);
    control.store(0x10, kGroups);
    control.store(0x14, 0x100);
    control.store(0x00, 0x0101'0000);
  }

  void answer_global() {
    using datasheet::glb::Request;
    InterfaceBlock in = word(kGlbIn);
    InterfaceBlock out = word(kGlbOut);
    const std::uint32_t request = in.load(0);
    const std::uint32_t ack = out.load(0);
    const std::uint32_t changed = (request ^ ack) & Request::kMirroredMask;
    out.store(0, ack ^ changed);
    if ((changed & in.load(4)) != 0) interrupts_ |= 1u << 31;
    const std::uint32_t bells = in.load(8) ^ out.load(8);
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      post(g);
      if ((bells >> g & 1) != 0 && (ignored_slots >> g & 1) == 0) answer_group(g);
    }
    out.store(8, in.load(8));
  }

  void answer_group(std::uint32_t g) {
    using datasheet::csg::Request;
    using datasheet::csg::State;
    Slot& slot = slots_[g];
    InterfaceBlock in = word(csg_in(g));
    InterfaceBlock out = word(csg_out(g));
    const std::uint32_t request = in.load(0);
    const std::uint32_t before = out.load(0);
    const auto wanted = Request::StateField::get(request);
    // Only as long as it takes no memory.
    if (wanted != Request::StateField::get(before) && transitions.size() < kMaxNotes) {
      requests.push_back(request);
      transitions.push_back(g << 4 | static_cast<std::uint32_t>(wanted));
    }
    if (wanted == State::kSuspend || wanted == State::kTerminate) {
      publish_status(g);
      if (slot.running && wanted == State::kSuspend) save(g);
      slot = {};
    } else if (!slot.running) {
      start(g, wanted);
    }
    const std::uint32_t bells = in.load(8) ^ out.load(8);
    for (std::uint32_t s = 0; s < kStreams; ++s)
      if ((bells >> s & 1) != 0) answer_stream(g, s);
    run(g);
    publish_status(g);
    out.store(8, in.load(8));
    constexpr std::uint32_t kMirrored = Request::kMirroredMask | Request::StateField::kMask;
    const std::uint32_t ack = (out.load(0) & ~kMirrored) | (request & kMirrored);
    if (ack != out.load(0)) interrupts_ |= 1u << g;
    out.store(0, ack);
  }

  void start(std::uint32_t g, datasheet::csg::State how) {
    Slot& slot = slots_[g];
    slot = {};
    slot.running = true;
    const bool resume = how == datasheet::csg::State::kResume;
    ++(resume ? resumes : starts)[g];
    InterfaceBlock saved = memory_.block(roots_[0], {word(csg_in(g)).load64(0x40)});
    for (std::uint32_t s = 0; s < kStreams; ++s) {
      Stream& stream = slot.streams[s];
      InterfaceBlock in = word(cs_in(g, s));
      stream.started = (in.load(0) & 7) == 1;
      word(cs_out(g, s)).store(0, in.load(0));
      if (!stream.started) continue;
      stream.extract = input_page(g, s).load64(8);
      if (!resume) continue;
      // The buffer must be the one that this group was saved to.
      if (saved.load64(16 * s) != kSaved || saved.load64(16 * s + 8) != stream.extract)
        mistake = "RESUME from a buffer that does not hold the group";
    }
  }
  void save(std::uint32_t g) {
    InterfaceBlock saved = memory_.block(roots_[0], {word(csg_in(g)).load64(0x40)});
    for (std::uint32_t s = 0; s < kStreams; ++s) {
      if (!slots_[g].streams[s].started) continue;
      saved.store64(16 * s, kSaved);
      saved.store64(16 * s + 8, slots_[g].streams[s].extract);
    }
  }

  void answer_stream(std::uint32_t g, std::uint32_t s) {
    using datasheet::cs::Request;
    Stream& stream = slots_[g].streams[s];
    InterfaceBlock in = word(cs_in(g, s));
    InterfaceBlock out = word(cs_out(g, s));
    const std::uint32_t request = in.load(0);
    const std::uint32_t ack = out.load(0);
    const bool fault_seen = ((request ^ ack) & Request::Fault::kMask) == 0 &&
                            (slots_[g].stream_events[s] & Request::Fault::kMask) == 0;
    if (stream.faulted && fault_seen) {
      stream.faulted = false;
      finish_job(g, s);
    }
    const bool oom_seen = ((request ^ ack) & Request::TilerOom::kMask) == 0 &&
                          (slots_[g].stream_events[s] & Request::TilerOom::kMask) == 0;
    if (stream.asked && oom_seen) {
      stream.asked = false;
      if (in.load64(0x20) != in.load64(0x28)) mistake = "heap_start and heap_end differ";
      if (grants.size() < kMaxNotes) grants.push_back(in.load64(0x20));
      finish_job(g, s);
    }
    out.store(0, (ack & Request::kEventMask) | (request & ~Request::kEventMask));
  }

  InterfaceBlock input_page(std::uint32_t g, std::uint32_t s) const {
    return memory_.block(roots_[0], {word(cs_in(g, s)).load64(0x30)});
  }
  InterfaceBlock output_page(std::uint32_t g, std::uint32_t s) const {
    return memory_.block(roots_[0], {word(cs_in(g, s)).load64(0x38)});
  }
  PhysAddr root_of(std::uint32_t g) const { return roots_[address_space(g)]; }

  // Word `n` of the job at EXTRACT; 0 when its memory is gone.
  std::uint64_t job_word(std::uint32_t g, std::uint32_t s, std::uint32_t n) const {
    InterfaceBlock in = word(cs_in(g, s));
    const std::uint64_t place = (slots_[g].streams[s].extract + 8 * n) % in.load(0x18);
    const std::byte* at = memory_.at(root_of(g), {in.load64(0x10) + place});
    std::uint64_t value = 0;
    if (at) std::memcpy(&value, at, 8);
    return value;
  }
  Script script(std::uint32_t g, std::uint32_t s) const {
    const auto found = scripts.find(job_word(g, s, 2) & 0xffff'ffff'ffff);
    return found == scripts.end() ? Script{} : found->second;
  }

  void run_all() {
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      run(g);
      post(g);
    }
  }
  void run(std::uint32_t g) {
    Slot& slot = slots_[g];
    if (!slot.running) return;
    bool idle = true;
    for (std::uint32_t s = 0; s < kStreams; ++s) {
      Stream& stream = slot.streams[s];
      while (stream.started && has_job(g, s) && step(g, s)) {
      }
      idle &= !stream.started || !has_job(g, s) || is_waiting(g, s);
    }
    if (idle && !slot.was_idle && reports_idle) slot.events |= 1u << 29;
    slot.was_idle = idle;
    post(g);
  }
  bool has_job(std::uint32_t g, std::uint32_t s) const {
    return slots_[g].streams[s].extract != input_page(g, s).load64(0);
  }
  bool is_waiting(std::uint32_t g, std::uint32_t s) const {
    return has_job(g, s) && script(g, s).kind == Script::Kind::kWait &&
           object_value(g, script(g, s)) <= script(g, s).reference;
  }
  std::uint64_t object_value(std::uint32_t g, const Script& script) const {
    std::byte* const at = memory_.at(root_of(g), script.object);
    return at ? InterfaceBlock(at).load64(0) : 0;
  }

  // True when the job has finished.
  bool step(std::uint32_t g, std::uint32_t s) {
    using datasheet::cs::Request;
    Slot& slot = slots_[g];
    Stream& stream = slot.streams[s];
    if (stream.dead || stream.faulted || stream.asked) return false;
    const Script script = this->script(g, s);
    InterfaceBlock out = word(cs_out(g, s));
    switch (script.kind) {
      case Script::Kind::kDone:
        return finish_job(g, s);
      case Script::Kind::kHang:
        return false;
      case Script::Kind::kNoProgress:
        if (!stream.told) slot.events |= 1u << 31;
        stream.told = true;
        return false;
      case Script::Kind::kFault:
        out.store(0x80, script.exception);
        slot.stream_events[s] |= Request::Fault::kMask;
        stream.faulted = true;
        return false;
      case Script::Kind::kFatal:
        out.store(0x84, script.exception);
        slot.stream_events[s] |= Request::Fatal::kMask;
        stream.dead = true;
        return false;
      case Script::Kind::kTilerOom:
        out.store(0xc0, script.passes_begun);
        out.store(0xc4, script.passes_tiled);
        out.store(0xcc, script.passes_rendered);
        out.store64(0xd0, script.object.value);
        slot.stream_events[s] |= Request::TilerOom::kMask;
        stream.asked = true;
        return false;
      case Script::Kind::kWait:
        return object_value(g, script) > script.reference && finish_job(g, s);
    }
    return false;
  }
  bool finish_job(std::uint32_t g, std::uint32_t s) {
    Stream& stream = slots_[g].streams[s];
    std::byte* const at = memory_.at(root_of(g), {job_word(g, s, 6) & 0xffff'ffff'ffff});
    if (!at) {
      stream.dead = true;  // a real one would fault
      return false;
    }
    stream.extract += JobStream::kFewestBytes;
    stream.told = false;
    output_page(g, s).store64(0, stream.extract);
    InterfaceBlock object(at);
    object.store64(0, object.load64(0) + 1);
    slots_[g].events |= 1u << 28;
    return true;
  }

  void publish_status(std::uint32_t g) {
    bool idle = true;
    for (std::uint32_t s = 0; s < kStreams; ++s) {
      if (!slots_[g].streams[s].started) continue;
      InterfaceBlock out = word(cs_out(g, s));
      const bool waits = is_waiting(g, s);
      out.store(0x60, waits ? 3 : 0);
      out.store(0x5c, 0);
      idle &= waits || !has_job(g, s);
      if (!waits) continue;
      const Script script = this->script(g, s);
      out.store(0x48, 0xc000'0000 | 1u << 24);  // sync wait, 64 bits, greater
      out.store64(0x50, script.object.value);
      out.store(0x58, static_cast<std::uint32_t>(script.reference));
      out.store(0x64, static_cast<std::uint32_t>(script.reference >> 32));
    }
    word(csg_out(g)).store(0x18, idle ? 1 : 0);
  }

  // Toggles the events that the host has answered the last time.
  void post(std::uint32_t g) {
    Slot& slot = slots_[g];
    InterfaceBlock in = word(csg_in(g));
    InterfaceBlock out = word(csg_out(g));
    std::uint32_t streams = 0;
    for (std::uint32_t s = 0; s < kStreams; ++s) {
      const std::uint32_t ack = word(cs_out(g, s)).load(0);
      const std::uint32_t free = ~(ack ^ word(cs_in(g, s)).load(0));
      const std::uint32_t now = slot.stream_events[s] & free;
      if (now == 0) continue;
      slot.stream_events[s] &= ~now;
      word(cs_out(g, s)).store(0, ack ^ now);
      streams |= 1u << s;
    }
    const std::uint32_t irq_free = ~(in.load(0xc) ^ out.load(0xc));
    if ((streams & irq_free) != 0) {
      out.store(0xc, out.load(0xc) ^ (streams & irq_free));
      interrupts_ |= 1u << g;
    }
    const std::uint32_t ack = out.load(0);
    const std::uint32_t now = slot.events & ~(ack ^ in.load(0));
    if (now == 0) return;
    slot.events &= ~now;
    out.store(0, ack ^ now);
    interrupts_ |= 1u << g;
  }

  static constexpr std::uint64_t kSaved = 0x5a5a'0001'5a5a'0002;
  FakeMemory memory_;
  Roots roots_{};
  std::array<Slot, kGroups> slots_{};
  std::uint32_t interrupts_ = 0;
};

}  // namespace pantry::driver
