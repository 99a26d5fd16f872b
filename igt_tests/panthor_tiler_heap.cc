// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cerrno>
#include <set>
#include <span>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION(
    "Tiler heaps: how they are made, what the GPU finds in them, and how they grow when a stream "
    "runs out of memory.");

using namespace gpu;

namespace {

constexpr uint32_t kChunk = 128 * 1024;  // the smallest
constexpr uint32_t kLargestChunk = 8 * 1024 * 1024;
constexpr uint32_t kMaxHeaps = 128;
constexpr uint32_t kHeader = 64;  // of a chunk

uint64_t chunk_word(uint64_t va) { return va | kChunk >> 12; }
uint64_t chunk_of(uint64_t word) { return word & ~uint64_t{0xFFF}; }

struct HeapShape {
  uint32_t initial_chunks = 1;
  uint32_t max_chunks = 64;
  uint32_t target_in_flight = 65535;
};

drm_panthor_tiler_heap_create heap_request(const Vm& vm, HeapShape shape) {
  drm_panthor_tiler_heap_create request{};
  request.vm_id = vm.id();
  request.initial_chunk_count = shape.initial_chunks;
  request.chunk_size = kChunk;
  request.max_chunks = shape.max_chunks;
  request.target_in_flight = shape.target_in_flight;
  return request;
}

// Goes with its VM, if not before.
struct Heap {
  uint32_t handle = 0;
  uint64_t context = 0;
  uint64_t first_chunk = 0;
};

Heap create_heap(const Vm& vm, HeapShape shape) {
  drm_panthor_tiler_heap_create request = heap_request(vm, shape);
  do_ioctl(vm.device().fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &request);
  return {request.handle, request.tiler_heap_ctx_gpu_va, request.first_heap_chunk_gpu_va};
}

int try_destroy(const Device& device, uint32_t handle, uint32_t pad) {
  drm_panthor_tiler_heap_destroy request{handle, pad};
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY, &request);
}

void destroy_heap(const Device& device, const Heap& heap) {
  igt_assert_eq(try_destroy(device, heap.handle, 0), 0);
}

uint64_t load64(Bench& bench, uint64_t va) {
  return bench.load32(va) | uint64_t{bench.load32(va + 4)} << 32;
}

// What a client keeps for the tiler: a tiler context and a heap descriptor that names a chunk, and
// the streams that draw with them.
class Scene {
 public:
  Scene(Bench& bench, uint64_t va, const Heap& heap)
      : heap_(heap), va_(va), memory_(Bo::create(bench.vm().device(), kPage)) {
    bench.vm().map_part(memory_, 0, va_, kPage, kUncached | kNoExec);
    clear();
    memory_.quads()[kHeapAt / 8] = va_ + kDescriptor;
    memory_.quads()[(kDescriptor + kBase) / 8] = heap.first_chunk;
    memory_.quads()[(kDescriptor + kBottom) / 8] = heap.first_chunk + kHeader;
    memory_.quads()[(kDescriptor + kTop) / 8] = heap.first_chunk + kChunk;
  }

  // So many vertices that they need more than half a chunk and less than a whole one.
  static constexpr uint32_t kVertices = kChunk * 3 / 4 / 64;

  // Puts draws into the pass that is open.
  void draw(Assembler& stream, uint32_t times) const {
    select(stream);
    stream.move48(40, va_).move32(33, kVertices).move32(34, 1).request_idvs();
    for (uint32_t i = 0; i < times; ++i) stream.run_idvs();
    stream.wait_all().release_endpoints();
  }
  Assembler pass_with_draws(uint32_t times) const {
    Assembler stream;
    select(stream);
    stream.heap_operation(Pass::kBegun);
    draw(stream, times);
    end_pass(stream);
    return stream.publish();
  }
  void select(Assembler& stream) const { stream.move48(72, heap_.context).heap_set(72); }
  // As if it had been rendered; its chunks stay with the scene.
  static void end_pass(Assembler& stream) {
    stream.finish_tiling().wait_all().heap_operation(Pass::kTiled);
    stream.heap_operation(Pass::kRendered);
  }
  // The same, but gives the full chunks back to the heap, as after the fragment job of a pass.
  void end_pass_and_give_back(Assembler& stream) const {
    stream.finish_tiling().wait_all().heap_operation(Pass::kTiled);
    stream.move48(60, va_).load(52, 4, 60, kCompleted).wait_all().finish_fragment(52, 54);
    stream.move32(52, 0).move32(53, 0).move32(54, 0).move32(55, 0);
    stream.store(52, 4, 60, kCompleted).wait_all();
  }

