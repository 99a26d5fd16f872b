// SPDX-License-Identifier: MIT

#include "igt_tests/gles/context.h"

#include <EGL/eglext.h>

#include <cstdlib>
#include <cstring>

#include "igt_tests/lib/clock.h"

namespace gles {
namespace {

// What a skip is where nothing promises a driver.
void require_mali(bool there, const char* what) {
  if (there) return;
  igt_assert_f(getenv("__EGL_VENDOR_LIBRARY_FILENAMES") == nullptr,
               "%s, though the environment names an EGL driver\n", what);
  igt_skip(
      "%s; scripts/mesa builds a driver, and __EGL_VENDOR_LIBRARY_FILENAMES names it to libEGL\n",
      what);
}

}  // namespace

Display::Display() {
  display_ = eglGetPlatformDisplay(EGL_PLATFORM_SURFACELESS_MESA, nullptr, nullptr);
  require_mali(display_ != EGL_NO_DISPLAY, "no EGL driver knows displays without a surface");
  require_mali(eglInitialize(display_, nullptr, nullptr), "no EGL driver initializes");
  bool is_mali = false;
  {
    const Context context(*this);
    const auto* renderer = reinterpret_cast<const char*>(glGetString(GL_RENDERER));
    is_mali = renderer != nullptr && strstr(renderer, "Mali") != nullptr;
    igt_info("%s\n", renderer == nullptr ? "no renderer" : renderer);
  }
  if (!is_mali) eglTerminate(display_);
  require_mali(is_mali, "no EGL driver found a Mali GPU");
}

Display::~Display() { eglTerminate(display_); }

Context::Context(const Display& display) : display_(display.get()) {
  igt_assert(eglBindAPI(EGL_OPENGL_ES_API));
  constexpr EGLint kVersion[] = {EGL_CONTEXT_MAJOR_VERSION, 3, EGL_NONE};
  context_ = eglCreateContext(display_, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, kVersion);
  igt_assert_f(context_ != EGL_NO_CONTEXT, "eglCreateContext: %#x\n", eglGetError());
  make_current();
}

Context::~Context() {
  eglMakeCurrent(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
  eglDestroyContext(display_, context_);
}

void Context::make_current() const {
  igt_assert(eglMakeCurrent(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, context_));
}

Target::Target(GLsizei width, GLsizei height) {
  glGenTextures(1, &texture_);
  glBindTexture(GL_TEXTURE_2D, texture_);
  glTexStorage2D(GL_TEXTURE_2D, 1, GL_RGBA8, width, height);
  glGenFramebuffers(1, &framebuffer_);
  glBindFramebuffer(GL_FRAMEBUFFER, framebuffer_);
  glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture_, 0);
  glViewport(0, 0, width, height);
  gl_assert_no_error();
  igt_assert_eq(glCheckFramebufferStatus(GL_FRAMEBUFFER), GLenum{GL_FRAMEBUFFER_COMPLETE});
}

Target::~Target() {
  glDeleteFramebuffers(1, &framebuffer_);
  glDeleteTextures(1, &texture_);
}

void finish() {
  const GLsync sync = glFenceSync(GL_SYNC_GPU_COMMANDS_COMPLETE, 0);
  igt_assert(sync != nullptr);
  const GLenum result = glClientWaitSync(sync, GL_SYNC_FLUSH_COMMANDS_BIT, gpu::kPatience);
  glDeleteSync(sync);
  igt_assert_f(result == GL_CONDITION_SATISFIED || result == GL_ALREADY_SIGNALED,
               "glClientWaitSync: %#x\n", result);
}

}  // namespace gles
