// SPDX-License-Identifier: MIT
//
// The pattern language of --run-subtest, --dynamic-subtest and --describe, as igt_runner and
// drm-ci's lists use it:
// '*' any run of characters, '?' one character, '[a-z]' and '[^a-z]' one of a set, '\' takes the
// next character literally. A list is several patterns with commas between; the last one that
// matches decides, and '!' before it makes that decision "no". Pure functions; nothing allocates.
#pragma once

#include <string_view>

namespace igt {

// Does the whole of `text` match the single pattern?
bool wildmat(std::string_view text, std::string_view pattern);

// Does `text` match the comma-separated list? Example: "vm_unbind*,!*huge*".
bool wildmat_list(std::string_view text, std::string_view list);

}  // namespace igt
