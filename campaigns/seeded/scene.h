// SPDX-License-Identifier: MIT
//
// The scenes in which mistakes are seeded. workload.h plays them on our driver, and
// campaigns/clients/seeded_scene_main.cc on whatever driver there is.
#pragma once

#include <cstdint>
#include <string_view>

namespace pantry::seeded {

// Armed during the step in brackets. "Use" is a job that stores there.
enum class Scene : std::uint8_t {
  kUnmap,         // use a page, [unmap it], use it
  kUnmapHalf,     // use both ends of 64 KiB, [unmap all], use the upper end
  kRemap,         // use a page, [map another buffer there], use it
  kReadOnly,      // use a page, [map it read-only], use it
  kClose,         // use a page, [unmap it, close the buffer], use it
  kReuse,         // use a page, [unmap it, close the buffer], give the frame to another, use it
  kSplit,         // use a block of 2 MiB, [unmap its first page], use the rest
  kJoin,          // use a page in a table, [map a block of 2 MiB over it], use it
  kFreeTable,     // use a page, [unmap all of its table], use another page of it
  kReuseTable,    // as kFreeTable, with another bind before the use
  kTwoBinds,      // use a page, [unmap it, map another page far away], use that
  kStart,         // [a first job: the address space is switched on]
  kEvict,         // seven spaces in use and idle, [a job in an eighth]
  kFaultAndBack,  // a job faults, [another group of the VM makes it come back]
  kDestroy,       // use a page, [the VM goes], a new VM, use it
  kHold,          // use a page, [map and use another in its table], use that
  kHoldTable,     // use a page, [map two others far away, use one], use the other
};
std::string_view name_of(Scene scene);
inline constexpr Scene kScenes[] = {
    Scene::kUnmap,    Scene::kUnmapHalf, Scene::kRemap, Scene::kReadOnly,     Scene::kClose,
    Scene::kReuse,    Scene::kSplit,     Scene::kJoin,  Scene::kFreeTable,    Scene::kReuseTable,
    Scene::kTwoBinds, Scene::kStart,     Scene::kEvict, Scene::kFaultAndBack, Scene::kDestroy,
    Scene::kHold,     Scene::kHoldTable};

}  // namespace pantry::seeded
