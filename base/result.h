// SPDX-License-Identifier: MIT
//
// Result<T> is what every function returns that can fail for a reason a client may cause or must be
// told: the value, or the errno that the uAPI documents. Partial progress is a value, not an error;
// a bug is a CHECK (check.h).
#pragma once

#include <cerrno>
#include <expected>

namespace pantry {

// A positive Linux errno. Only those that the panthor and DRM uAPIs can return have a name.
enum class Errno : int {
  kPerm = EPERM,
  kNoEnt = ENOENT,
  kIntr = EINTR,
  kIo = EIO,
  kBadF = EBADF,
  kNoMem = ENOMEM,
  kAcces = EACCES,
  kFault = EFAULT,
  kBusy = EBUSY,
  kExist = EEXIST,
  kNoDev = ENODEV,
  kInval = EINVAL,
  kMFile = EMFILE,
  kNoTty = ENOTTY,
  kNoSpc = ENOSPC,
  kTooBig = E2BIG,
  kNoSys = ENOSYS,
  kTime = ETIME,
  kNotSupp = EOPNOTSUPP,
  kTimedOut = ETIMEDOUT,
  kCanceled = ECANCELED,
};

// The value as the kernel returns it: Errno::kInval is -22.
constexpr int negated(Errno error) { return -static_cast<int>(error); }

// "EINVAL" for Errno::kInval; "unknown errno" for a number that Linux does not use. Static storage,
// never null.
const char* name_of(Errno error);

template <class T = void>
using Result = std::expected<T, Errno>;

using Error = std::unexpected<Errno>;

}  // namespace pantry

// Returns from the enclosing function with the error of `expression`, a Result<void>.
#define PANTRY_TRY(expression)                             \
  do {                                                     \
    if (auto pantry_result = (expression); !pantry_result) \
      return ::pantry::Error(pantry_result.error());       \
  } while (false)

#define PANTRY_CONCAT_(a, b) a##b
#define PANTRY_CONCAT(a, b) PANTRY_CONCAT_(a, b)

// `PANTRY_TRY_ASSIGN(auto page, pool.alloc());` binds the value or returns the error.
#define PANTRY_TRY_ASSIGN(target, expression) \
  PANTRY_TRY_ASSIGN_(PANTRY_CONCAT(pantry_result_, __LINE__), target, expression)
#define PANTRY_TRY_ASSIGN_(result, target, expression) \
  auto result = (expression);                          \
  if (!result) return ::pantry::Error(result.error()); \
  target = *std::move(result)
