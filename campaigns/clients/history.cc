// SPDX-License-Identifier: MIT
#include "campaigns/clients/history.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "campaigns/clients/history_layout.h"
#include "igt_tests/lib/bo.h"

using namespace gpu;
using namespace history;

namespace {

// FNV-1a over the part of each page that streams can reach.
uint64_t hash_of(const uint8_t* memory, uint64_t size) {
  uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (uint64_t page = 0; page < size; page += kPage)
    for (uint64_t at = page; at < page + kTouchedBytes; at += sizeof(uint64_t)) {
      uint64_t word;
      memcpy(&word, memory + at, sizeof(word));
      hash = (hash ^ word) * 0x100'0000'01b3;
    }
  return hash;
}

}  // namespace

const History::Kind History::kKinds[] = {
    {6, &History::space_step},      {12, &History::buffer_step},     {4, &History::fill_step},
    {20, &History::bind_sync_step}, {16, &History::bind_async_step}, {10, &History::group_step},
    {30, &History::submit_step},    {8, &History::syncobj_step},     {5, &History::timeline_step},
    {3, &History::prime_step},
};

History::History(uint64_t seed) : seed_(seed), device_(Device::open_render()) {}

// The descriptor goes last: what is left of groups, spaces and buffers goes with it.
History::~History() {
  for (const Space& space : spaces_)
    if (space.code != nullptr) munmap(space.code, kCodeBytes);
  for (const Buffer& buffer : buffers_)
    if (buffer.memory != nullptr) munmap(buffer.memory, buffer.size);
}

std::string History::step(uint32_t number) {
  Dice dice((seed_ << 16) + number * 2654435761u);
  line_.clear();
  // The first steps make what the others need.
  if (number < 4) {
    const Step first[] = {&History::space_step, &History::buffer_step, &History::group_step,
                          &History::syncobj_step};
    (this->*first[number])(dice, number);
  } else {
    unsigned total = 0;
    for (const Kind& kind : kKinds) total += kind.weight;
    auto left = dice.roll(total);
    const Kind* kind = kKinds;
    for (; left >= kind->weight; ++kind) left -= kind->weight;
    (this->*kind->step)(dice, number);
  }
  tell_state();
  return line_;
}

void History::tell_state() {
  tell("|");
  for (const Buffer& buffer : buffers_)
    if (buffer.memory != nullptr)
      tell("bo%u=%016llx", buffer.handle,
           static_cast<unsigned long long>(hash_of(buffer.memory, buffer.size)));
  for (const Group& group : groups_) {
    if (group.handle == 0) continue;
    drm_panthor_group_get_state request{};
    request.group_handle = group.handle;
    const int error =
        drmIoctl(device_.fd(), DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &request) == 0 ? 0 : errno;
    tell("group%u=%d:%#x:%#x", group.handle, error, request.state, request.fatal_queues);
  }
  for (const Space& space : spaces_) {
    if (space.id == 0) continue;
    drm_panthor_vm_get_state request{};
    request.vm_id = space.id;
    const int error =
        drmIoctl(device_.fd(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &request) == 0 ? 0 : errno;
    tell("vm%u=%d:%u", space.id, error, request.state);
  }
}

uint32_t History::space_id(Dice& dice) {
  if (dice.one_in(15)) return static_cast<uint32_t>(dice.roll(5));
  const Space& picked = spaces_[dice.roll(spaces_.size())];
  return picked.id != 0 ? picked.id : spaces_[0].id;
}

uint32_t History::buffer_handle(Dice& dice) {
  if (dice.one_in(15)) return static_cast<uint32_t>(dice.roll(9));
  return buffers_[dice.roll(buffers_.size())].handle;
}

uint32_t History::group_handle(Dice& dice) {
  if (dice.one_in(15)) return static_cast<uint32_t>(dice.roll(6));
  const Group& picked = groups_[dice.roll(groups_.size())];
  return picked.handle != 0 ? picked.handle : groups_[0].handle;
}

uint32_t History::syncobj_handle(Dice& dice) {
  if (dice.one_in(15)) return static_cast<uint32_t>(dice.roll(6));
  const uint32_t picked = syncobjs_[dice.roll(syncobjs_.size())];
  return picked != 0 ? picked : syncobjs_[0];
}

int History::call(const char* name, unsigned long request, void* argument) {
  const int error = drmIoctl(device_.fd(), request, argument) == 0 ? 0 : errno;
  tell("%s=%d", name, error);
  return error;
}

void History::tell(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  if (!line_.empty()) line_ += ' ';
  line_ += text;
}
