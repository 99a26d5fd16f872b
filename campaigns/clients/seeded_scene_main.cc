// SPDX-License-Identifier: MIT
//
// seeded_scene SCENE FILE: one scene of campaigns/seeded on a driver that is reached through the
// uAPI, for hosts that seed a mistake while the first byte of FILE is '1'. Says nothing about what
// came of it: with a mistake seeded, jobs may have any effect. Exits 2 for an unknown scene, 3 when
// FILE cannot be written.

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/assembler.h"
#include "igt_tests/lib/clock.h"
#include "igt_tests/lib/group.h"

using namespace gpu;

namespace {

constexpr uint64_t kCodeVa = 0x100'0000;
// Each in a window of 1 GiB of its own.
constexpr uint64_t kPlace = 4 * kGigabyte;
constexpr uint64_t kFarPlace = 8 * kGigabyte;
constexpr uint64_t kLastPlace = 12 * kGigabyte;

const char* switch_file = nullptr;

// The other side maps the file, so what is synced is seen.
void turn(char state) {
  const int fd = open(switch_file, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || pwrite(fd, &state, 1, 0) != 1 || fsync(fd) != 0) exit(3);
  close(fd);
}

template <typename Step>
void armed(Step step) {
  turn('1');
  step();
  turn('0');
}

// A client with one VM and one group at a time.
class Client {
 public:
  explicit Client(const Device& device)
      : device_(device),
        vm_(Vm::create(device)),
        code_(Bo::create(device, kPage)),
        done_(Syncobj::create(device)) {
    bind(Binds().map(code_, 0, kCodeVa, kPage, 0, {}));
  }

  void map(uint64_t va, uint64_t size) {
    buffers_.push_back(std::make_unique<Bo>(Bo::create(device_, size)));
    bind(Binds().map(*buffers_.back(), 0, va, size, 0, {}));
  }
  // The buffer that was mapped last.
  void map_read_only(uint64_t va, uint64_t size) {
    bind(Binds().map(*buffers_.back(), 0, va, size, kReadOnly, {}));
  }
  // Of that buffer: its frames are free when nothing maps it.
  void close() { buffers_.pop_back(); }
  // Some of the frames that are free now have a new owner.
  void take_free_pages() {
    for (int n = 0; n < 64; ++n) {
      taken_.push_back(std::make_unique<Bo>(Bo::create(device_, kPage)));
      taken_.back()->bytes()[0] = 1;
    }
  }
  void unmap(uint64_t va, uint64_t size) { bind(Binds().unmap(va, size, {})); }

  // A job that stores there ends in one way or another. A group that is lost is made anew by the
  // next.
  void use(uint64_t va) {
    Assembler stream;
    stream.store_value(va, ++value_).publish();
    run(stream);
  }
  // A job that loads from there: for frames that may be the kernel's by now.
  void read(uint64_t va) {
    Assembler stream;
    stream.move48(kAddress, va).load(kValue, 1, kAddress, 0).wait_all();
    run(stream);
  }
  void end_group() {
    group_.reset();
    sleep_ns(100 * kMillisecond);  // the driver takes it apart by and by
  }
  void end_vm() {
    vm_.destroy();
    sleep_ns(100 * kMillisecond);
  }

 private:
  static constexpr unsigned kValue = 0, kAddress = 2;

  void run(const Assembler& stream) {
    if (!group_) group_ = std::make_unique<Group>(Group::create_simple(vm_));
    for (size_t n = 0; n < stream.words().size(); ++n) code_.quads()[n] = stream.words()[n];
    Jobs jobs;
    jobs.add(0, {kCodeVa, stream.size_bytes()}, Syncs().signal(done_));
    if (group_->try_submit(jobs) != 0 || done_.finish(60 * kSecond) != 1) group_.reset();
  }
  void bind(Binds& binds) {
    uint32_t failed_at = 0;
    (void)vm_.bind_sync(binds, failed_at);
  }