  // The chunk in use.
  uint64_t chunk() { return memory_.quads()[(kDescriptor + kBase) / 8]; }
  // The chunks that are full: first and last of the list.
  uint64_t completed_top() { return memory_.quads()[kCompleted / 8]; }
  uint64_t completed_bottom() { return memory_.quads()[kCompleted / 8 + 1]; }

 private:
  static constexpr uint32_t kHeapAt = 24;
  static constexpr uint32_t kCompleted = 40;
  static constexpr uint32_t kDescriptor = 64;
  static constexpr uint32_t kBase = 8;
  static constexpr uint32_t kBottom = 16;
  static constexpr uint32_t kTop = 24;

  void clear() {
    for (uint64_t i = 0; i < kPage / 8; ++i) memory_.quads()[i] = 0;
  }

  Heap heap_;
  uint64_t va_;
  Bo memory_;
};

// What a job's fence says when its stream had a CS_FAULT and went on.
int status_of_fault(const Device& device) { return device.minor() >= 5 ? -EINVAL : 1; }

void rules_of_creation(const Device& device) {
  Bench bench(device);
  const auto expect = [&](const drm_panthor_tiler_heap_create& with) {
    drm_panthor_tiler_heap_create request = with;
    request.handle = 0xAA;
    request.tiler_heap_ctx_gpu_va = 0xBB;
    request.first_heap_chunk_gpu_va = 0xCC;
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &request, EINVAL);
    igt_assert_eq(request.handle, 0xAA);
    igt_assert_eq(request.tiler_heap_ctx_gpu_va, 0xBB);
    igt_assert_eq(request.first_heap_chunk_gpu_va, 0xCC);
  };
  const drm_panthor_tiler_heap_create good = heap_request(bench.vm(), {});
  auto bad = good;
  bad.vm_id = bench.vm().id() + 1;
  expect(bad);
  bad.vm_id = 0;
  expect(bad);
  bad = good;
  bad.initial_chunk_count = 0;
  expect(bad);
  bad.max_chunks = 0;
  expect(bad);
  bad = good;
  bad.initial_chunk_count = 3;
  bad.max_chunks = 2;
  expect(bad);
  for (const uint32_t size :
       {0U, 4096U, kChunk - 4096U, kChunk + 1U, kChunk + 2048U, kLargestChunk + 4096U, ~0U}) {
    bad = good;
    bad.chunk_size = size;
    expect(bad);
  }
}

void sizes_that_are_fine(const Device& device) {
  Bench bench(device);
  for (const uint32_t size : {kChunk, kChunk + 4096, 3 * kChunk, kLargestChunk}) {
    drm_panthor_tiler_heap_create request = heap_request(bench.vm(), {2, 2, 0});
    request.chunk_size = size;
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &request);
    const uint64_t first = load64(bench, request.first_heap_chunk_gpu_va);
    igt_assert_eq(first & 0xFFF, size >> 12);
    bench.store32(request.first_heap_chunk_gpu_va + size - 4, size);
    igt_assert_eq(bench.load32(request.first_heap_chunk_gpu_va + size - 4), size);
    igt_assert_eq(try_destroy(device, request.handle, 0), 0);
  }
}

void rules_of_destruction(const Device& opened) {
  const Device device = opened.open_again();
  Vm vm = Vm::create(device);
  const Vm other = Vm::create(device);
  igt_assert_eq(try_destroy(device, vm.id() << 16, 1), EINVAL);
  igt_assert_eq(try_destroy(device, vm.id() << 16, 0), ENOENT);
  igt_assert_eq(try_destroy(device, 0, 0), EINVAL);
  igt_assert_eq(try_destroy(device, 33 << 16, 0), EINVAL);
  // A creation that fails leaves the pool behind; so from now on the heap is what is missing.
  drm_panthor_tiler_heap_create bad = heap_request(vm, {0, 0, 0});
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &bad, EINVAL);
  igt_assert_eq(try_destroy(device, vm.id() << 16, 0), EINVAL);
  const Heap heap = create_heap(vm, {});
  igt_assert_eq(try_destroy(device, heap.handle, 1), EINVAL);
  igt_assert_eq(try_destroy(device, heap.handle + 1, 0), EINVAL);
  igt_assert_eq(try_destroy(device, heap.handle + kMaxHeaps, 0), EINVAL);
  igt_assert_eq(try_destroy(opened, heap.handle, 0), EINVAL);
  igt_assert_eq(try_destroy(device, other.id() << 16, 0), ENOENT);
  destroy_heap(device, heap);
  igt_assert_eq(try_destroy(device, heap.handle, 0), EINVAL);
  const Heap last = create_heap(vm, {});
  vm.destroy();
  igt_assert_eq(try_destroy(device, last.handle, 0), EINVAL);
}

