// SPDX-License-Identifier: MIT

#include "igt_tests/harness/wildmat.h"

#include <cstddef>

namespace igt {
namespace {

// The outcome of one '[...]' at the start of a pattern: did `c` belong, and how long was the set?
// Length 0: not a set (no closing bracket), so that '[' stands for itself.
struct SetMatch {
  bool member = false;
  size_t length = 0;
};

SetMatch match_set(char c, std::string_view pattern) {
  size_t at = 1;
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool member = false;
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) return {member != negated, at + 1};
    char low = pattern[at++];
    if (low == '\\' && at < pattern.size()) low = pattern[at++];
    char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = pattern[at + 1];
      at += 2;
    }
    if (low <= c && c <= high) member = true;
  }
  return {};
}

// Length of the pattern element that matches `c` alone, or 0 if it does not match. `pattern` is not
// empty and does not start with '*'.
size_t match_one(char c, std::string_view pattern) {
  switch (pattern[0]) {
    case '?':
      return 1;
    case '\\':
      if (pattern.size() > 1) return pattern[1] == c ? 2 : 0;
      return c == '\\' ? 1 : 0;
    case '[': {
      const SetMatch set = match_set(c, pattern);
      if (set.length != 0) return set.member ? set.length : 0;
      return c == '[' ? 1 : 0;
    }
    default:
      return pattern[0] == c ? 1 : 0;
  }
}

}  // namespace

bool wildmat(std::string_view text, std::string_view pattern) {
  // On a mismatch it is enough to let the *last* star take one character more: an earlier star can
  // always be as short as it was, since the later one absorbs anything.
  size_t t = 0;
  size_t p = 0;
  size_t star_pattern = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star_pattern = ++p;
      star_text = t;
      continue;
    }
    const size_t used = p < pattern.size() ? match_one(text[t], pattern.substr(p)) : 0;
    if (used != 0) {
      p += used;
      ++t;
      continue;
    }
    if (star_pattern == std::string_view::npos) return false;
    p = star_pattern;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool wildmat_list(std::string_view text, std::string_view list) {
  bool matched = false;
  while (true) {
    // A comma inside brackets or behind a backslash belongs to the pattern.
    size_t end = 0;
    bool in_set = false;
    while (end < list.size() && (in_set || list[end] != ',')) {
      if (list[end] == '\\')
        ++end;
      else if (list[end] == '[')
        in_set = list.find(']', end) != std::string_view::npos;
      else if (list[end] == ']')
        in_set = false;
      ++end;
    }
    std::string_view pattern = list.substr(0, end);
    const bool negated = !pattern.empty() && pattern[0] == '!';
    if (negated) pattern.remove_prefix(1);
    if (wildmat(text, pattern)) matched = !negated;
    if (end >= list.size()) return matched;
    list.remove_prefix(end + 1);
  }
}

}  // namespace igt
