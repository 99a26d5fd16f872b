// SPDX-License-Identifier: MIT
//
// One attempt of an attacker, and its control: the same act on the side where it is allowed, which
// shows that success would be noticed.
#pragma once

#include <span>

#include "campaigns/attempts/scene.h"

namespace pantry::redteam {

struct Attempt {
  const char* name;
  // What the attack gets. kNothing: the act looks for something and returns 0 only if it is there.
  int refusal;
  static constexpr int kNothing = -1;
  // Whether a success changes the fingerprint, as that of the control then must.
  enum class Effect { kChanges, kReads } effect;
  int (*act)(Scene& scene, Side side);
  // Before the fingerprint is taken, on either side; null: nothing.
  void (*prepare)(Scene& scene) = nullptr;
  // Why it cannot be tried by this process, or null if it can; null: by any.
  const char* (*obstacle)() = nullptr;
};

std::span<const Attempt> foreign_handle_attempts();
std::span<const Attempt> memory_attempts();
std::span<const Attempt> descriptor_attempts();
std::span<const Attempt> argument_attempts();
std::span<const Attempt> exhaustion_attempts();
std::span<const Attempt> race_attempts();
std::span<const Attempt> socket_attempts();
std::span<const Attempt> path_attempts();

}  // namespace pantry::redteam