void handles(const Device& opened) {
  const Device device = opened.open_again();
  const Vm first = Vm::create(device);
  const Vm second = Vm::create(device);
  std::vector<Heap> heaps;
  for (uint32_t i = 0; i < 4; ++i) {
    heaps.push_back(create_heap(first, {}));
    igt_assert_eq(heaps.back().handle, first.id() << 16 | i);
  }
  igt_assert_eq(create_heap(second, {}).handle, second.id() << 16);
  destroy_heap(device, heaps[1]);
  const Heap again = create_heap(first, {});
  igt_assert_eq(again.handle, heaps[1].handle);
  igt_assert_eq(again.context, heaps[1].context);
}

void at_most_128(const Device& device) {
  Bench bench(device);
  bench.store32(bench.result_va(0), 1);  // so that the group has its memory
  std::vector<Heap> heaps;
  for (uint32_t i = 0; i < kMaxHeaps; ++i) heaps.push_back(create_heap(bench.vm(), {}));
  drm_panthor_tiler_heap_create request = heap_request(bench.vm(), {});
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &request, EBUSY);
  igt_assert_eq(request.handle, 0);
  igt_assert_eq(request.tiler_heap_ctx_gpu_va, 0);
  // The chunk that it would have been, and is no more.
  igt_assert_lt(0, request.first_heap_chunk_gpu_va);
  bench.expect_load_fault(request.first_heap_chunk_gpu_va);
  destroy_heap(device, heaps[77]);
  igt_assert_eq(create_heap(bench.vm(), {}).handle, heaps[77].handle);
}

void layout_of_contexts(const Device& device) {
  Bench bench(device);
  const uint64_t line = uint64_t{1} << (device.info().l2_features & 0xFF);
  const uint64_t stride = (32 + line - 1) / line * line;
  Heap previous = create_heap(bench.vm(), {});
  igt_assert_lte(bench.vm().user_va_range(), previous.context);
  igt_assert_lte(bench.vm().user_va_range(), previous.first_chunk);
  for (uint32_t i = 0; i < 3; ++i) {
    const Heap next = create_heap(bench.vm(), {});
    igt_assert_eq(next.context, previous.context + stride);
    previous = next;
  }
  // Cleared for each heap that gets it.
  for (uint32_t offset = 0; offset < stride; offset += 4) {
    igt_assert_eq(bench.load32(previous.context + offset), 0);
    bench.store32(previous.context + offset, 0xABCD);
  }
  destroy_heap(device, previous);
  igt_assert_eq(create_heap(bench.vm(), {}).context, previous.context);
  for (uint32_t offset = 0; offset < stride; offset += 4)
    igt_assert_eq(bench.load32(previous.context + offset), 0);
}

void chain_of_chunks(const Device& device) {
  constexpr uint32_t kChunks = 6;
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {kChunks, kChunks, 1});
  igt_assert_eq(heap.first_chunk & 0xFFF, 0);
  std::set<uint64_t> chunks;
  uint64_t word = chunk_word(heap.first_chunk);
  while (word != 0) {
    igt_assert_eq(word & 0xFFF, kChunk >> 12);
    igt_assert(chunks.insert(chunk_of(word)).second);
    for (uint32_t offset = 8; offset < kHeader; offset += 4)
      igt_assert_eq(bench.load32(chunk_of(word) + offset), 0);
    word = load64(bench, chunk_of(word));
  }
  igt_assert_eq(static_cast<uint32_t>(chunks.size()), kChunks);
  uint64_t end = 0;
  for (const uint64_t chunk : chunks) {
    igt_assert_lte(end, chunk);
    end = chunk + kChunk;
    bench.store32(end - 4, 0xC0FFEE);
    igt_assert_eq(bench.load32(end - 4), 0xC0FFEE);
  }
}