  const Device& device_;
  Vm vm_;
  Bo code_;
  Syncobj done_;
  std::unique_ptr<Group> group_;
  std::vector<std::unique_ptr<Bo>> buffers_, taken_;
  uint32_t value_ = 0x1000;
};

void unmap(const Device&, Client& client) {
  client.map(kPlace, kPage);
  client.use(kPlace);
  armed([&] { client.unmap(kPlace, kPage); });
  client.use(kPlace);
}

void unmap_half(const Device&, Client& client) {
  constexpr uint64_t kSize = 16 * kPage;
  client.map(kPlace, kSize);
  client.use(kPlace);
  client.use(kPlace + kSize - kPage);
  armed([&] { client.unmap(kPlace, kSize); });
  client.use(kPlace);
  client.use(kPlace + kSize - kPage);
}

void remap(const Device&, Client& client) {
  client.map(kPlace, kPage);
  client.use(kPlace);
  armed([&] { client.map(kPlace, kPage); });
  client.use(kPlace);
}

void read_only(const Device&, Client& client) {
  client.map(kPlace, kPage);
  client.use(kPlace);
  armed([&] { client.map_read_only(kPlace, kPage); });
  client.use(kPlace);
}

// The first page that is given back is the last that is handed out again.
void close(const Device&, Client& client) {
  client.map(kPlace, kBlock);
  client.use(kPlace);
  armed([&] {
    client.unmap(kPlace, kBlock);
    client.close();
  });
  client.read(kPlace);
}

void reuse(const Device&, Client& client) {
  client.map(kPlace, kPage);
  client.use(kPlace);
  armed([&] {
    client.unmap(kPlace, kPage);
    client.close();
  });
  client.take_free_pages();
  client.read(kPlace);
}

// A table goes when all that it covers is unmapped at once.
void free_table(const Device&, Client& client) {
  client.map(kPlace, kBlock);
  client.use(kPlace);
  armed([&] { client.unmap(kPlace, kBlock); });
  client.read(kPlace + kPage);
}

// The other binds have no flush either, as the next one would tell of the first.
void reuse_table(const Device&, Client& client) {
  client.map(kPlace, kBlock);
  client.use(kPlace);
  armed([&] {
    client.unmap(kPlace, kBlock);
    for (uint64_t n = 0; n < 8; ++n) client.map(kFarPlace + n * kBlock, kPage);
  });
  client.read(kPlace + kPage);
}

void two_binds(const Device&, Client& client) {
  client.map(kPlace, kPage);
  client.use(kPlace);
  armed([&] {
    client.unmap(kPlace, kPage);
    client.map(kFarPlace, kPage);
  });
  client.use(kFarPlace);
}

void start(const Device&, Client& client) {
  client.map(kPlace, kPage);
  armed([&] { client.use(kPlace); });
  client.use(kPlace);
}

void evict(const Device& device, Client& client) {
  std::vector<std::unique_ptr<Client>> others;
  for (int n = 0; n < 7; ++n) {
    others.push_back(std::make_unique<Client>(device));
    others.back()->map(kPlace, kPage);
    others.back()->use(kPlace);
    others.back()->end_group();
  }
  client.map(kPlace, kPage);
  armed([&] { client.use(kPlace); });
  client.use(kPlace);
}

void fault_and_back(const Device&, Client& client) {
  client.map(kPlace, kPage);
  client.use(kPlace);
  client.use(kFarPlace);
  client.end_group();
  armed([&] { client.use(kPlace); });
  client.use(kPlace);
}

void destroy(const Device& device, Client& client) {
  client.map(kPlace, kPage);
  client.use(kPlace);
  client.end_group();
  armed([&] { client.end_vm(); });
  Client next(device);
  next.map(kPlace, kPage);
  next.use(kPlace);
}

struct Scene {
  const char* name;
  void (*play)(const Device&, Client&);
  enum class Ending { kPlain, kFarBind } ending;
};
// What a driver that edits first has left out shows at its next flush, which is of something else.
constexpr Scene kScenes[] = {{"unmap", unmap, Scene::Ending::kFarBind},
                             {"unmap-half", unmap_half, Scene::Ending::kFarBind},
                             {"remap", remap, Scene::Ending::kFarBind},
                             {"read-only", read_only, Scene::Ending::kFarBind},
                             {"close", close, Scene::Ending::kFarBind},
                             {"reuse", reuse, Scene::Ending::kFarBind},
                             {"reuse-table", reuse_table, Scene::Ending::kFarBind},
                             {"free-table", free_table, Scene::Ending::kFarBind},
                             {"two-binds", two_binds, Scene::Ending::kFarBind},
                             {"start", start, Scene::Ending::kPlain},
                             {"evict", evict, Scene::Ending::kPlain},
                             {"fault-and-back", fault_and_back, Scene::Ending::kPlain},
                             {"destroy", destroy, Scene::Ending::kPlain}};

// A device that sleeps between two steps has forgotten what it cached.
void keep_awake() {
  FILE* const file = fopen("/sys/bus/platform/devices/pantry-gpu/power/control", "we");
  if (file == nullptr) return;
  fputs("on", file);
  fclose(file);
}

}  // namespace

int main(int argc, char** argv) {
  const Scene* scene = nullptr;
  for (const Scene& known : kScenes)
    if (argc == 3 && strcmp(argv[1], known.name) == 0) scene = &known;
  if (scene == nullptr) {
    fprintf(stderr, "usage: seeded_scene SCENE FILE, with a SCENE of");
    for (const Scene& known : kScenes) fprintf(stderr, " %s", known.name);
    fprintf(stderr, "\n");
    return 2;
  }
  switch_file = argv[2];
  keep_awake();
  const Device device = Device::open_render();
  Client client(device);
  scene->play(device, client);
  if (scene->ending == Scene::Ending::kFarBind) client.map(kLastPlace, kPage);
  return 0;
}
