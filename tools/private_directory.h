// SPDX-License-Identifier: MIT
//
// A directory of this process alone, gone with the object.
#pragma once

#include <string>

#include "base/result.h"

namespace pantry::tools {

class PrivateDirectory {
 public:
  // Below $XDG_RUNTIME_DIR or /tmp, mode 0700.
  static Result<PrivateDirectory> create();
  PrivateDirectory(PrivateDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  PrivateDirectory& operator=(PrivateDirectory&&) = delete;
  ~PrivateDirectory();

  const std::string& path() const { return path_; }

 private:
  explicit PrivateDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace pantry::tools
