// SPDX-License-Identifier: MIT
#include "campaigns/attempts/scene.h"

#include <fmt/core.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <array>
#include <filesystem>

#include "base/check.h"
#include "tools/server_thread.h"

namespace pantry::redteam {
namespace {

std::string new_directory() {
  std::string path = "/tmp/pantry-redteam-XXXXXX";
  PANTRY_CHECK(::mkdtemp(path.data()));
  return path;
}

uapi::MachineConfig small_machine() {
  using driver::Resource;
  uapi::MachineConfig config;
  config.dram_bytes = 64 * kMiB;
  config.limits[Resource::kMemory] = 16 * kMiB;
  config.limits[Resource::kHandles] = 64;
  config.limits[Resource::kSyncobjs] = 64;
  config.limits[Resource::kVms] = 20;
  config.limits[Resource::kGroups] = 20;
  config.limits[Resource::kFences] = 64;
  config.limits[Resource::kJobs] = 64;
  config.limits[Resource::kDescriptors] = 128;
  return config;
}

std::string contents_of(driver::Buffer& buffer) {
  std::uint64_t hash = 14695981039346656037u;
  std::array<std::byte, kPageSize> page;
  for (std::uint64_t at = 0; at < buffer.size(); at += page.size()) {
    PANTRY_CHECK(buffer.read(at, page.data(), page.size()));
    for (const std::byte byte : page)
      hash = (hash ^ static_cast<std::uint64_t>(byte)) * 1099511628211u;
  }
  return fmt::format("{}/{:x}/{}", buffer.size(), hash, buffer.label().value_or("-"));
}

std::string of_client(uapi::LocalClient& client) {
  constexpr std::uint32_t kMost = 8;
  driver::File& file = client.session().file();
  std::string text =
      fmt::format("master {} name {}\n", file.is_master(), file.name().value_or("-"));
  for (std::uint32_t i = 1; i <= kMost; ++i) {
    if (const auto buffer = file.buffer(i))
      text += fmt::format("buffer {} {}\n", i, contents_of(*buffer));
    if (const auto group = file.group(i)) text += fmt::format("group {}\n", i);
    if (const auto syncobj = file.syncobj(i)) {
      const auto fence = syncobj->fence();
      text += fmt::format("syncobj {} {} {}\n", i, fence ? fence->status() : -1,
                          syncobj->query(driver::Syncobj::Query::kLastSubmitted));
    }
  }
  file.for_each_vm([&](std::uint32_t id, const driver::Vm& vm) {
    text += fmt::format("vm {}{}\n", id, vm.unusable() ? " unusable" : "");
    for_each_mapping(vm, [&](const driver::Vm::MappingView& mapping) {
      text += fmt::format("  {:#x}-{:#x} of {} at {:#x} {}\n", mapping.range.first.value,
                          mapping.range.last.value, static_cast<const void*>(mapping.buffer),
                          mapping.buffer_offset, static_cast<int>(mapping.prot));
    });
  });
  for (const driver::ResourceInfo& info : driver::kResourceInfo)
    text += fmt::format("{} {}\n", info.name, file.account().held(info.resource));
  return text;
}

}  // namespace

class Scene::Serving {
 public:
  Serving(driver::Executor& executor, uapi::Server& server) : thread_(executor, server) {}

