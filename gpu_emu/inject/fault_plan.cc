// SPDX-License-Identifier: MIT
#include "gpu_emu/inject/fault_plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

namespace pantry::emu {
namespace {

constexpr std::uint64_t kMaxAs = 15;
constexpr std::uint64_t kMaxBit = 63;
constexpr std::uint64_t kMaxDelayMs = 60'000;
constexpr std::uint64_t kMaxCount = UINT32_MAX;

struct Description {
  FaultKind kind;
  std::string_view name;
  std::string_view own_parameters;  // besides after, every and times
};
constexpr std::array kDescriptions = {
    Description{FaultKind::kStuckAsCommand, "stuck-as", "as"},
    Description{FaultKind::kLostInterrupt, "lost-irq", "line"},
    Description{FaultKind::kLateAcknowledge, "late-ack", "delay"},
    Description{FaultKind::kFirmwareHang, "firmware-hang", ""},
    Description{FaultKind::kCorruptedSuspendBuffer, "bad-suspend", ""},
    Description{FaultKind::kPteBitFlip, "pte-flip", "as bit"},
    Description{FaultKind::kSlowFlush, "slow-flush", "delay"},
};
static_assert(kDescriptions.size() == std::size(kFaultKinds));

std::unexpected<std::string> wrong(std::string_view what, std::string_view why) {
  return std::unexpected("\"" + std::string(what) + "\" " + std::string(why));
}

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t smallest,
                                    std::uint64_t largest) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  if (value < smallest || value > largest) return std::nullopt;
  return value;
}

std::optional<Misbehaviour::Line> line_of(std::string_view name) {
  using Line = Misbehaviour::Line;
  if (name == "gpu") return Line::kGpu;
  if (name == "job") return Line::kJob;
  return name == "mmu" ? std::optional(Line::kMmu) : std::nullopt;
}

// "150ms"
std::optional<Duration> delay_of(std::string_view text) {
  if (!text.ends_with("ms")) return std::nullopt;
  const auto ms = number(text.substr(0, text.size() - 2), 1, kMaxDelayMs);
  return ms ? std::optional(milliseconds(static_cast<std::int64_t>(*ms))) : std::nullopt;
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

bool take(FaultPlan& plan, std::string_view name, std::string_view value) {
  const auto store = [](auto& into, auto parsed) {
    if (!parsed) return false;
    into = static_cast<std::remove_reference_t<decltype(into)>>(*parsed);
    return true;
  };
  if (name == "after") return store(plan.after, number(value, 0, kMaxCount));
  if (name == "every") return store(plan.every, number(value, 1, kMaxCount));
  if (name == "times") return store(plan.times, number(value, 0, kMaxCount));
  if (name == "delay") return store(plan.delay, delay_of(value));
  if (name == "line") return store(plan.line, line_of(value));
  if (name == "bit") return store(plan.bit, number(value, 0, kMaxBit));
  if (name == "as") {
    const auto as = number(value, 0, kMaxAs);
    if (as) plan.as = static_cast<std::uint32_t>(*as);
    return as.has_value();
  }
  return false;
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  return kDescriptions[static_cast<std::size_t>(kind)].name;
}

std::expected<FaultPlan, std::string> parse_fault(std::string_view text) {
  const std::string_view what = text.substr(0, text.find(':'));
  const auto known = std::find_if(kDescriptions.begin(), kDescriptions.end(),
                                  [&](const Description& known) { return known.name == what; });
  if (known == kDescriptions.end()) {
    std::string names;
    for (const Description& each : kDescriptions) names += " " + std::string(each.name);
    return wrong(what, "is no fault; there are:" + names);
  }
  FaultPlan plan;
  plan.kind = known->kind;
  std::string_view rest = text.substr(what.size());
  while (!rest.empty()) {
    rest.remove_prefix(1);  // : or ,
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(part.size());
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    if (!has_word("after every times", name) && !has_word(known->own_parameters, name))
      return wrong(name, "is no parameter of " + std::string(what));
    if (equals == std::string_view::npos || !take(plan, name, part.substr(equals + 1)))
      return wrong(part, "has a value that cannot be used");
  }
  return plan;
}

}  // namespace pantry::emu
