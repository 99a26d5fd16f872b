// SPDX-License-Identifier: MIT
#include "uapi/sysfs.h"

#include <fmt/core.h>

#include <charconv>

#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

constexpr std::uint32_t kEveryCounter = static_cast<std::uint32_t>(driver::Profiling::kBoth);

struct Digits {
  std::string_view text;
  int base;
};
// 0 alone is octal, too.
Digits digits_in(std::string_view text) {
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
    return {text.substr(2), 16};
  return {text, text.starts_with('0') ? 8 : 10};
}

}  // namespace

Result<std::uint32_t> parse_attribute(std::string_view text) {
  // As in Linux, what follows a NUL does not count.
  text = text.substr(0, text.find('\0'));
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  const Digits digits = digits_in(text);
  std::uint32_t value = 0;
  const char* const end = digits.text.data() + digits.text.size();
  const auto [rest, error] = std::from_chars(digits.text.data(), end, value, digits.base);
  if (error == std::errc::result_out_of_range && rest == end) return Error(kRange);
  if (error != std::errc() || rest != end) return Error(Errno::kInval);
  return value;
}

std::string show_profiling(driver::Device& device) {
  return fmt::format("{}\n", static_cast<unsigned>(device.scheduler().profiling()));
}

Result<> store_profiling(driver::Device& device, std::string_view text) {
  const Result<std::uint32_t> mask = parse_attribute(text);
  if (!mask) return reject(mask.error(), "profiling: {} bytes that are no number", text.size());
  if ((*mask & ~kEveryCounter) != 0)
    return reject(Errno::kInval, "profiling: {:#x} has unknown bits", *mask);
  device.scheduler().set_profiling(static_cast<driver::Profiling>(*mask));
  return {};
}

}  // namespace pantry::uapi
