// SPDX-License-Identifier: MIT
#include "uapi/server/device_tree.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "uapi/device_name.h"

namespace pantry::uapi {
namespace {

namespace fs = std::filesystem;

struct Node {
  const char* name;
  int minor;
};
constexpr Node kNodes[] = {{"card0", 0}, {"renderD128", 128}};
constexpr const char* kGpu = "sys/devices/platform/" PANTRY_DEVICE_NAME;

bool write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  return static_cast<bool>(file.flush());
}

// What looks like a file and can be opened by way of the host only. `permissions` are those that
// clients see, and may change.
bool make_placeholder(const fs::path& path, mode_t permissions) {
  return ::mknod(path.c_str(), S_IFSOCK | permissions, 0) == 0 &&
         ::chmod(path.c_str(), permissions) == 0;  // whatever the umask is
}

constexpr mode_t kNode = 0666, kReadOnly = 0444, kAttribute = 0644;

// One directory, by the name of the device and by those of its minors.
bool make_debugfs(const fs::path& root, const Features& features) {
  const fs::path dri = root / "sys/kernel/debug/dri";
  const fs::path directory = dri / PANTRY_DEVICE_NAME;
  fs::create_directories(directory);
  for (const Node& node : kNodes)
    fs::create_symlink(PANTRY_DEVICE_NAME, dri / fmt::format("{}", node.minor));
  return write_file(directory / "name",
                    "panthor dev=" PANTRY_DEVICE_NAME " unique=" PANTRY_DEVICE_NAME "\n") &&
         make_placeholder(directory / "gpuvas", kReadOnly) &&
         make_placeholder(directory / "clients", kReadOnly) &&
         make_placeholder(directory / "gem_names", kReadOnly) &&
         (!features.debugfs_gems || make_placeholder(directory / "gems", kReadOnly));
}

bool make_node(const fs::path& root, const Node& node) {
  const fs::path directory = root / kGpu / "drm" / node.name;
  fs::create_directories(directory);
  fs::create_symlink("../../../" PANTRY_DEVICE_NAME, directory / "device");
  fs::create_symlink("../../../../../class/drm", directory / "subsystem");
  const std::string link = fmt::format("devices/platform/" PANTRY_DEVICE_NAME "/drm/{}", node.name);
  fs::create_symlink("../../" + link, root / "sys/dev/char" / fmt::format("226:{}", node.minor));
  fs::create_symlink("../../" + link, root / "sys/class/drm" / node.name);
  return write_file(directory / "uevent",
                    fmt::format("MAJOR=226\nMINOR={}\nDEVNAME=dri/{}\nDEVTYPE=drm_minor\n",
                                node.minor, node.name)) &&
         write_file(directory / "dev", fmt::format("226:{}\n", node.minor)) &&
         make_placeholder(root / "dev/dri" / node.name, kNode);
}

}  // namespace

Result<> make_device_tree(const std::string& root_path, const Features& features) {
  const fs::path root(root_path);
  try {
    fs::create_directories(root / "dev/dri");
    fs::create_directories(root / "sys/dev/char");
    fs::create_directories(root / "sys/class/drm");
    fs::create_directories(root / "sys/bus/platform/drivers/panthor");
    fs::create_directories(root / kGpu / "drm");
    fs::create_symlink("../../../bus/platform", root / kGpu / "subsystem");
    fs::create_symlink("../../../bus/platform/drivers/panthor", root / kGpu / "driver");
    bool made = write_file(
        root / kGpu / "uevent",
        "DRIVER=panthor\nOF_NAME=gpu\nOF_FULLNAME=/gpu@fb000000\n"
        "OF_COMPATIBLE_0=rockchip,rk3588-mali\nOF_COMPATIBLE_1=arm,mali-valhall-csf\n"
        "OF_COMPATIBLE_N=2\nMODALIAS=of:NgpuT(null)Crockchip,rk3588-maliCarm,mali-valhall-csf\n");
    made = made && write_file(root / "sys/class/drm/version", "drm 1.1.0 20060810\n");
    fs::create_directories(root / "sys/kernel/debug/sync");
    made = made && make_placeholder(root / "sys/kernel/debug/sync/sw_sync", kAttribute);
    for (const Node& node : kNodes) made = made && make_node(root, node);
    made = made && make_debugfs(root, features);
    if (features.profiling) made = made && make_placeholder(root / kGpu / "profiling", kAttribute);
    if (made) return {};
  } catch (const fs::filesystem_error& error) {
    log_error("uapi/server", "{}", error.what());
    return Error(Errno::kIo);
  }
  log_error("uapi/server", "the device's files cannot be made below {}", root_path);
  return Error(Errno::kIo);
}

}  // namespace pantry::uapi
