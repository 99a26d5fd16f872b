// SPDX-License-Identifier: MIT
//
// How a subtest, a fixture or a program ends early: fail, skip and abort, and the assertion and
// requirement macros that lead there.
//
// fail() and skip() throw an Outcome, which the construct around them (subtest.h) catches, so that
// everything on the stack is destroyed properly. A thread other than the main one cannot throw into
// the subtest: there fail() notes the failure, ends the thread, and the subtest fails when it ends.
// A child made by igt_fork ends with the exit code.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

#include "igt_tests/harness/log.h"

namespace igt {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitSkip = 77;
inline constexpr int kExitInvalid = 79;
inline constexpr int kExitFailure = 98;
inline constexpr int kExitAbort = 112;

enum class Result { kSuccess, kSkip, kFail, kCrash };

const char* result_name(Result result);

// What fail() and skip() throw.
struct Outcome {
  Result result;
  int exit_code;
};

// Where in the source something was asked for.
struct Place {
  const char* file;
  int line;
  const char* function;
};

[[noreturn]] void fail(int exit_code);
[[noreturn]] void fail_assertion(Place place, const char* expression, const std::string& detail);
[[noreturn]] void skip(Place place, const char* expression, const std::string& detail);
// Ends the program at once with kExitAbort: nothing that runs after it can be trusted.
[[noreturn]] void abort_run(Place place, const std::string& reason);

// True once if a thread has failed since the last call.
bool take_thread_failure();

template <typename T>
std::string describe_value(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return describe_value(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::signed_integral<T>) {
    return format("%lld", static_cast<long long>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    return format("%llu (%#llx)", static_cast<unsigned long long>(value),
                  static_cast<unsigned long long>(value));
  } else if constexpr (std::floating_point<T>) {
    return format("%f", static_cast<double>(value));
  } else if constexpr (std::is_pointer_v<T>) {
    return format("%p", static_cast<const void*>(value));
  } else {
    return std::string(value);
  }
}

template <typename T>
inline constexpr bool is_plain_integer =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

// Equality and order that mean what they say when one side is signed and the other is not.
template <typename A, typename B>
bool values_equal(const A& a, const B& b) {
  if constexpr (is_plain_integer<A> && is_plain_integer<B>)
    return std::cmp_equal(a, b);
  else
    return a == b;
}

template <typename A, typename B>
bool value_less(const A& a, const B& b) {
  if constexpr (is_plain_integer<A> && is_plain_integer<B>)
    return std::cmp_less(a, b);
  else
    return a < b;
}

enum class Compare { kEqual, kNotEqual, kLess, kLessOrEqual };

const char* compare_failure(Compare compare);

template <typename A, typename B>
void assert_compare(Place place, Compare compare, const char* expression, const A& a, const B& b) {
  bool holds = false;
  switch (compare) {
    case Compare::kEqual:
      holds = values_equal(a, b);
      break;
    case Compare::kNotEqual:
      holds = !values_equal(a, b);
      break;
    case Compare::kLess:
      holds = value_less(a, b);
      break;
    case Compare::kLessOrEqual:
      holds = !value_less(b, a);
      break;
  }
  if (holds) return;
  fail_assertion(
      place, expression,
      "error: " + describe_value(a) + compare_failure(compare) + describe_value(b) + "\n");
}

}  // namespace igt

#define IGT_PLACE \
  ::igt::Place { __FILE__, __LINE__, __func__ }

#define igt_assert(expr) \
  (static_cast<bool>(expr) ? void(0) : ::igt::fail_assertion(IGT_PLACE, #expr, {}))
#define igt_assert_f(expr, ...)      \
  (static_cast<bool>(expr) ? void(0) \
                           : ::igt::fail_assertion(IGT_PLACE, #expr, ::igt::format(__VA_ARGS__)))
#define igt_assert_eq(a, b) \
  ::igt::assert_compare(IGT_PLACE, ::igt::Compare::kEqual, #a " == " #b, (a), (b))
#define igt_assert_neq(a, b) \
  ::igt::assert_compare(IGT_PLACE, ::igt::Compare::kNotEqual, #a " != " #b, (a), (b))
#define igt_assert_lt(a, b) \
  ::igt::assert_compare(IGT_PLACE, ::igt::Compare::kLess, #a " < " #b, (a), (b))
#define igt_assert_lte(a, b) \
  ::igt::assert_compare(IGT_PLACE, ::igt::Compare::kLessOrEqual, #a " <= " #b, (a), (b))
#define igt_assert_fd(fd) igt_assert_f((fd) >= 0, "file descriptor %s = %d\n", #fd, (fd))

#define igt_fail_on(expr) igt_assert(!(expr))
#define igt_fail(code) ::igt::fail(code)
#define igt_abort_on_f(expr, ...) \
  (static_cast<bool>(expr) ? ::igt::abort_run(IGT_PLACE, ::igt::format(__VA_ARGS__)) : void(0))

#define igt_require(expr) \
  (static_cast<bool>(expr) ? void(0) : ::igt::skip(IGT_PLACE, "!(" #expr ")", {}))
#define igt_require_f(expr, ...)     \
  (static_cast<bool>(expr) ? void(0) \
                           : ::igt::skip(IGT_PLACE, "!(" #expr ")", ::igt::format(__VA_ARGS__)))
#define igt_skip_on(expr) (static_cast<bool>(expr) ? ::igt::skip(IGT_PLACE, #expr, {}) : void(0))
#define igt_skip(...) ::igt::skip(IGT_PLACE, nullptr, ::igt::format(__VA_ARGS__))
