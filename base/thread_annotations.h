// SPDX-License-Identifier: MIT
//
// Clang's thread-safety attributes under names of our own; nothing under other compilers. The clang
// build treats what they find as errors.
#pragma once

#if defined(__clang__)
#define PANTRY_ATTRIBUTE_(x) __attribute__((x))
#else
#define PANTRY_ATTRIBUTE_(x)
#endif

#define PANTRY_CAPABILITY(name) PANTRY_ATTRIBUTE_(capability(name))
#define PANTRY_SCOPED_CAPABILITY PANTRY_ATTRIBUTE_(scoped_lockable)
#define PANTRY_GUARDED_BY(x) PANTRY_ATTRIBUTE_(guarded_by(x))
#define PANTRY_PT_GUARDED_BY(x) PANTRY_ATTRIBUTE_(pt_guarded_by(x))
#define PANTRY_REQUIRES(...) PANTRY_ATTRIBUTE_(requires_capability(__VA_ARGS__))
#define PANTRY_ACQUIRE(...) PANTRY_ATTRIBUTE_(acquire_capability(__VA_ARGS__))
#define PANTRY_RELEASE(...) PANTRY_ATTRIBUTE_(release_capability(__VA_ARGS__))
#define PANTRY_TRY_ACQUIRE(...) PANTRY_ATTRIBUTE_(try_acquire_capability(__VA_ARGS__))
#define PANTRY_EXCLUDES(...) PANTRY_ATTRIBUTE_(locks_excluded(__VA_ARGS__))
#define PANTRY_ACQUIRED_BEFORE(...) PANTRY_ATTRIBUTE_(acquired_before(__VA_ARGS__))
#define PANTRY_ASSERT_CAPABILITY(x) PANTRY_ATTRIBUTE_(assert_capability(x))
// For the bodies of the lock primitives themselves, which the analysis cannot follow into the
// standard library.
#define PANTRY_RETURN_CAPABILITY(x) PANTRY_ATTRIBUTE_(lock_returned(x))
