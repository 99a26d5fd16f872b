// SPDX-License-Identifier: MIT
#include "gpu_emu/checker/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace pantry::emu {
namespace {

std::string_view name_of_command(CommandRecord::Command command) {
  using Command = CommandRecord::Command;
  switch (command) {
    case Command::kNop:
      return "NOP";
    case Command::kUpdate:
      return "UPDATE";
    case Command::kLock:
      return "LOCK";
    case Command::kUnlock:
      return "UNLOCK";
    case Command::kFlushPt:
      return "FLUSH_PT";
    case Command::kFlushMem:
      return "FLUSH_MEM";
  }
  return "?";
}

// Appends to a span and stops at its end.
class Line {
 public:
  explicit Line(std::span<char> into) : into_(into) {}
  template <class... T>
  void add(fmt::format_string<T...> format, T&&... arguments) {
    const std::size_t room = into_.size() - used_;
    const auto result =
        fmt::vformat_to_n(into_.data() + used_, room, format, fmt::make_format_args(arguments...));
    used_ += std::min(room, static_cast<std::size_t>(result.size));
  }
  std::size_t used() const { return used_; }

 private:
  std::span<char> into_;
  std::size_t used_ = 0;
};

std::string owner_text(std::uint64_t owner) {
  return owner == 0 ? "null" : fmt::format("{}", owner);
}

std::string json_of(const CheckerReport& report) {
  std::string text =
      fmt::format("{{\"mistake\": \"{}\", \"explanation\": \"{}\", \"as\": {}, \"times\": {}",
                  name_of(report.mistake), explain(report.mistake), report.as.value, report.times);
  const auto out = std::back_inserter(text);
  if (report.va) fmt::format_to(out, ", \"va\": \"{:#x}\"", report.va->value);
  if (report.cause) fmt::format_to(out, ", \"cause\": \"{}\"", name_of(*report.cause));
  if (report.level) fmt::format_to(out, ", \"level\": {}", *report.level);
  if (report.was) {
    fmt::format_to(out,
                   ", \"difference\": \"{}\", \"entry\": {{\"place\": \"{:#x}\", \"was\": "
                   "\"{:#x}\", \"is\": \"{:#x}\"}}",
                   name_of(report.difference), report.was->place.value, report.was->word,
                   report.is);
  }
  if (report.frame) {
    fmt::format_to(out, ", \"frame\": \"{:#x}\", \"owner_then\": {}, \"owner_now\": {}",
                   report.frame->value, owner_text(report.owner_then),
                   owner_text(report.owner_now));
  }
  if (report.value) fmt::format_to(out, ", \"value\": {}", *report.value);
  fmt::format_to(out, ", \"commands\": [");
  for (std::uint32_t n = 0; n < report.command_count; ++n) {
    const CommandRecord& record = report.commands[n];
    fmt::format_to(out,
                   "{}{{\"number\": {}, \"as\": {}, \"command\": \"{}\", \"first\": \"{:#x}\", "
                   "\"last\": \"{:#x}\"}}",
                   n == 0 ? "" : ", ", record.number, record.as.value,
                   name_of_command(record.command), record.region.first.value,
                   record.region.last.value);
  }
  text += "]}";
  return text;
}

}  // namespace

std::size_t write_text(const CheckerReport& report, std::span<char> into) {
  Line line(into);
  line.add("MMU checker: {}: {}\n", name_of(report.mistake), explain(report.mistake));
  line.add("  address space {}", report.as.value);
  if (report.va) line.add(", VA {:#x}", report.va->value);
  if (report.times > 1) line.add(", {} times", report.times);
  line.add("\n");
  if (report.was) {
    line.add("  cached at level {}; the entry at {:#x} was {:#018x} and is {:#018x} ({})\n",
             report.level.value_or(0), report.was->place.value, report.was->word, report.is,
             name_of(report.difference));
  }
  if (report.frame) {
    line.add("  frame {:#x}: owner {} then, {} now (0: nobody)\n", report.frame->value,
             report.owner_then, report.owner_now);
  }
  if (report.cause) line.add("  still reachable because of: {}\n", name_of(*report.cause));
  if (report.value) line.add("  value {:#x}\n", *report.value);
  if (report.command_count != 0) line.add("  latest commands:\n");
  for (std::uint32_t n = 0; n < report.command_count; ++n) {
    const CommandRecord& record = report.commands[n];
    line.add("    #{} AS {} {} {:#x} to {:#x}{}\n", record.number, record.as.value,
             name_of_command(record.command), record.region.first.value, record.region.last.value,
             report.was && record.number == report.unchanged_at ? "  <- unchanged until here" : "");
  }
  return line.used();
}

std::string text_of(const CheckerReport& report) {
  std::array<char, 4096> text;
  return {text.data(), write_text(report, text)};
}

std::string json_of(std::span<const CheckerReport> reports) {
  std::string text = "[";
  for (const CheckerReport& report : reports) {
    if (text.size() > 1) text += ",\n ";
    text += json_of(report);
  }
  return text + "]\n";
}

}  // namespace pantry::emu
