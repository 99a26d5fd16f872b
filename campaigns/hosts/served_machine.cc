// SPDX-License-Identifier: MIT
#include "campaigns/hosts/served_machine.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "campaigns/hosts/wait_until.h"
#include "uapi/server/device_tree.h"

namespace pantry::campaigns {

std::unique_ptr<ServedMachine> ServedMachine::create(const char* campaign,
                                                     uapi::ServerObserver& observer) {
  const auto failed = [&](const char* what, Errno error) {
    fmt::print(stderr, "{}: {}: {}\n", campaign, what, name_of(error));
    return nullptr;
  };
  auto directory = tools::PrivateDirectory::create();
  if (!directory) return failed("no private directory", directory.error());
  std::unique_ptr<ServedMachine> made(new ServedMachine(*std::move(directory)));
  auto machine = uapi::Machine::create(made->executor_, {});
  if (!machine) return failed("the machine cannot be brought up", machine.error());
  made->machine_ = *std::move(machine);
  const std::string& path = made->directory_.path();
  if (auto tree = uapi::make_device_tree(path + "/root", made->machine_->features()); !tree)
    return failed("no device files", tree.error());
  auto server = uapi::Server::create(*made->machine_, path, &observer);
  if (!server) return failed("the server cannot listen", server.error());
  made->server_ = *std::move(server);
  made->serving_ = std::make_unique<tools::ServerThread>(made->executor_, *made->server_);
  // Once it answers, all its threads are there, for who takes stock then.
  {
    const auto first = uapi::connect_to(uapi::path_of(path, wire::Socket::kChannel));
    wire::Hello hello{};
    if (!first || ::recv(first->get(), &hello, sizeof hello, 0) != sizeof hello)
      return failed("the server does not answer", Errno::kNoDev);
  }
  if (!wait_until(made->executor_.clock(), seconds(30), milliseconds(1),
                  [&] { return made->server_->connections() == 0; }))
    return failed("the server does not let go of a client", Errno::kBusy);
  return made;
}

tools::ClientProgram ServedMachine::client(const char* name) const {
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  return {{(here / name).string()}, tools::default_shim_path(), directory_.path()};
}

}  // namespace pantry::campaigns
