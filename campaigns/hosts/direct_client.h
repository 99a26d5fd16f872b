// SPDX-License-Identifier: MIT
//
// A client in the process of the campaign, with the calls that campaigns make. What must not fail
// ends the process with a message when it does: then it is the campaign that is wrong. Pages of
// buffers are reached through their frames, as a client's mapping would.
#pragma once

#include <drm/panthor_drm.h>

#include <cstdint>
#include <vector>

#include "uapi/machine/local_client.h"

namespace pantry::campaigns {

class DirectClient {
 public:
  explicit DirectClient(uapi::Machine& machine)
      : client_(machine, driver::NodeType::kRender, {.pid = 1}) {}

  driver::File& file() { return client_.session().file(); }
  // For calls that are not here.
  uapi::LocalClient& raw() { return client_; }
  // An ioctl that must not fail.
  void must(std::uint32_t command, void* argument);

  std::uint32_t create_vm();
  // A handle; `exclusive_vm` 0: shared.
  std::uint32_t create_buffer(std::uint64_t size, std::uint32_t exclusive_vm);
  std::uint32_t create_group(std::uint32_t vm);
  std::uint32_t create_syncobj();
  void close_buffer(std::uint32_t handle);
  void destroy_vm(std::uint32_t vm);
  void destroy_group(std::uint32_t group);
  void destroy_syncobj(std::uint32_t syncobj);

  // 0 or a negated errno.
  int bind(std::uint32_t vm, std::uint32_t flags, std::vector<drm_panthor_vm_bind_op>& ops);
  // Submits a stream of `bytes` at `va` to queue 0; `done` signals when it has ended. 0, or a
  // negated errno.
  int submit(std::uint32_t group, std::uint64_t va, std::uint32_t bytes, std::uint32_t done);
  // Runs such a stream to its end. 1, or a negated errno: its fence's.
  int run(std::uint32_t group, std::uint64_t va, std::uint32_t bytes);
  // Waits until what a syncobj holds has signalled. 1, or a negated errno.
  int finish(std::uint32_t syncobj);

  void write(std::uint32_t buffer, std::uint64_t offset, const void* from, std::uint64_t bytes);
  std::uint32_t word(std::uint32_t buffer, std::uint64_t offset);

  static drm_panthor_vm_bind_op map(std::uint32_t buffer, std::uint64_t offset, std::uint64_t va,
                                    std::uint64_t size);
  static drm_panthor_vm_bind_op unmap(std::uint64_t va, std::uint64_t size);

 private:
  uapi::LocalClient client_;
};

}  // namespace pantry::campaigns
