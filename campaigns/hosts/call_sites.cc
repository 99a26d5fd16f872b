// SPDX-License-Identifier: MIT
#include "campaigns/hosts/call_sites.h"

#include <fmt/core.h>
#include <link.h>
#include <stdio.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>
#include <string_view>

namespace pantry::campaigns {
namespace {

struct Image {
  std::uintptr_t bias = 0;
  std::uintptr_t end = 0;
};

// Of the program itself: the first that the loader names.
Image own_image() {
  Image image;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* to) {
        auto& own = *static_cast<Image*>(to);
        own.bias = info->dlpi_addr;
        for (const ElfW(Phdr) & header : std::span(info->dlpi_phdr, info->dlpi_phnum))
          if (header.p_type == PT_LOAD)
            own.end = std::max(own.end, info->dlpi_addr + header.p_vaddr + header.p_memsz);
        return 1;
      },
      &image);
  return image;
}

// "/any/where/driver/vm/vm.cc:12 (discriminator 3)" -> "driver/vm/vm.cc:12"; nothing for lines that
// only pass an allocation on.
std::string own_line(std::string_view line) {
  std::size_t start = std::string_view::npos;
  for (const std::string_view room : {"driver/", "uapi/"}) {
    for (std::size_t at = line.find(room); at != std::string_view::npos;
         at = line.find(room, at + 1)) {
      if (at == 0 || line[at - 1] == '/') start = std::min(start, at);
    }
  }
  if (start == std::string_view::npos) return {};
  line.remove_prefix(start);
  for (const std::string_view passes :
       {"driver/heap_faults/", "driver/kernel/call_stack.cc", "driver/memory/allocation_faults.h"})
    if (line.starts_with(passes)) return {};
  return std::string(line.substr(0, line.find(' ')));
}

std::vector<std::uintptr_t> own_frames(const driver::CallStack& stack, const Image& image) {
  std::vector<std::uintptr_t> frames;
  for (void* const frame : stack.frames()) {
    const auto address = reinterpret_cast<std::uintptr_t>(frame);
    // The call itself, not what comes after it.
    if (address >= image.bias && address < image.end) frames.push_back(address - image.bias - 1);
  }
  return frames;
}

// For each address the first line that is ours, inlined functions first.
std::map<std::uintptr_t, std::string> lines_of(const std::set<std::uintptr_t>& addresses) {
  std::map<std::uintptr_t, std::string> lines;
  std::string command = fmt::format("addr2line -a -i -e '{}'",
                                    std::filesystem::read_symlink("/proc/self/exe").string());
  for (const std::uintptr_t address : addresses) command += fmt::format(" {:#x}", address);
  FILE* const output = ::popen(command.c_str(), "r");
  if (!output) return lines;
  std::uintptr_t address = 0;
  char text[4096];
  while (::fgets(text, sizeof text, output)) {
    const std::string_view line(text, std::string_view(text).find_last_not_of('\n') + 1);
    if (line.starts_with("0x"))
      address = std::stoull(std::string(line), nullptr, 16);
    else if (std::string& known = lines[address]; known.empty())
      known = own_line(line);
  }
  ::pclose(output);
  return lines;
}

}  // namespace

std::map<std::string, std::uint64_t> CallSites::count() const {
  const Image image = own_image();
  std::set<std::uintptr_t> addresses;
  for (const driver::CallStack& stack : stacks_)
    for (const std::uintptr_t frame : own_frames(stack, image)) addresses.insert(frame);
  std::map<std::string, std::uint64_t> counts;
  if (stacks_.empty()) return counts;
  const auto lines = lines_of(addresses);
  for (const driver::CallStack& stack : stacks_) {
    std::string site = "?";
    for (const std::uintptr_t frame : own_frames(stack, image)) {
      const auto line = lines.find(frame);
      if (line == lines.end() || line->second.empty()) continue;
      site = line->second;
      break;
    }
    ++counts[site];
  }
  return counts;
}

std::string CallSites::name(const driver::CallStack& stack) {
  CallSites one;
  one.add(stack);
  return one.count().begin()->first;
}

}  // namespace pantry::campaigns
