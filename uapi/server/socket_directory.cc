// SPDX-License-Identifier: MIT
#include "uapi/server/socket_directory.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/log.h"
#include "uapi/server/socket.h"

namespace pantry::uapi {
namespace {

constexpr const char* kRoom = "uapi/server";
constexpr const char* kLock = "/lock";
constexpr const char* kTree = "/root";
// What the address of a socket has room for, the longest name included.
constexpr std::size_t kLongestPath = 90;

Error failed(const std::string& path) {
  const Errno error = static_cast<Errno>(errno);
  log_error(kRoom, "{}: {}", path, name_of(error));
  return Error(error);
}

Error not_ours(const std::string& path, const char* why) {
  log_error(kRoom, "{}: {}", path, why);
  return Error(Errno::kAcces);
}

Result<> check_directory(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return failed(path);
  if (S_ISLNK(status.st_mode)) return not_ours(path, "a symbolic link");
  if (!S_ISDIR(status.st_mode)) return not_ours(path, "not a directory");
  if (status.st_uid != ::geteuid()) return not_ours(path, "another user's directory");
  if ((status.st_mode & 077) != 0) return not_ours(path, "others may enter the directory");
  return {};
}

Result<> check_socket(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return failed(path);
  if (!S_ISSOCK(status.st_mode)) return not_ours(path, "not a socket");
  if (status.st_uid != ::geteuid()) return not_ours(path, "another user's socket");
  return {};
}

void remove_contents(const std::string& path) {
  for (const char* name : wire::kSocketNames) ::unlink((path + "/" + name).c_str());
  std::error_code ignored;
  std::filesystem::remove_all(path + kTree, ignored);  // does not follow links
}

}  // namespace

Result<SocketDirectory> SocketDirectory::create(const std::string& path) {
  if (path.size() > kLongestPath) return Error(static_cast<Errno>(ENAMETOOLONG));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed(path);
  PANTRY_TRY(check_directory(path));
  driver::OwnedFd lock(
      ::open((path + kLock).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock) return failed(path + kLock);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    log_error(kRoom, "{}: a host is serving there", path);
    return Error(Errno::kBusy);
  }
  remove_contents(path);
  return SocketDirectory(path, std::move(lock));
}

SocketDirectory::~SocketDirectory() {
  if (!lock_) return;
  remove_contents(path_);
  ::unlink((path_ + kLock).c_str());
  ::rmdir(path_.c_str());
}

Result<> check_host(const std::string& path) {
  if (path.size() > kLongestPath) return Error(static_cast<Errno>(ENAMETOOLONG));
  PANTRY_TRY(check_directory(path));
  for (const wire::Socket kind : wire::kListening) PANTRY_TRY(check_socket(path_of(path, kind)));
  // A channel holds nothing once it is closed again.
  const std::string channel = path_of(path, wire::Socket::kChannel);
  PANTRY_TRY_ASSIGN(const driver::OwnedFd connection, connect_to(channel));
  if (peer_of(connection.get()).uid != ::geteuid())
    return not_ours(channel, "another user listens there");
  return {};
}

std::string default_host_path() {
  const char* const runtime = ::getenv("XDG_RUNTIME_DIR");
  if (runtime && runtime[0] == '/') return std::string(runtime) + "/pantry-host";
  return fmt::format("/tmp/pantry-host-{}", ::geteuid());
}

}  // namespace pantry::uapi