void destroyed_is_unmapped(const Device& device) {
  Bench bench(device);
  const Heap kept = create_heap(bench.vm(), {});
  const Heap heap = create_heap(bench.vm(), {});
  bench.store32(heap.first_chunk, 1);
  destroy_heap(device, heap);
  bench.expect_load_fault(heap.first_chunk);
  bench.expect_store_fault(heap.first_chunk + kChunk - 4);
  igt_assert_eq(bench.load32(kept.first_chunk), 0);
  igt_assert_eq(bench.load32(heap.context), 0);  // the pool stays
}

// The initial chunks first, one after the other, and then new ones that the GPU can use.
void grows(const Device& device) {
  constexpr uint32_t kInitial = 3;
  constexpr uint32_t kGrown = 4;
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {kInitial, 64, 8});
  std::vector<uint64_t> chunks;
  for (uint64_t word = chunk_word(heap.first_chunk); word != 0;
       word = load64(bench, chunk_of(word))) {
    igt_assert_lt(chunks.size(), kInitial);
    chunks.push_back(chunk_of(word));
  }
  Scene scene(bench, kPlay, heap);
  // No draw needs more than one chunk, so none is missed.
  std::vector<uint64_t> used{scene.chunk()};
  for (uint32_t i = 0; i < 2 * (kInitial + kGrown) && used.size() < kInitial + kGrown; ++i) {
    bench.run_ok(scene.pass_with_draws(1));
    const uint64_t chunk = scene.chunk();
    if (chunk == used.back()) continue;
    igt_assert(std::ranges::find(used, chunk) == used.end());
    used.push_back(chunk);
    if (used.size() <= kInitial) continue;
    igt_assert_lte(bench.vm().user_va_range(), chunk);
    igt_assert(std::ranges::find(chunks, chunk) == chunks.end());
    // All of it is there, and empty.
    igt_assert_eq(load64(bench, chunk), 0);
    const uint64_t last = chunk + kChunk - 4;
    igt_assert_eq(bench.load32(last), 0);
    bench.store32(last, static_cast<uint32_t>(0xF00 + used.size()));
  }
  igt_assert_eq(used.size(), kInitial + kGrown);
  igt_assert(std::ranges::equal(chunks, std::span(used).first(kInitial)));
  for (size_t i = kInitial; i < used.size(); ++i)
    igt_assert_eq(bench.load32(used[i] + kChunk - 4), 0xF00 + i + 1);
  // What is full is listed, the newest first.
  uint64_t word = scene.completed_top();
  igt_assert_eq(scene.completed_bottom(), chunk_word(used[0]));
  for (size_t i = used.size() - 1; i != 0; --i) {
    igt_assert_eq(word, chunk_word(used[i - 1]));
    word = load64(bench, chunk_of(word));
  }
  igt_assert_eq(word, 0);
  igt_assert_eq(bench.group().state().state, 0);
}

// One job that needs many chunks.
void grows_within_a_job(const Device& device) {
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {1, 64, 8});
  Scene scene(bench, kPlay, heap);
  bench.run_ok(scene.pass_with_draws(12));
  uint32_t full = 0;
  for (uint64_t word = scene.completed_top(); word != 0; word = load64(bench, chunk_of(word)))
    igt_assert_lte(++full, 64u);
  igt_assert_lte(8, full);
}

void expect_out_of_memory(const Device& device, Bench& bench, const Assembler& stream) {
  igt_assert_eq(bench.run(stream), status_of_fault(device));
  igt_assert_eq(bench.group().state().state, 0);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
}

void ends_at_max_chunks(const Device& device) {
  constexpr uint32_t kMax = 3;
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {1, kMax, 8});
  Scene scene(bench, kPlay, heap);
  std::set<uint64_t> chunks{scene.chunk()};
  for (uint32_t i = 0; i < kMax - 1; ++i) {
    bench.run_ok(scene.pass_with_draws(1));
    chunks.insert(scene.chunk());
  }
  expect_out_of_memory(device, bench, scene.pass_with_draws(8));
  chunks.insert(scene.chunk());
  igt_assert_eq(static_cast<uint32_t>(chunks.size()), kMax);
  // The group goes on, with what it has.
  bench.store32(scene.chunk() + kHeader, 0xE0D);
  igt_assert_eq(bench.load32(scene.chunk() + kHeader), 0xE0D);
}

