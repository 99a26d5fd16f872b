// SPDX-License-Identifier: MIT
//
// How the firmware and the command streams reach memory: (address space, virtual address, kind of
// access) to a host pointer, through page tables, TLB and region locks. Nothing in the device gets
// at DRAM in another way.
//
// The rule that makes stalls exact: an instruction translates every page it touches before it
// changes anything. After kStall it is restarted from the beginning at a later run; after kAborted
// it never completes. A host pointer is good until the next register access or run and is never
// kept.
//
// Words are accessed with acquire loads and release stores, so that what the host published before
// a doorbell, or the device before an interrupt, is seen. Called with the device's lock held.
// Nothing here allocates.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/types.h"
#include "gpu_emu/datasheet/exception.h"
#include "gpu_emu/mmu/held_page.h"

namespace pantry::emu {

// A command-stream or ring fetch is a kRead; only the MCU's and shaders' code is executed.
using Access = datasheet::AccessType;

// The number of an address-space block. 0 belongs to the MCU. Pre, everywhere: below 16.
struct AsIndex {
  std::uint8_t value = 0;
  constexpr bool operator==(const AsIndex&) const = default;
};

enum class MemoryStatus : std::uint8_t {
  kOk,
  kStall,    // the region is locked, or the address space has a fault that the driver has not
             // answered yet: restart later
  kAborted,  // the address space was disabled after a fault: the access never happens
};

struct Translation {
  MemoryStatus status = MemoryStatus::kAborted;
  std::uint8_t* host = nullptr;  // of the address asked for; null unless kOk
  std::uint64_t bytes = 0;       // from there on with the same permissions; at least 1 when kOk
};

template <class T>
concept GpuWord = std::same_as<T, std::uint32_t> || std::same_as<T, std::uint64_t>;

class GpuMemory {
 public:
  // A fault is latched and raised on MMU_INT by this call, and answered with kStall.
  virtual Translation translate(AsIndex as, GpuVa va, Access access) = 0;

  // Where `va` is, if `held` knows that and that `bytes` from there on belong to the same leaf;
  // else null, and nothing has happened. To the device it is what translate() would have been.
  [[gnu::always_inline]] std::uint8_t* use_held(const HeldPage& held, GpuVa va,
                                                std::uint64_t bytes) const {
    const std::uint64_t inside = va.value - held.first;
    if (inside >= kPageSize || held.epoch != epoch_ || held.bytes - inside < bytes) [[unlikely]]
      return nullptr;
    *held.last_used = ++*held.clock;
    ++*held.hits;
    return held.host + inside;
  }
  // That of a HeldPage which is still good. For who uses one many times in a row and counts that
  // himself.
  std::uint64_t epoch() const { return epoch_; }
  // translate(), for accesses of which many in a row go to one page: `held` may know it afterwards.
  // Pre: `as` and `access` are always the same for one HeldPage.
  Translation translate_held(AsIndex as, GpuVa va, Access access, HeldPage& held) {
    if (std::uint8_t* const host = use_held(held, va, 1))
      return {MemoryStatus::kOk, host, held.bytes - (va.value - held.first)};
    return translate_and_hold(as, va, access, held);
  }

  // One naturally aligned word (anything else is for the caller to report first). `value` changes
  // only on kOk.
  template <GpuWord Word>
  MemoryStatus load(AsIndex as, GpuVa va, Word& value) {
    return on_word<Word>(as, va, Access::kRead, [&](std::atomic_ref<Word> word) {
      value = word.load(std::memory_order_acquire);
    });
  }
  template <GpuWord Word>
  MemoryStatus store(AsIndex as, GpuVa va, Word value) {
    return on_word<Word>(as, va, Access::kWrite, [&](std::atomic_ref<Word> word) {
      word.store(value, std::memory_order_release);
    });
  }
  // `after` becomes the sum.
  template <GpuWord Word>
  MemoryStatus add(AsIndex as, GpuVa va, Word addend, Word& after) {
    return on_word<Word>(as, va, Access::kAtomic, [&](std::atomic_ref<Word> word) {
      after = word.fetch_add(addend, std::memory_order_acq_rel) + addend;
    });
  }

  // Translates every page of the `bytes` at `va` and touches none: what an instruction asks before
  // it changes anything. The first page that is not kOk decides. `bytes` != 0. After kOk the same
  // accesses are kOk until the instruction ends, as long as they lie in two neighbouring pages: the
  // driver may edit tables at any moment, but the last two translations are always cached.
  MemoryStatus probe(AsIndex as, GpuVa va, std::uint64_t bytes, Access access);
  // `into` or `from` whole, or not at all: each page is translated once, before the first byte
  // moves. Any alignment; words that are naturally aligned in GPU memory are not torn. At most
  // kMaxRangeBytes.
  static constexpr std::size_t kMaxRangeBytes = 64 * kKiB;
  MemoryStatus read(AsIndex as, GpuVa va, std::span<std::byte> into, Access access);
  MemoryStatus write(AsIndex as, GpuVa va, std::span<const std::byte> from);

 protected:
  ~GpuMemory() = default;

  // translate(), after which `held` may be filled for epoch_.
  virtual Translation translate_and_hold(AsIndex as, GpuVa va, Access access, HeldPage&) {
    return translate(as, va, access);
  }
  // What is held is good no more.
  void begin_epoch() { ++epoch_; }

 private:
  struct Piece {
    std::uint8_t* host = nullptr;
    std::size_t bytes = 0;
  };
  struct Pieces {
    std::array<Piece, kMaxRangeBytes / kPageSize + 1> list;
    std::size_t count = 0;
  };
  MemoryStatus collect(AsIndex as, GpuVa va, std::size_t bytes, Access access, Pieces& pieces);

  std::uint64_t epoch_ = 1;

  template <GpuWord Word, class Use>
  MemoryStatus on_word(AsIndex as, GpuVa va, Access access, Use use) {
    PANTRY_CHECK(is_aligned(va.value, sizeof(Word)));
    const Translation t = translate(as, va, access);
    if (t.status == MemoryStatus::kOk) use(std::atomic_ref<Word>(*reinterpret_cast<Word*>(t.host)));
    return t.status;
  }
};

}  // namespace pantry::emu
