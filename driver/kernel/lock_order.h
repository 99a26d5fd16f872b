// SPDX-License-Identifier: MIT
//
// The pseudo lock of ThreadSanitizer builds. It stands for "a fence may be waited on": a
// SignallingSection holds it, every allocation and every fence wait takes it for a moment. A mutex
// that is taken inside a section and held elsewhere across an allocation or a wait is then a cycle
// in the sanitizer's lock graph, and reported even in a run that does not deadlock.
//
// It is only ever taken for reading, so that it orders nothing and hides no race. Empty in other
// builds.
#pragma once

#include "base/sanitizer.h"

namespace pantry::driver::lock_order {

#if PANTRY_THREAD_SANITIZER
// Called when a thread enters its outermost section, and when it leaves it.
void section_begins() noexcept;
void section_ends() noexcept;
// Called where a fence may be waited on or memory allocated. Not inside a section.
void may_wait() noexcept;
#else
inline void section_begins() noexcept {}
inline void section_ends() noexcept {}
inline void may_wait() noexcept {}
#endif

}  // namespace pantry::driver::lock_order
