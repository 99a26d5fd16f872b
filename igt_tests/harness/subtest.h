// SPDX-License-Identifier: MIT
//
// The shape of a test program:
//
//   IGT_TEST_DESCRIPTION("what the program is for");
//   igt_main {
//     int fd = -1;
//     igt_fixture { fd = drm_open_driver(DRIVER_PANTHOR); };
//     igt_describe("what the subtest shows");
//     igt_subtest("name") { igt_assert(...); };
//     igt_subtest_group {
//       igt_fixture { igt_require(...); };  // a skip here skips the rest of the group only
//       igt_subtest("other") { ... };
//     };
//     igt_fixture { drm_close_driver(fd); };
//   }
//
// Each block is the body of a lambda that sees the locals around it, hence the semicolon behind it.
// Code between the blocks runs even when the program only lists its subtests, so it must neither
// print nor touch a device. Blocks run on the main thread, in source order. The state behind this
// is global: a process is one test program.
#pragma once

#include <string>

#include "igt_tests/harness/crash.h"
#include "igt_tests/harness/outcome.h"

namespace igt {

// main() of a program with subtests, and of one without. They return the exit code.
int run_main(int argc, char** argv, BodyRef body);
int run_simple_main(int argc, char** argv, BodyRef body);

struct SubtestSite {
  Place place;
  std::string name;
};
struct DynamicContainerSite {
  Place place;
  std::string name;
};
struct DynamicSite {
  Place place;
  std::string name;
};
struct FixtureSite {
  Place place;
};
struct GroupSite {
  Place place;
};

void run_site(const SubtestSite& site, BodyRef body);
void run_site(const DynamicContainerSite& site, BodyRef body);
void run_site(const DynamicSite& site, BodyRef body);
void run_site(const FixtureSite& site, BodyRef body);
void run_site(const GroupSite& site, BodyRef body);

template <typename Site, typename Body>
requires requires(const Site& site, Body& body) { run_site(site, BodyRef(body)); }
void operator<<(const Site& site, Body&& body) { run_site(site, BodyRef(body)); }

// The description of the next subtest or group.
void describe_next(std::string text);

// Constructed at namespace scope, before main().
struct ProgramDescription {
  explicit ProgramDescription(const char* text);
};

}  // namespace igt

#define IGT_TEST_DESCRIPTION(text) \
  static const ::igt::ProgramDescription igt_program_description(text)

#define igt_main                                                 \
  static void igt_main_body();                                   \
  int main(int argc, char** argv) {                              \
    return ::igt::run_main(argc, argv, [] { igt_main_body(); }); \
  }                                                              \
  static void igt_main_body()
#define igt_simple_main                                                 \
  static void igt_main_body();                                          \
  int main(int argc, char** argv) {                                     \
    return ::igt::run_simple_main(argc, argv, [] { igt_main_body(); }); \
  }                                                                     \
  static void igt_main_body()

#define igt_subtest(name) ::igt::SubtestSite{IGT_PLACE, (name)} << [&]()
#define igt_subtest_f(...) ::igt::SubtestSite{IGT_PLACE, ::igt::format(__VA_ARGS__)} << [&]()
#define igt_subtest_with_dynamic(name) ::igt::DynamicContainerSite{IGT_PLACE, (name)} << [&]()
#define igt_dynamic(name) ::igt::DynamicSite{IGT_PLACE, (name)} << [&]()
#define igt_dynamic_f(...) ::igt::DynamicSite{IGT_PLACE, ::igt::format(__VA_ARGS__)} << [&]()
#define igt_fixture ::igt::FixtureSite{IGT_PLACE} << [&]()
#define igt_subtest_group ::igt::GroupSite{IGT_PLACE} << [&]()
#define igt_describe(text) ::igt::describe_next(text)
#define igt_describe_f(...) ::igt::describe_next(::igt::format(__VA_ARGS__))
