// SPDX-License-Identifier: MIT
//
// Clients that ask for anything, of a machine of their own in simulation: any ioctls with structs
// and arrays that lead somewhere or nowhere, memory that changes while it is read, descriptors
// passed from one to the other, jobs of any words. One client, two at once, or two threads of one.
// Afterwards nothing is left behind, and neither the MMU checker nor the allocation traps, which
// both abort, had anything to say.
//
//   input   options, seed of the schedule, bytes of the first program (u16), both programs
//   step    a byte, and what follows: see Program::step
#include <sys/mman.h>

#include <memory>

#include "driver/kernel/sim_executor.h"
#include "fuzz/ioctl_layout.h"
#include "fuzz/quiet_start.h"
#include "fuzz/session_client.h"

namespace {

using namespace pantry;
using fuzz::take_number;

constexpr std::size_t kMostSteps = 64;

class Program final : public driver::ThreadBody {
 public:
  Program(uapi::Machine& machine, uapi::Session& session, fuzz::Descriptors& descriptors,
          std::uint64_t first_token, fuzz::Input input)
      : machine_(machine),
        session_(session),
        descriptors_(descriptors),
        client_(session, descriptors, first_token),
        scratch_(client_.memory().bytes(), fuzz::ClientMemory::kAddress),
        input_(input) {}

  // A VM with a buffer at 1 MiB, a group of two queues, two syncobjs: what most of the rules are
  // about.
  void set_up() {
    client_.ioctl(DRM_IOCTL_PANTHOR_VM_CREATE, argument(drm_panthor_vm_create{}));
    drm_panthor_bo_create buffer{};
    buffer.size = 16 * kPageSize;
    client_.ioctl(DRM_IOCTL_PANTHOR_BO_CREATE, argument(buffer));
    buffer.exclusive_vm_id = 1;
    client_.ioctl(DRM_IOCTL_PANTHOR_BO_CREATE, argument(buffer));
    drm_panthor_vm_bind_op op{};
    op.bo_handle = 1;
    op.va = 1 << 20;
    op.size = 16 * kPageSize;
    drm_panthor_vm_bind bind{};
    bind.vm_id = 1;
    bind.ops = {sizeof op, 1, argument(op)};
    client_.ioctl(DRM_IOCTL_PANTHOR_VM_BIND, argument(bind));
    std::array<drm_panthor_queue_create, 2> queues{};
    for (auto& queue : queues) queue.ringbuf_size = 4096;
    drm_panthor_group_create group{};
    group.queues = {sizeof queues[0], 2, argument(queues)};
    group.max_compute_cores = group.max_fragment_cores = group.max_tiler_cores = 1;
    group.priority = PANTHOR_GROUP_PRIORITY_MEDIUM;
    group.compute_core_mask = group.fragment_core_mask = group.tiler_core_mask = 1;
    group.vm_id = 1;
    client_.ioctl(DRM_IOCTL_PANTHOR_GROUP_CREATE, argument(group));
    for (int n = 0; n < 2; ++n)
      client_.ioctl(DRM_IOCTL_SYNCOBJ_CREATE, argument(drm_syncobj_create{}));
  }

  void run() override {
    for (std::size_t n = 0; n < kMostSteps && !input_.is_over(); ++n) step();
  }

 private:
  template <class T>
  std::uint64_t argument(const T& value) {
    const auto room = scratch_.place(sizeof value);
    std::memcpy(room.data(), &value, sizeof value);
    return scratch_.address_of(room);
  }
  std::uint64_t made(const fuzz::IoctlLayout& layout) {
    return fuzz::ArgumentMaker(input_, scratch_, machine_.device().executor().clock().now().ns)
        .make(layout.fields);
  }

  void step() {
    const auto what = input_.take<std::uint8_t>();
    if (what < 0xc0) {
      const auto& layout = fuzz::kDeviceIoctls[what % std::size(fuzz::kDeviceIoctls)];
      const std::uint64_t at = made(layout);
      // Only the number says which it is; the rest of the word says how much is copied.
      const std::uint32_t command =
          odd_size_ ? (layout.command & 0xffff) | std::uint32_t{odd_size_} << 16 : layout.command;
      odd_size_ = 0;
      client_.ioctl(command, at);
    } else if (what < 0xd0) {
      const auto command = input_.take<std::uint32_t>();
      const auto room = scratch_.place(64);
      for (std::uint8_t& byte : room) byte = input_.take<std::uint8_t>();
      if (!fuzz::may_wait(command)) client_.ioctl(command, scratch_.address_of(room));
    } else if (what < 0xe0) {
      const std::int32_t number = fuzz::kFirstFd + input_.take<std::uint8_t>();
      const auto& layout =
          fuzz::kDescriptorIoctls[input_.below(std::size(fuzz::kDescriptorIoctls))];
      client_.ioctl_on(number, layout.command, {made(layout)});
    } else if (what < 0xe8) {
      write_buffer();
    } else if (what < 0xec) {
      descriptors_.close(fuzz::kFirstFd + input_.take<std::uint8_t>());
    } else if (what < 0xf0) {
      const auto after = input_.take<std::uint8_t>();
      client_.memory().change(after, take_number(input_));
    } else if (what < 0xf4) {
      machine_.device().executor().clock().sleep(microseconds(std::int64_t{1} << input_.below(16)));
    } else if (what < 0xf8) {
      odd_size_ = input_.take<std::uint16_t>();
    } else {
      const std::uint64_t offset = take_number(input_);
      const std::uint64_t length = take_number(input_);
      const auto type =
          (what & 1) != 0 ? uapi::Session::MapType::kPrivate : uapi::Session::MapType::kShared;
      (void)session_.mmap(offset, length, input_.take<std::uint8_t>() % 8, type);
    }
  }

