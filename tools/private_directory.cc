// SPDX-License-Identifier: MIT
#include "tools/private_directory.h"

#include <stdlib.h>

#include <filesystem>

#include "base/log.h"

namespace pantry::tools {

Result<PrivateDirectory> PrivateDirectory::create() {
  const char* const runtime = ::getenv("XDG_RUNTIME_DIR");
  std::string path =
      std::string(runtime && runtime[0] == '/' ? runtime : "/tmp") + "/pantry-XXXXXX";
  if (!::mkdtemp(path.data())) {
    const Errno error = static_cast<Errno>(errno);
    log_error("tools", "{}: {}", path, name_of(error));
    return Error(error);
  }
  return PrivateDirectory(std::move(path));
}

PrivateDirectory::~PrivateDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace pantry::tools