// Chunks that are given back are used again, so that a heap of two is enough for any number of
// passes.
void reuses_what_is_given_back(const Device& device) {
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {1, 2, 8});
  Scene scene(bench, kPlay, heap);
  std::set<uint64_t> chunks;
  for (uint32_t i = 0; i < 12; ++i) {
    Assembler stream;
    scene.select(stream);
    stream.heap_operation(Pass::kBegun);
    scene.draw(stream, 1);
    scene.end_pass_and_give_back(stream);
    bench.run_ok(stream.publish());
    chunks.insert(scene.chunk());
    igt_assert_eq(scene.completed_top(), 0);
  }
  igt_assert_eq(static_cast<uint32_t>(chunks.size()), 2);
}

// With too many passes in flight the heap does not grow, though it could.
void stops_at_the_target_in_flight(const Device& device) {
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {1, 64, 1});
  Scene scene(bench, kPlay, heap);
  bench.run_ok(scene.pass_with_draws(2));
  const uint64_t grown = scene.chunk();
  igt_assert(grown != heap.first_chunk);
  Assembler stream;
  scene.select(stream);
  stream.heap_operation(Pass::kBegun).heap_operation(Pass::kBegun);
  scene.draw(stream, 4);
  expect_out_of_memory(device, bench, stream.publish());
  igt_assert_eq(scene.chunk(), grown);
}

// The handler that a client has for it gets its chance.
void calls_the_handler(const Device& device) {
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {1, 1, 8});
  Scene scene(bench, kPlay, heap);
  bench.set_result(0, 0);
  const Stream handler =
      bench.place(Assembler().store_value(bench.result_va(0), 0x00BAD).publish());
  Assembler stream;
  stream.move48(74, handler.va).move32(76, handler.size).set_exception_handler(74, 76);
  scene.select(stream);
  stream.heap_operation(Pass::kBegun);
  scene.draw(stream, 2);
  Scene::end_pass(stream);
  igt_assert_eq(bench.run(stream.publish()), status_of_fault(device));
  igt_assert_eq(bench.result(0), 0x00BAD);
}

void wrong_context(const Device& device) {
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {1, 4, 8});
  const Heap gone = create_heap(bench.vm(), {1, 4, 8});
  destroy_heap(device, gone);
  Bo zeroes = Bo::create(device, kPage);
  bench.vm().map(zeroes, kPlay + kBlock);
  for (const uint64_t context : {kPlay + kBlock, gone.context}) {
    Scene scene(bench, kPlay, {0, context, heap.first_chunk});
    bench.expect_fatal(scene.pass_with_draws(4));
    for (uint32_t i = 0; i < 8; ++i) zeroes.words()[i] = 0;
  }
}

void wrong_counts(const Device& device) {
  Bench bench(device);
  const Heap heap = create_heap(bench.vm(), {1, 4, 8});
  Scene scene(bench, kPlay, heap);
  Assembler stream;  // no pass was begun
  scene.draw(stream, 2);
  bench.expect_fatal(stream.publish());
}

void no_pool_at_all(const Device& device) {
  Bench bench(device);
  Bo memory = Bo::create(device, kBlock);
  bench.vm().map(memory, kPlay + kBlock);
  // A context and a chunk of the client's own.
  Scene scene(bench, kPlay, {0, kPlay + kBlock, kPlay + kBlock + kChunk});
  bench.expect_fatal(scene.pass_with_draws(2));
}

