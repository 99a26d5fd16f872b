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
  const auto mean = [&](Duration sum) {
    return r.binds == 0 ? 0.0 : microseconds_of(sum) / static_cast<double>(r.binds);
  };
  auto out = std::back_inserter(text);
  fmt::format_to(out, "operations {}: prepare {:.2f} us, run {:.2f} us on average\n", r.binds,
                 mean(r.pages.prepare), mean(r.pages.run));
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

}  // namespace pantry::trace
