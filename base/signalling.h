// SPDX-License-Identifier: MIT
//
// The capability `signalling`: a thread holds it inside a SignallingSection of the driver
// (driver/kernel/signalling.h), where it may neither allocate nor free nor wait for fences. It is
// known here so that what this room offers, and the driver uses, can say so too. For clang's
// analysis alone; there is nothing of it at run time.
//
// What may allocate, free or wait requires the capability's absence, and so does whoever calls it:
// the requirement shows at every level, and a function between a section and an allocation that
// does not say it is refused. It ends where nobody can be in a section: at a Work::run, a thread's
// body, and at the rooms above driver/, which open no section. So it holds in the libraries of
// driver/, which are compiled with PANTRY_NEGATIVE_CAPABILITIES; elsewhere, tests included, only a
// direct call from a section is refused.
//
// What the analysis cannot see: calls through the standard library (its containers, std::function)
// or a pointer to a function, what is inside a constructor or a destructor (which say it by hand),
// destructors of members, and of objects behind a Ref. Those are for the other nets.
#pragma once

#include "base/thread_annotations.h"

namespace pantry {

// A phantom: held by the thread inside a SignallingSection.
class PANTRY_CAPABILITY("signalling") Signalling {
 public:
  const Signalling& operator!() const { return *this; }  // makes `!signalling` an expression
};
inline constexpr Signalling signalling;
// For the analysis alone, where something else has seen to it that the thread is in no section.
inline void assert_not_signalling() PANTRY_ASSERT_CAPABILITY(!signalling) {}

}  // namespace pantry

#if defined(PANTRY_NEGATIVE_CAPABILITIES)
#define PANTRY_MAY_ALLOCATE PANTRY_REQUIRES(!::pantry::signalling)
#else
#define PANTRY_MAY_ALLOCATE PANTRY_EXCLUDES(::pantry::signalling)
#endif
#define PANTRY_MAY_WAIT PANTRY_MAY_ALLOCATE
// On a function that runs inside a section only: its body may then call nothing that may allocate
// or wait.
#define PANTRY_SIGNALLING PANTRY_REQUIRES(::pantry::signalling)