// Two queues use one heap, each with a scene of its own.
void two_queues(const Device& device) {
  Bench bench(device, 0, kBenchVa, {2, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  const Heap heap = create_heap(bench.vm(), {1, 64, 64});
  const Heap other = create_heap(bench.vm(), {1, 64, 64});
  Scene first(bench, kPlay, heap);
  Scene second(bench, kPlay + kBlock, {heap.handle, heap.context, other.first_chunk});
  std::vector<Syncobj> done;
  for (uint32_t i = 0; i < 6; ++i) {
    for (uint32_t queue = 0; queue < 2; ++queue) {
      done.push_back(Syncobj::create(device));
      const Scene& scene = queue == 0 ? first : second;
      bench.group().submit(queue, bench.place(scene.pass_with_draws(2)),
                           Syncs().signal(done.back()));
    }
  }
  for (const Syncobj& each : done) igt_assert_eq(each.finish(kPatience), 1);
  igt_assert(first.chunk() != second.chunk());
  std::set<uint64_t> chunks;
  for (Scene* scene : {&first, &second})
    for (uint64_t word = scene->completed_top(); word != 0; word = load64(bench, chunk_of(word)))
      igt_assert_f(chunks.insert(chunk_of(word)).second, "a chunk is in both lists\n");
  igt_assert_lte(10, static_cast<uint32_t>(chunks.size()));
}

// A heap that goes while a stream draws: its group ends one way or another, and nobody else is
// hurt.
void destroyed_while_drawing(const Device& device) {
  Bench bench(device);
  Bench other(device);
  const Heap heap = create_heap(bench.vm(), {1, 1000, 1000});
  Scene scene(bench, kPlay, heap);
  Assembler stream;
  scene.select(stream);
  const size_t loop = stream.here();
  stream.heap_operation(Pass::kBegun);
  scene.draw(stream, 2);
  stream.heap_operation(Pass::kTiled).heap_operation(Pass::kRendered);
  stream.branch_back(Condition::kAlways, 0, loop);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, bench.place(stream), Syncs().signal(done));
  sleep_ns(20'000'000);
  destroy_heap(device, heap);
  const int status = done.finish(2 * kPatience);
  igt_assert_f(status < 0, "the loop ended with %d\n", status);
  bench.drop_group();
  other.store32(other.result_va(0), 5);
  igt_assert_eq(other.result(0), 5);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  bench.store32(bench.result_va(0), 6);
  igt_assert_eq(bench.result(0), 6);
}

// The kernel's part of a space is as large as the client leaves it: 256 MiB at least.
void no_room_in_the_space(const Device& device) {
  const Vm vm = Vm::create_with_range(device, device.full_va_range() - 256 * 1024 * 1024);
  drm_panthor_tiler_heap_create request = heap_request(vm, {33, 33, 1});
  request.chunk_size = kLargestChunk;
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &request, ENOSPC);
  // Nothing of it is left.
  request.initial_chunk_count = request.max_chunks = 24;
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &request);
}

constexpr Case kCases[] = {
    {"create-rules", "Arguments that are refused, and leave the outputs alone. [F1.1 F1.2 F1.3]",
     rules_of_creation},
    {"chunk-sizes", "From 128 KiB to 8 MiB in pages.", sizes_that_are_fine},
    {"destroy-rules", "Handles that name nothing, and how that is said. [F1.6]",
     rules_of_destruction},
    {"handles", "The VM's id and the lowest free number. [F1.5]", handles},
    {"at-most-128", "The next one is refused until another goes. [F1.4]", at_most_128},
    {"context-layout", "Contexts are cleared, a cache line apart, in the kernel's area. [F1.7]",
     layout_of_contexts},
    {"chunk-chain", "The GPU finds all initial chunks from the first. [F1.7]", chain_of_chunks},
    {"destroyed-is-unmapped", "The GPU faults where a chunk was.", destroyed_is_unmapped},
    {"grow", "A stream that runs out of memory gets chunks that the GPU can write. [F2.1]", grows},
    {"grow-within-a-job", "Many chunks for one job.", grows_within_a_job},
    {"max-chunks", "At its limit a heap is out of memory; the group goes on. [F2.2]",
     ends_at_max_chunks},
    {"give-back", "Chunks that are given back are used again.", reuses_what_is_given_back},
    {"target-in-flight", "Too many passes in flight: the heap does not grow.",
     stops_at_the_target_in_flight},
    {"exception-handler", "It is called before a stream is out of memory.", calls_the_handler},
    {"wrong-context", "Growth of a heap that does not exist ends the queue. [F2.3]", wrong_context},
    {"wrong-counts", "Growth outside of any pass ends the queue. [F2.3]", wrong_counts},
    {"no-pool", "Growth in a space without heaps ends the queue.", no_pool_at_all},
    {"two-queues", "Two queues share a heap; no chunk is given twice.", two_queues},
    {"destroy-while-drawing", "A heap goes under a stream; only its group ends.",
     destroyed_while_drawing},
    {"no-room", "ENOSPC where the kernel's area is full.", no_room_in_the_space},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
