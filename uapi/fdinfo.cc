// SPDX-License-Identifier: MIT
#include "uapi/fdinfo.h"

#include <fmt/core.h>

#include <iterator>
#include <string_view>

namespace pantry::uapi {
namespace {

// "drm-total-memory:\t4 KiB": in the largest unit that loses nothing.
void put_size(std::string& text, std::string_view prefix, std::string_view what,
              std::uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"", " KiB", " MiB"};
  std::size_t unit = 0;
  for (; unit + 1 < std::size(kUnits) && bytes != 0 && bytes % kKiB == 0; ++unit) bytes /= kKiB;
  fmt::format_to(std::back_inserter(text), "{}-{}-memory:\t{}{}\n", prefix, what, bytes,
                 kUnits[unit]);
}

// The driver's own memory in the client's VMs: rings, sync objects, heap contexts and chunks.
struct InternalMemory final : driver::Vm::MappingVisitor {
  void visit(const driver::Vm::MappingView& mapping) override {
    if (mapping.owner == driver::MappingOwner::kKernel) bytes += mapping.range.size();
  }
  std::uint64_t bytes = 0;
};

void put_internal_memory(std::string& text, driver::File& file) {
  std::uint64_t resident = 0;
  std::uint64_t active = 0;
  for (const Ref<driver::Vm>& vm : file.vms()) {
    InternalMemory memory;
    vm->for_each_mapping(memory);
    resident += memory.bytes;
    if (vm->slot()) active += memory.bytes;
  }
  put_size(text, "panthor", "resident", resident);
  put_size(text, "panthor", "active", active);
}

// A fence that implicit synchronisation would wait for.
bool is_active(const driver::Buffer& buffer) {
  const auto fence = buffer.reservation()->merged(driver::Reservation::Use::kRead);
  return fence && !(*fence)->signalled();
}

void put_buffers(std::string& text, driver::File& file) {
  std::uint64_t total = 0;
  std::uint64_t shared = 0;
  std::uint64_t active = 0;
  std::uint64_t resident = 0;
  for (const driver::File::HeldBuffer& held : file.held_buffers()) {
    const std::uint64_t bytes = held.buffer->size();
    total += bytes;
    if (held.sharing == driver::File::HeldBuffer::Sharing::kShared) shared += bytes;
    if (is_active(*held.buffer)) active += bytes;
    if (held.buffer->resident()) resident += bytes;
  }
  put_size(text, "drm", "total", total);
  put_size(text, "drm", "shared", shared);
  put_size(text, "drm", "active", active);
  // Of a buffer all pages are there, or none: it was evicted. Without any buffer the DRM core knows
  // of no such thing.
  if (total != 0) put_size(text, "drm", "resident", resident);
}

// Of jobs that have finished; what the device does not note now is not shown.
void put_engine_usage(std::string& text, driver::File& file) {
  const driver::Profiling profiling = file.device().scheduler().profiling();
  const driver::EngineUsage::Totals usage = file.usage()->totals();
  const std::uint64_t hz = file.device().timestamp_hz();
  const auto put = std::back_inserter(text);
  if (notes_time(profiling) && hz != 0) {
    // Rounded up, in two steps that do not overflow.
    const std::uint64_t ns =
        usage.ticks / hz * 1'000'000'000 + (usage.ticks % hz * 1'000'000'000 + hz - 1) / hz;
    fmt::format_to(put, "drm-engine-panthor:\t{} ns\n", ns);
  }
  if (notes_cycles(profiling)) fmt::format_to(put, "drm-cycles-panthor:\t{}\n", usage.cycles);
}

}  // namespace

std::string device_fdinfo(driver::File& file, const Features& features) {
  std::string text;
  if (!features.fdinfo) return text;
  const auto put = std::back_inserter(text);
  fmt::format_to(put, "drm-driver:\tpanthor\ndrm-client-id:\t{}\n", file.id());
  if (const auto name = file.name()) fmt::format_to(put, "drm-client-name:\t{}\n", *name);
  put_engine_usage(text, file);
  const std::uint64_t hz = file.device().core_hz();
  fmt::format_to(put, "drm-maxfreq-panthor:\t{0} Hz\ndrm-curfreq-panthor:\t{0} Hz\n", hz);
  if (!features.fdinfo_memory) return text;
  put_internal_memory(text, file);
  put_buffers(text, file);
  return text;
}

std::string dma_buf_fdinfo(const driver::Buffer& buffer) {
  std::string text = fmt::format("size:\t{}\nexp_name:\tdrm\n", buffer.size());
  if (const auto name = buffer.dma_buf_name()) text += fmt::format("name:\t{}\n", *name);
  return text;
}

}  // namespace pantry::uapi
