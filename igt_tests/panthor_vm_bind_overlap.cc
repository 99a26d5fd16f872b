// SPDX-License-Identifier: MIT

#include <array>
#include <cstdlib>
#include <optional>
#include <string>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/va_model.h"

IGT_TEST_DESCRIPTION("Each way in which a new mapping or an unmap can lie over an old mapping.");

using namespace gpu;
using Mode = VaModel::Mode;

namespace {

// Places are counted in units: single pages, or 512 of them (blocks).
struct Span {
  uint32_t first;
  uint32_t end;
};

// What the request brings.
enum class Content { kSame, kSameOtherOffset, kOther };

struct MapCase {
  const char* name;
  const char* purpose;
  Span old;
  Span request;
  Content content;
};

constexpr MapCase kMapCases[] = {
    {"01-identical", "same range, same buffer, same offset", {2, 6}, {2, 6}, Content::kSame},
    {"02-other-offset",
     "same range, another part of the buffer",
     {2, 6},
     {2, 6},
     Content::kSameOtherOffset},
    {"03-other-buffer", "same range, another buffer", {2, 6}, {2, 6}, Content::kOther},
    {"04-old-is-left-part",
     "the old one is the left part of the new one",
     {2, 4},
     {2, 6},
     Content::kOther},
    {"05-left-part-other", "the new one takes the left part", {2, 6}, {2, 4}, Content::kOther},
    {"06-left-part-same",
     "the new one is the left part, with the same memory",
     {2, 6},
     {2, 4},
     Content::kSame},
    {"07-right-part-other", "the new one takes the right part", {2, 6}, {4, 6}, Content::kOther},
    {"08-right-part-same",
     "the new one is the right part, with the same memory",
     {2, 6},
     {4, 6},
     Content::kSame},
    {"09-over-the-end-other", "the new one lies over the end", {2, 6}, {4, 8}, Content::kOther},
    {"10-over-the-end-same",
     "the new one continues the old one, with the same memory",
     {2, 6},
     {4, 8},
     Content::kSame},
    {"11-centre-other", "the new one cuts the old one in two", {2, 6}, {3, 5}, Content::kOther},
    {"12-centre-same",
     "the new one lies in the middle, with the same memory",
     {2, 6},
     {3, 5},
     Content::kSame},
    {"13-old-is-right-part",
     "the old one is the right part of the new one",
     {4, 6},
     {2, 6},
     Content::kOther},
    {"14-old-is-centre", "the new one surrounds the old one", {3, 5}, {2, 6}, Content::kOther},
    {"15-over-the-start", "the new one lies over the start", {4, 8}, {2, 6}, Content::kOther},
};

struct UnmapCase {
  const char* name;
  const char* purpose;
  Span old;
  Span request;
};

constexpr UnmapCase kUnmapCases[] = {
    {"exact", "the whole mapping", {2, 6}, {2, 6}},
    {"left-part", "its left part", {2, 6}, {2, 4}},
    {"right-part", "its right part", {2, 6}, {4, 6}},
    {"centre", "its middle", {2, 6}, {3, 5}},
    {"superset", "more than the mapping", {3, 5}, {1, 7}},
    {"over-the-start", "a range over its start", {3, 7}, {1, 5}},
    {"over-the-end", "a range over its end", {1, 5}, {3, 7}},
    {"beside", "a range beside it", {1, 4}, {5, 7}},
    {"first-unit", "its first unit", {2, 6}, {2, 3}},
    {"last-unit", "its last unit", {2, 6}, {5, 6}},
};

struct Variant {
  const char* name;
  const char* purpose;
  uint32_t unit;  // pages
  uint32_t skew;  // pages added to each edge of a request that is no edge of the old mapping
  Mode mode;
};

constexpr Variant kVariants[] = {
    {"page", "single pages", 1, 0, Mode::kSync},
    {"page-async", "single pages, asynchronous", 1, 0, Mode::kAsync},
    {"block", "whole blocks of 2 MiB", 512, 0, Mode::kSync},
    {"split", "blocks that are cut", 512, 3, Mode::kSync},
    {"split-async", "blocks that are cut, asynchronous", 512, 3, Mode::kAsync},
};

constexpr Variant kPages = kVariants[0];
constexpr Variant kCutBlocks = kVariants[3];

enum class Request { kUnmap, kReplace };

constexpr uint32_t kUnits = 9;

// The request in pages, its edges moved where they are its own.
Span in_pages(const Variant& variant, Span old, Span request) {
  const auto edge = [&](uint32_t at) {
    const bool shared = at == old.first || at == old.end;
    return at * variant.unit + (shared ? 0 : variant.skew);
  };
  return {edge(request.first), edge(request.end)};
}

void run_map_case(const Device& device, const MapCase& each, const Variant& variant) {
  Bench bench(device);
  VaModel model(device, bench, kPlay, kUnits * variant.unit, (kUnits + 1) * variant.unit);
  const Span old{each.old.first * variant.unit, each.old.end * variant.unit};
  const Span request = in_pages(variant, each.old, each.request);
  // The old mapping shows the page of buffer 0 with its own number, so that "the same memory" is
  // the same number.
  model.map(variant.mode, 0, old.first, old.first, old.end - old.first);
  const uint32_t count = request.end - request.first;
  switch (each.content) {
    case Content::kSame:
      model.map(variant.mode, 0, request.first, request.first, count);
      break;
    case Content::kSameOtherOffset:
      model.map(variant.mode, 0, request.first + variant.unit, request.first, count);
      break;
    case Content::kOther:
      model.map(variant.mode, 1, 0, request.first, count);
      break;
  }
  model.check();
  // The pieces are mappings of their own: taking the request away leaves the rest.
  model.unmap(variant.mode, request.first, count);
  model.check();
}

void run_unmap_case(const Device& device, const UnmapCase& each, const Variant& variant) {
  Bench bench(device);
  VaModel model(device, bench, kPlay, kUnits * variant.unit, kUnits * variant.unit);
  const Span old{each.old.first * variant.unit, each.old.end * variant.unit};
  const Span request = in_pages(variant, each.old, each.request);
  model.map(variant.mode, 0, 0, old.first, old.end - old.first);
  model.check_mapped();
  model.unmap(variant.mode, request.first, request.end - request.first);
  model.check();
}

struct RightsCase {
  const char* name;
  const char* purpose;
  uint32_t old_flags;
  uint32_t new_flags;  // of what replaces the middle
};

// NOEXEC is not among them: only shaders execute, streams are read.
constexpr RightsCase kRightsCases[] = {
    {"readonly", "read-only", kReadOnly, 0},
    {"writable", "writable", 0, kReadOnly},
};

// That the GPU reads `tag` there, and writes if it may.
void check_rights(Bench& bench, uint64_t va, uint32_t flags, uint32_t tag) {
  igt_assert_eq(bench.load32(va), tag);
  if ((flags & kReadOnly) != 0) {
    bench.expect_store_fault(va);
    igt_assert_eq(bench.load32(va), tag);
  } else {
    bench.store32(va, ~tag);
    igt_assert_eq(bench.load32(va), ~tag);
    bench.store32(va, tag);
  }
}

// What is left on both sides of a hole, or of another mapping, keeps the rights of the whole.
void run_rights_case(const Device& device, const RightsCase& each, const Variant& variant,
                     Request request) {
  Bench bench(device);
  const Span old{2 * variant.unit, 6 * variant.unit};
  const Span middle = in_pages(variant, {2, 6}, {3, 5});
  Bo bo = Bo::create(device, (old.end - old.first) * kPage);
  Bo other = Bo::create(device, (middle.end - middle.first) * kPage);
  bo.tag_pages(0x5000);
  other.tag_pages(0x7000);
  const uint64_t middle_va = kPlay + middle.first * kPage;
  bench.vm().map_part(bo, 0, kPlay + old.first * kPage, bo.size(), each.old_flags);
  if (request == Request::kUnmap)
    bench.vm().unmap(middle_va, other.size());
  else
    bench.vm().map_part(other, 0, middle_va, other.size(), each.new_flags);
  for (const uint32_t page : {old.first, middle.first - 1, middle.end, old.end - 1})
    check_rights(bench, kPlay + page * kPage, each.old_flags, 0x5000 + page - old.first);
  for (const uint32_t page : {middle.first, middle.end - 1}) {
    const uint64_t va = kPlay + page * kPage;
    if (request == Request::kUnmap)
      bench.expect_load_fault(va);
    else
      check_rights(bench, va, each.new_flags, 0x7000 + page - middle.first);
  }
}

void several_old_mappings(const Device& device, Mode mode) {
  Bench bench(device);
  VaModel model(device, bench, kPlay, 24, 24);
  for (uint32_t page = 1; page < 22; page += 4) model.map(mode, 0, page, page, 3);
  model.check();
  model.map(mode, 1, 0, 6, 9);
  model.check();
  model.unmap(mode, 2, 18);
  model.check();
}

// Random operations against the model. `unit` is the most that an edge moves.
void storm(const Device& device, Mode mode, uint32_t pages, uint32_t operations, uint32_t checks) {
  Bench bench(device);
  // Half a block below a boundary of 2 MiB, so that small windows cross one.
  VaModel model(device, bench, kPlay + kBlock - (pages < 512 ? pages / 2 * kPage : 0), pages,
                pages);
  const auto below = [](uint32_t limit) { return static_cast<uint32_t>(random()) % limit; };
  for (uint32_t n = 1; n <= operations; ++n) {
    const uint32_t first = below(pages);
    const uint32_t count = 1 + below(pages - first);
    if (below(3) == 0)
      model.unmap(mode, first, count);
    else
      model.map(mode, below(2), below(pages - count + 1), first, count);
    if (n % (operations / checks) == 0) model.check_mapped();
  }
  model.check();
}

enum class Hammer { kUnmap, kReplace };

// A job loads from the part that stays, all the time that the rest comes and goes: it must never
// fault.
void hammer(const Device& device, uint32_t unit, Hammer how) {
  Bench bench(device);
  Bo bo = Bo::create(device, 4 * unit * kPage);
  Bo other = Bo::create(device, 4 * unit * kPage);
  Bo control = Bo::create(device, kPage);
  bo.tag_pages(500);
  const uint64_t control_va = kPlay + kGigabyte;
  // The kept page lies in the middle of a unit, so that with blocks it lies in one that is cut.
  const uint64_t kept = unit == 1 ? 2 : 2 * unit + unit / 2;
  bench.vm().map(bo, kPlay);
  bench.vm().map_part(control, 0, control_va, kPage, kUncached);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, bench.place(Heartbeat::stream(control_va, kPlay + kept * kPage)),
                       Syncs().signal(done));
  igt_assert(wait_until(kPatience, [&] { return control.words()[Heartbeat::kStarted] == 1; }));
  for (uint32_t round = 0; round < 20; ++round) {
    // Everything but the kept page, in two pieces.
    const uint64_t right = (kept + 1) * kPage;
    if (how == Hammer::kReplace) {
      bench.vm().map_part(other, 0, kPlay, kept * kPage, 0);
      bench.vm().map_part(other, right, kPlay + right, bo.size() - right, 0);
    } else {
      bench.vm().unmap(kPlay, kept * kPage);
      bench.vm().unmap(kPlay + right, bo.size() - right);
    }
    const uint32_t before = control.words()[Heartbeat::kRounds];
    igt_assert(
        wait_until(kPatience, [&] { return control.words()[Heartbeat::kRounds] != before; }));
    bench.vm().map_part(bo, 0, kPlay, kept * kPage, 0);
    bench.vm().map_part(bo, right, kPlay + right, bo.size() - right, 0);
  }
  control.words()[Heartbeat::kStop] = 1;
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(control.words()[Heartbeat::kSeen], 500 + kept);
}

}  // namespace

