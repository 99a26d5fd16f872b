// SPDX-License-Identifier: MIT
//
// An OpenGL ES client without a window system: a surfaceless EGL display of the Mali GPU and one
// context, current on the calling thread. Knows nothing of the kernel driver below. Without a Mali
// driver the test is skipped; but where the environment names one
// (__EGL_VENDOR_LIBRARY_FILENAMES), its absence fails the test.
#pragma once

#include <EGL/egl.h>
#include <GLES3/gl3.h>

#include "igt_tests/harness/igt.h"

// Fails the test with the error that GL has noted.
#define gl_assert_no_error() igt_assert_eq(glGetError(), GLenum{GL_NO_ERROR})

namespace gles {

// One display serves the process: EGL gives out the same one again, and terminates it for all.
class Display {
 public:
  Display();
  ~Display();
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

  EGLDisplay get() const { return display_; }

 private:
  EGLDisplay display_ = EGL_NO_DISPLAY;
};

// A context of OpenGL ES 3. The destructor releases and destroys it, and with it all GL objects.
class Context {
 public:
  explicit Context(const Display& display);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void make_current() const;

 private:
  EGLDisplay display_;
  EGLContext context_ = EGL_NO_CONTEXT;
};

// A framebuffer with one colour texture; bound.
class Target {
 public:
  Target(GLsizei width, GLsizei height);
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

 private:
  GLuint texture_ = 0;
  GLuint framebuffer_ = 0;
};

// Waits, for gpu::kPatience at most, until the GPU has done all that was asked of it so far.
void finish();

}  // namespace gles
