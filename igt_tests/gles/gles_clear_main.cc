// SPDX-License-Identifier: MIT

#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "igt_tests/gles/context.h"

IGT_TEST_DESCRIPTION("OpenGL ES: contexts, clears, and the many unmaps when they end.");

using namespace gles;

namespace {

void contexts(const Display& display) {
  for (int round = 0; round < 5; ++round) {
    const Context context(display);
    igt_assert(strstr(reinterpret_cast<const char*>(glGetString(GL_VERSION)), "OpenGL ES 3"));
    gl_assert_no_error();
  }
}

void contexts_at_once(const Display& display) {
  std::vector<std::unique_ptr<Context>> contexts;
  for (int i = 0; i < 6; ++i) contexts.push_back(std::make_unique<Context>(display));
  for (const auto& context : contexts) {
    context->make_current();
    const Target target(64, 64);
    glClear(GL_COLOR_BUFFER_BIT);
    finish();
    gl_assert_no_error();
  }
  while (!contexts.empty()) contexts.pop_back();
}

// What is in the pixels is up to a GPU that runs shaders; here it is that the clear completes.
void clear(const Display& display) {
  const Context context(display);
  const Target target(256, 256);
  glClearColor(0.25F, 0.5F, 0.75F, 1);
  glClear(GL_COLOR_BUFFER_BIT);
  finish();
  gl_assert_no_error();
}

void clear_many_frames(const Display& display) {
  const Context context(display);
  const Target target(256, 256);
  for (int frame = 0; frame < 100; ++frame) {
    glClearColor(static_cast<float>(frame) / 100, 0, 0, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    glFlush();
  }
  finish();
  gl_assert_no_error();
}

void read_pixels(const Display& display) {
  const Context context(display);
  const Target target(64, 64);
  glClear(GL_COLOR_BUFFER_BIT);
  std::vector<uint32_t> pixels(size_t{64} * 64);
  glReadPixels(0, 0, 64, 64, GL_RGBA, GL_UNSIGNED_BYTE, pixels.data());
  gl_assert_no_error();
}

// Buffers come and go while the GPU works: each end of one is an asynchronous unmap.
void buffers_come_and_go(const Display& display) {
  const Context context(display);
  const Target target(128, 128);
  std::vector<uint32_t> data(size_t{32} * 1024);
  for (uint32_t round = 0; round < 100; ++round) {
    GLuint buffer = 0;
    glGenBuffers(1, &buffer);
    glBindBuffer(GL_ARRAY_BUFFER, buffer);
    for (uint32_t i = 0; i < data.size(); ++i) data[i] = round * 0x01000193 + i;
    glBufferData(GL_ARRAY_BUFFER, static_cast<GLsizeiptr>(data.size() * 4), data.data(),
                 GL_STATIC_DRAW);
    glClear(GL_COLOR_BUFFER_BIT);
    glFlush();
    const void* mapped = glMapBufferRange(
        GL_ARRAY_BUFFER, 0, static_cast<GLsizeiptr>(data.size() * 4), GL_MAP_READ_BIT);
    igt_assert(mapped != nullptr);
    igt_assert_eq(memcmp(mapped, data.data(), data.size() * 4), 0);
    glUnmapBuffer(GL_ARRAY_BUFFER);
    glDeleteBuffers(1, &buffer);
  }
  finish();
  gl_assert_no_error();
}

void textures_come_and_go(const Display& display) {
  const Context context(display);
  for (int round = 0; round < 60; ++round) {
    const Target target(64 << round % 4, 64);
    glClear(GL_COLOR_BUFFER_BIT);
  }
  finish();
  gl_assert_no_error();
}

// A context ends with its work still in flight.
void teardown_in_flight(const Display& display) {
  for (int round = 0; round < 10; ++round) {
    const Context context(display);
    const Target target(512, 512);
    for (int frame = 0; frame < 5; ++frame) {
      glClear(GL_COLOR_BUFFER_BIT);
      glFlush();
    }
  }
}

struct Case {
  const char* name;
  const char* purpose;
  void (*body)(const Display& display);
};

constexpr Case kCases[] = {
    {"contexts", "Contexts come and go.", contexts},
    {"contexts-at-once", "Six contexts in one address space.", contexts_at_once},
    {"clear", "A clear completes.", clear},
    {"clear-many-frames", "100 frames.", clear_many_frames},
    {"read-pixels", "A read of what was cleared waits for the clear.", read_pixels},
    {"buffers-come-and-go", "100 buffers are filled, read back and freed between clears.",
     buffers_come_and_go},
    {"textures-come-and-go", "60 render targets, freed while they are cleared.",
     textures_come_and_go},
    {"teardown-in-flight", "Contexts end before their work has.", teardown_in_flight},
};

}  // namespace

igt_main {
  std::optional<Display> display;
  igt_subtest_group {
    igt_fixture { display.emplace(); };
    for (const Case& each : kCases) {
      igt_describe(each.purpose);
      igt_subtest(each.name) { each.body(*display); };
    }
    igt_fixture { display.reset(); };
  };
}