 private:
  tools::ServerThread thread_;
};

Scene::Scene() : directory_(new_directory()) {
  machine_ = *uapi::Machine::create(executor_, small_machine());
  server_ = *uapi::Server::create(*machine_, directory_, nullptr);
  serving_ = std::make_unique<Serving>(executor_, *server_);
  const driver::Credentials user{.pid = 1, .uid = 1000};
  victim_ = std::make_unique<uapi::LocalClient>(*machine_, driver::NodeType::kRender, user);
  attacker_ = std::make_unique<uapi::LocalClient>(*machine_, driver::NodeType::kRender, user);
  furnish(*victim_);
  furnish(*attacker_);
  std::uint32_t handle = 0;
  PANTRY_CHECK(create_vm(*victim_) == 0 && create_group(*victim_, 1) == 0 &&
               create_group(*victim_, 2) == 0);
  for (int i = 0; i < 2; ++i) PANTRY_CHECK(create_buffer(*victim_, kBytes, 0, 0, handle) == 0);
  PANTRY_CHECK(create_syncobj(*victim_, DRM_SYNCOBJ_CREATE_SIGNALED) == 0 &&
               create_syncobj(*victim_, 0) == 0);
  for (handle = 1; handle <= 3; ++handle)
    for (std::uint64_t at = 0; at < kBytes; at += sizeof kSecret)
      PANTRY_CHECK(victim_->session().file().buffer(handle)->write(at, &kSecret, sizeof kSecret));
}

Scene::~Scene() {
  attacker_.reset();
  victim_.reset();
  serving_.reset();
  server_.reset();
  machine_.reset();
  std::filesystem::remove_all(directory_);
}

void Scene::furnish(uapi::LocalClient& client) {
  std::uint32_t handle = 0;
  PANTRY_CHECK(create_vm(client) == 0 && create_buffer(client, kBytes, 0, 0, handle) == 0 &&
               bind(client, 1, map_op(1, 0, kVa, kBytes)) == 0 && create_syncobj(client, 0) == 0);
}

std::string Scene::fingerprint() {
  const auto baseline = machine_->baseline();
  return fmt::format("frames {} pages {} groups {} buffers {}\n", baseline.used_frames,
                     baseline.lent_pages, baseline.groups, baseline.buffers) +
         "victim\n" + of_client(*victim_) + "attacker\n" + of_client(*attacker_);
}

int create_vm(uapi::LocalClient& client) {
  drm_panthor_vm_create args{};
  return client.call(DRM_IOCTL_PANTHOR_VM_CREATE, args);
}

int create_buffer(uapi::LocalClient& client, std::uint64_t size, std::uint32_t flags,
                  std::uint32_t exclusive_vm, std::uint32_t& handle) {
  drm_panthor_bo_create args{};
  args.size = size;
  args.flags = flags;
  args.exclusive_vm_id = exclusive_vm;
  const int result = client.call(DRM_IOCTL_PANTHOR_BO_CREATE, args);
  handle = args.handle;
  return result;
}

int close_buffer(uapi::LocalClient& client, std::uint32_t handle) {
  drm_gem_close args{handle, 0};
  return client.call(DRM_IOCTL_GEM_CLOSE, args);
}

int create_group(uapi::LocalClient& client, std::uint32_t vm) {
  drm_panthor_queue_create queue{0, {}, 4096};
  drm_panthor_group_create args{};
  args.queues = {sizeof queue, 1, reinterpret_cast<std::uint64_t>(&queue)};
  args.vm_id = vm;
  return client.call(DRM_IOCTL_PANTHOR_GROUP_CREATE, args);
}

int create_syncobj(uapi::LocalClient& client, std::uint32_t flags) {
  drm_syncobj_create args{0, flags};
  return client.call(DRM_IOCTL_SYNCOBJ_CREATE, args);
}

drm_panthor_vm_bind_op map_op(std::uint32_t handle, std::uint64_t offset, std::uint64_t va,
                              std::uint64_t size) {
  drm_panthor_vm_bind_op op{};
  op.bo_handle = handle;
  op.bo_offset = offset;
  op.va = va;
  op.size = size;
  return op;
}

int bind(uapi::LocalClient& client, std::uint32_t vm, drm_panthor_vm_bind_op op,
         std::uint32_t flags) {
  drm_panthor_vm_bind args{};
  args.vm_id = vm;
  args.flags = flags;
  args.ops = {sizeof op, 1, reinterpret_cast<std::uint64_t>(&op)};
  return client.call(DRM_IOCTL_PANTHOR_VM_BIND, args);
}

int submit(uapi::LocalClient& client, std::uint32_t group, std::uint32_t syncobj) {
  drm_panthor_sync_op sync{static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), syncobj, 0};
  drm_panthor_queue_submit job{};
  job.syncs = {sizeof sync, 1, reinterpret_cast<std::uint64_t>(&sync)};
  drm_panthor_group_submit args{};
  args.group_handle = group;
  args.queue_submits = {sizeof job, 1, reinterpret_cast<std::uint64_t>(&job)};
  return client.call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
}

std::uint64_t mmap_offset(uapi::LocalClient& client, std::uint32_t handle) {
  drm_panthor_bo_mmap_offset args{handle, 0, 0};
  PANTRY_CHECK(client.call(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, args) == 0);
  return args.offset;
}

int mmap(uapi::LocalClient& client, std::uint64_t offset, std::uint64_t length, int protection) {
  const auto target = client.mmap(offset, length, protection);
  return target ? 0 : negated(target.error());
}

}  // namespace pantry::redteam
