// SPDX-License-Identifier: MIT
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tools/trace/replay.h"

namespace pantry::trace {
namespace {

double microseconds_of(Duration duration) { return static_cast<double>(duration.ns) / 1e3; }

// The smallest time that `part` of all are not above. Pre: not empty.
double quantile(const std::vector<Duration>& sorted, double part) {
  const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(sorted.size())));
  return microseconds_of(sorted[std::max<std::size_t>(rank, 1) - 1]);
}

double mean(const std::vector<Duration>& times) {
  double sum = 0;
  for (const Duration time : times) sum += microseconds_of(time);
  return times.empty() ? 0 : sum / static_cast<double>(times.size());
}

std::string json_member(const char* name, std::vector<Duration> times) {
  std::ranges::sort(times);
  const bool any = !times.empty();
  return fmt::format(
      R"("{}": {{"count": {}, "mean": {:.4f}, "p50": {:.3f}, "p99": {:.3f}, "max": {:.3f}}})", name,
      times.size(), mean(times), any ? quantile(times, 0.5) : 0, any ? quantile(times, 0.99) : 0,
      any ? microseconds_of(times.back()) : 0);
}

std::string line_of(const char* what, std::vector<Duration> times) {
  if (times.empty()) return fmt::format("  {:<14}{:>9}\n", what, 0);
  std::ranges::sort(times);
  return fmt::format("  {:<14}{:>9}{:>10.2f}{:>10.2f}{:>10.2f}\n", what, times.size(),
                     quantile(times, 0.5), quantile(times, 0.99), microseconds_of(times.back()));
}

}  // namespace

std::string text_of(const Replayed& r) {
  std::string text =
      fmt::format("VM_BIND, us{:>14}{:>10}{:>10}{:>10}\n", "calls", "p50", "p99", "max") +
      line_of("synchronous", r.synchronous) + line_of("asynchronous", r.asynchronous);
  text += line_of("prepare", r.prepare) + line_of("run", r.run);
  auto out = std::back_inserter(text);
  fmt::format_to(out, "operations {}: prepare {:.2f} us, run {:.2f} us on average\n", r.binds,
                 mean(r.prepare), mean(r.run));
  fmt::format_to(out, "table pages: reserved {}, used {}", r.pages.pages_reserved,
                 r.pages.pages_used);
  if (r.pages.pages_used != 0)
    fmt::format_to(
        out, " (reserved / used {:.3f})",
        static_cast<double>(r.pages.pages_reserved) / static_cast<double>(r.pages.pages_used));
  fmt::format_to(out, ", peak {} in tables of a VM, {} laid in for pending binds\n", r.peak_tables,
                 r.peak_pending);
  fmt::format_to(out, "flushes {}\n", r.flushes);
  if (r.other_results != 0)
    fmt::format_to(out, "{} calls ended otherwise than recorded\n", r.other_results);
  if (r.foreign_waits != 0)
    fmt::format_to(out, "{} waits for what no bind signals were left out\n", r.foreign_waits);
  if (r.other_frames != 0)
    fmt::format_to(out, "{} buffers have frames that lie otherwise\n", r.other_frames);
  return text;
}

std::string json_of(const Replayed& r) {
  return fmt::format(
      "{{{}, {}, {}, {}, \"binds\": {}, \"pages_reserved\": {}, \"pages_used\": {}, "
      "\"pages_returned\": {}, \"peak_tables\": {}, \"peak_pending\": {}, \"flushes\": {}, "
      "\"other_results\": {}, \"foreign_waits\": {}, \"other_frames\": {}}}\n",
      json_member("synchronous", r.synchronous), json_member("asynchronous", r.asynchronous),
      json_member("prepare", r.prepare), json_member("run", r.run), r.binds, r.pages.pages_reserved,
      r.pages.pages_used, r.pages.pages_returned, r.peak_tables, r.peak_pending, r.flushes,
      r.other_results, r.foreign_waits, r.other_frames);
}

}  // namespace pantry::trace