igt_main {
  std::optional<Device> device;
  igt_fixture { device.emplace(Device::open_primary()); };

  for (const Variant& variant : kVariants) {
    for (const MapCase& each : kMapCases) {
      igt_describe_f("Map over a mapping: %s (%s).", each.purpose, variant.purpose);
      igt_subtest_f("map-%s-%s", each.name, variant.name) { run_map_case(*device, each, variant); };
    }
    for (const UnmapCase& each : kUnmapCases) {
      igt_describe_f("Unmap %s (%s).", each.purpose, variant.purpose);
      igt_subtest_f("unmap-%s-%s", each.name, variant.name) {
        run_unmap_case(*device, each, variant);
      };
    }
  }

  for (const Variant& variant : {kPages, kCutBlocks}) {
    for (const RightsCase& each : kRightsCases) {
      igt_describe_f("What an unmap leaves of a %s mapping is %s (%s).", each.purpose, each.purpose,
                     variant.purpose);
      igt_subtest_f("unmap-keeps-rights-%s-%s", each.name, variant.name) {
        run_rights_case(*device, each, variant, Request::kUnmap);
      };
      igt_describe_f("What a map leaves of a %s mapping is %s (%s).", each.purpose, each.purpose,
                     variant.purpose);
      igt_subtest_f("map-keeps-rights-%s-%s", each.name, variant.name) {
        run_rights_case(*device, each, variant, Request::kReplace);
      };
    }
  }

  igt_describe("One request over several old mappings and the holes between them.");
  igt_subtest("several-old-mappings") { several_old_mappings(*device, Mode::kSync); };
  igt_describe("The same, asynchronous.");
  igt_subtest("several-old-mappings-async") { several_old_mappings(*device, Mode::kAsync); };
  igt_describe("Random operations on 64 pages, compared with a model.");
  igt_subtest("storm-pages") { storm(*device, Mode::kSync, 64, 240, 8); };
  igt_describe("The same, all queued at once.");
  igt_subtest("storm-pages-async") { storm(*device, Mode::kAsync, 64, 240, 2); };
  igt_describe("Random operations on 6 MiB, compared with a model.");
  igt_subtest("storm-blocks") { storm(*device, Mode::kSync, 1536, 60, 3); };
  igt_describe("The same, all queued at once.");
  igt_subtest("storm-blocks-async") { storm(*device, Mode::kAsync, 1536, 60, 1); };
  igt_describe("A job on the page that stays never notices unmaps around it.");
  igt_subtest("hammer-unmap-page") { hammer(*device, 1, Hammer::kUnmap); };
  igt_describe("Nor remaps.");
  igt_subtest("hammer-replace-page") { hammer(*device, 1, Hammer::kReplace); };
  igt_describe("Not even when the page lies in a block that is cut.");
  igt_subtest("hammer-unmap-split") { hammer(*device, 512, Hammer::kUnmap); };
  igt_describe("Nor when the rest of the block is replaced.");
  igt_subtest("hammer-replace-split") { hammer(*device, 512, Hammer::kReplace); };

  igt_fixture { device.reset(); };
}
