// SPDX-License-Identifier: MIT
#include "uapi/features.h"

#include "base/check.h"

namespace pantry::uapi {

Features features_of(std::uint32_t minor) {
  PANTRY_CHECK(minor <= kNewestMinor);
  Features features;
  features.minor = minor;
  return features;
}

}  // namespace pantry::uapi
