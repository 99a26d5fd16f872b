// SPDX-License-Identifier: MIT
//
// A random history: a file of its own on the device, and steps on it. A step is one call of the
// uAPI, valid or not, or the few that make sense together only (a buffer is also mapped by the CPU,
// a space also gets the buffer for its streams). It ends when all its fences have signalled, and
// tells what came of it: errno, what was written back, how fences ended, and then the memory of all
// buffers and the state of all groups and spaces.
//
// What a step does is a function of the seed and its number alone, so any step can be left out of a
// history, and two drivers can be given the same one.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "campaigns/clients/dice.h"
#include "igt_tests/lib/assembler.h"
#include "igt_tests/lib/device.h"

class History {
 public:
  explicit History(uint64_t seed);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // One line, the same from every driver that does the same.
  std::string step(uint32_t number);

 private:
  struct Space {
    uint32_t id = 0;
    uint8_t* code = nullptr;  // the CPU's view of the buffer at kCodeVa
  };
  struct Buffer {
    uint32_t handle = 0;
    uint64_t size = 0;
    uint8_t* memory = nullptr;  // nullptr: cannot be mapped
  };

  struct Group {
    uint32_t handle = 0;
    uint32_t space = 0;  // its VM's id at creation
  };

  using Step = void (History::*)(Dice& dice, uint32_t number);
  struct Kind {
    unsigned weight;
    Step step;
  };
  static const Kind kKinds[];

  void space_step(Dice& dice, uint32_t number);
  void buffer_step(Dice& dice, uint32_t number);
  void fill_step(Dice& dice, uint32_t number);
  void bind_sync_step(Dice& dice, uint32_t number);
  void bind_async_step(Dice& dice, uint32_t number);
  void group_step(Dice& dice, uint32_t number);
  void submit_step(Dice& dice, uint32_t number);
  void syncobj_step(Dice& dice, uint32_t number);
  void timeline_step(Dice& dice, uint32_t number);
  void prime_step(Dice& dice, uint32_t number);

  void create_space(Dice& dice, Space& space);
  void create_buffer(Dice& dice, Buffer& buffer);
  void create_group(Dice& dice, Group& group);
  uint8_t* map(uint32_t handle, uint64_t size);
  drm_panthor_vm_bind_op random_op(Dice& dice);
  std::vector<drm_panthor_vm_bind_op> random_ops(Dice& dice);
  drm_panthor_sync_op signal_of_its_own();
  drm_panthor_sync_op random_sync(Dice& dice, uint32_t number);
  gpu::Assembler random_stream(Dice& dice);
  // The status of its fence when it has one: 1 or a negative errno; else 0.
  int finish(uint32_t syncobj);
  void destroy_neighbours(uint32_t faulty);
  void tell_ops(const std::vector<drm_panthor_vm_bind_op>& ops);
  void tell_syncs(const std::vector<drm_panthor_sync_op>& syncs);
  void tell_state();

  // The objects of the picked place, or now and then a number that is nobody's.
  uint32_t space_id(Dice& dice);
  uint32_t buffer_handle(Dice& dice);
  uint32_t group_handle(Dice& dice);
  uint32_t syncobj_handle(Dice& dice);

  // 0 or the errno, which is told.
  int call(const char* name, unsigned long request, void* argument);
  [[gnu::format(printf, 2, 3)]] void tell(const char* format, ...);

  const uint64_t seed_;
  gpu::Device device_;
  std::array<Space, 2> spaces_{};
  std::array<Buffer, 4> buffers_{};
  std::array<Group, 3> groups_{};
  std::array<uint32_t, 3> syncobjs_{};
  std::string line_;
};
