// SPDX-License-Identifier: MIT
//
// The DRM core's own ioctls, as a render driver without modesetting answers them: panthor-uapi.md
// B.1, B.2.
#include <drm/panthor_drm.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "uapi/device_name.h"
#include "uapi/drm_abi.h"
#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

// Linux tells nobody the uid of a client.
constexpr unsigned long kOverflowUid = 65534;

// What debugfs and sysfs call the device.
constexpr std::string_view kUnique = PANTRY_DEVICE_NAME;

// Copies as much of `text` as the client's buffer holds, without a terminator, and tells the whole
// length.
Result<> put_string(Call& call, std::string_view text, __kernel_size_t& length, char* user_buffer) {
  const std::size_t fits = std::min<std::size_t>(text.size(), length);
  length = text.size();
  if (fits == 0 || user_buffer == nullptr) return {};
  return call.memory.write({reinterpret_cast<std::uint64_t>(user_buffer)}, text.data(), fits);
}

}  // namespace

Result<> version(Call& call) {
  auto& args = call.arg<drm_version>();
  args.version_major = 1;
  args.version_minor = static_cast<int>(call.features.minor);
  args.version_patchlevel = 0;
  PANTRY_TRY(put_string(call, "panthor", args.name_len, args.name));
  PANTRY_TRY(put_string(call, "0", args.date_len, args.date));
  return put_string(call, "Panthor DRM driver", args.desc_len, args.desc);
}

Result<> get_unique(Call& call) {
  // Empty until SET_VERSION has asked for an interface that has names. Unlike VERSION's strings,
  // one that does not fit is not copied in part.
  auto& args = call.arg<drm_unique>();
  const std::string_view name = call.file.knows_name() ? kUnique : std::string_view();
  if (args.unique_len >= name.size())
    PANTRY_TRY(call.memory.write({reinterpret_cast<std::uint64_t>(args.unique)}, name.data(),
                                 name.size()));
  args.unique_len = name.size();
  return {};
}

Result<> get_client(Call& call) {
  // Since Linux 3.14 only the caller itself is shown, at index 0.
  auto& args = call.arg<drm_client>();
  if (args.idx != 0) return reject(Errno::kInval, "GET_CLIENT: index {}", args.idx);
  args.auth = call.file.is_authenticated() ? 1 : 0;
  args.pid = static_cast<unsigned long>(call.credentials().pid);
  args.uid = kOverflowUid;
  args.magic = 0;
  args.iocs = 0;
  return {};
}

Result<> get_stats(Call& call) {
  call.arg<drm_stats>() = {};
  return {};
}

Result<> get_cap(Call& call) {
  auto& args = call.arg<drm_get_cap>();
  switch (args.capability) {
    case DRM_CAP_TIMESTAMP_MONOTONIC:
    case DRM_CAP_SYNCOBJ:
    case DRM_CAP_SYNCOBJ_TIMELINE:
      args.value = 1;
      return {};
    case DRM_CAP_PRIME:
      args.value = DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT;
      return {};
    default:
      args.value = 0;
      return reject(Errno::kNotSupp, "GET_CAP: capability {:#x} is of modesetting drivers",
                    args.capability);
  }
}

Result<> set_client_cap(Call&) { return reject(Errno::kNotSupp, "SET_CLIENT_CAP: no modesetting"); }

Result<> set_version(Call& call) {
  auto& args = call.arg<drm_set_version>();
  const drm_set_version asked = args;
  args = {.drm_di_major = 1,
          .drm_di_minor = 4,
          .drm_dd_major = 1,
          .drm_dd_minor = static_cast<int>(call.features.minor)};
  const bool interface_ok =
      asked.drm_di_major == -1 ||
      (asked.drm_di_major == 1 && asked.drm_di_minor >= 0 && asked.drm_di_minor <= 4);
  if (interface_ok && asked.drm_di_major != -1 && asked.drm_di_minor >= 1) call.file.tell_name();
  const bool driver_ok =
      asked.drm_dd_major == -1 || (asked.drm_dd_major == 1 && asked.drm_dd_minor >= 0 &&
                                   asked.drm_dd_minor <= static_cast<int>(call.features.minor));
  if (!interface_ok || !driver_ok)
    return reject(Errno::kInval, "SET_VERSION: interface {}.{}, driver {}.{}", asked.drm_di_major,
                  asked.drm_di_minor, asked.drm_dd_major, asked.drm_dd_minor);
  return {};
}

Result<> set_master(Call& call) { return call.file.set_master(call.credentials()); }
Result<> drop_master(Call& call) { return call.file.drop_master(call.credentials()); }

Result<> no_modesetting(Call&) {
  return reject(Errno::kNotSupp, "MODE_*: panthor has no modesetting");
}
Result<> no_dumb_buffers(Call&) {
  return reject(Errno::kNoSys, "MODE_*_DUMB: panthor has no dumb buffers");
}
Result<> no_framebuffers(Call&) {
  return reject(Errno::kInval, "MODE_GETFB2: panthor has no modesetting");
}
Result<> no_operation(Call&) { return {}; }
Result<> invalid_operation(Call&) { return reject(Errno::kInval, "SET_UNIQUE: no longer there"); }

Result<> get_magic(Call& call) {
  PANTRY_TRY_ASSIGN(call.arg<drm_auth>().magic, call.file.magic());
  return {};
}

Result<> auth_magic(Call& call) { return call.file.authenticate(call.arg<drm_auth>().magic); }

Result<> set_client_name(Call& call) {
  const auto& args = call.arg<DrmSetClientName>();
  if (args.name_len > kLongestClientName)
    return reject(Errno::kInval, "SET_CLIENT_NAME: {} characters", args.name_len);
  if (args.name_len == 0) {
    call.file.set_name(std::nullopt);
    return {};
  }
  std::string name(args.name_len, ' ');
  PANTRY_TRY(call.memory.read({args.name}, name.data(), name.size()));
  if (!std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; }))
    return reject(Errno::kInval, "SET_CLIENT_NAME: not all of it can be printed");
  call.file.set_name(std::move(name));
  return {};
}

}  // namespace pantry::uapi