  // What the client does through its mapping: words of command streams, most of all.
  void write_buffer() {
    drm_panthor_bo_mmap_offset where{};
    where.handle = static_cast<std::uint32_t>(take_number(input_));
    const std::uint64_t offset = take_number(input_) / 8 * 8;
    std::uint64_t words[16];
    const std::uint64_t count = 1 + input_.below(std::size(words));
    for (std::uint64_t n = 0; n < count; ++n) words[n] = input_.take<std::uint64_t>();
    const std::uint64_t at = argument(where);
    if (client_.ioctl(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, at) != 0) return;
    where = client_.memory().get<drm_panthor_bo_mmap_offset>({at}).value();
    const auto target =
        session_.mmap(where.offset, kPageSize, PROT_WRITE, uapi::Session::MapType::kShared);
    if (target && target->buffer) (void)target->buffer->write(offset, words, count * 8);
  }

  uapi::Machine& machine_;
  uapi::Session& session_;
  fuzz::Descriptors& descriptors_;
  fuzz::SessionClient client_;
  fuzz::Scratch scratch_;
  fuzz::Input input_;
  std::uint16_t odd_size_ = 0;
};

enum Option : std::uint8_t {
  kTwoPrograms = 1,
  kOneFile = 2,
  kBare = 4,  // without set_up()
  kPrimaryNode = 8,
  kProvisioner = 0x30,
  kOldVersion = 0x40,
  kFewPages = 0x80,
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto options = input.take<std::uint8_t>();
  const auto seed = input.take<std::uint8_t>();
  const auto rest_of = [&](std::size_t from, std::size_t bytes) {
    const auto rest = input.rest();
    const std::size_t first = std::min(from, rest.size());
    return fuzz::Input(rest.data() + first, std::min(bytes, rest.size() - first));
  };
  const std::size_t split = options & kTwoPrograms ? input.take<std::uint16_t>() : size;

  uapi::MachineConfig config;
  config.dram_bytes = 32 * kMiB;
  config.memory = uapi::MachineConfig::Memory::kArena;
  config.provisioning = static_cast<driver::Provisioning>((options & kProvisioner) / 0x10 % 3);
  if (options & kOldVersion) config.uapi_minor = seed % (uapi::kNewestMinor + 1);
  if (options & kFewPages) config.max_pending_table_pages = 8;
  const auto node = options & kPrimaryNode ? driver::NodeType::kPrimary : driver::NodeType::kRender;

  driver::SimExecutor executor(seed, 2);
  const std::unique_ptr<uapi::Machine> machine = uapi::Machine::create(executor, config).value();
  const uapi::Machine::Baseline before = machine->baseline();
  {
    const auto first = machine->open(node, {.pid = 1});
    const auto second = machine->open(node, {.pid = 2});
    fuzz::Descriptors descriptors;
    Program one(*machine, *first, descriptors, 1, rest_of(0, split));
    Program two(*machine, options & kOneFile ? *first : *second, descriptors, 1 << 20,
                rest_of(split, size));
    if ((options & kBare) == 0) {
      one.set_up();
      if ((options & kOneFile) == 0) two.set_up();
    }
    if (options & kTwoPrograms) {
      // The device is a thread of the executor's too, so they are not joined but waited for.
      Mutex mutex;
      CondVar changed;
      int running = 2;
      class Counted final : public driver::ThreadBody {
       public:
        Counted(Program& program, Mutex& mutex, CondVar& changed, int& running)
            : program_(program), mutex_(mutex), changed_(changed), running_(running) {}
        void run() override {
          program_.run();
          MutexLock lock(mutex_);
          --running_;
          changed_.notify_all();
        }

       private:
        Program& program_;
        Mutex& mutex_;
        CondVar& changed_;
        int& running_;
      } first_thread(one, mutex, changed, running), second_thread(two, mutex, changed, running);
      executor.spawn("one", first_thread);
      executor.spawn("two", second_thread);
      {
        MutexLock lock(mutex);
        while (running != 0) changed.wait(mutex);
      }
      // Time moves only when nobody can go on: then both have left.
      executor.clock().sleep(microseconds(1));
    } else {
      one.run();
    }
  }
  PANTRY_CHECK(machine->baseline() == before);
  PANTRY_CHECK(machine->mistakes().empty());
  return 0;
}
