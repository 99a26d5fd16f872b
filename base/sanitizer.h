// SPDX-License-Identifier: MIT
//
// Which sanitizer this build has, 0 or 1 each: GCC and clang say it in different ways.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PANTRY_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define PANTRY_THREAD_SANITIZER 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define PANTRY_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__)
#define PANTRY_THREAD_SANITIZER 1
#endif

#if !defined(PANTRY_ADDRESS_SANITIZER)
#define PANTRY_ADDRESS_SANITIZER 0
#endif
#if !defined(PANTRY_THREAD_SANITIZER)
#define PANTRY_THREAD_SANITIZER 0
#endif
