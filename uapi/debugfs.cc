// SPDX-License-Identifier: MIT
#include "uapi/debugfs.h"

#include <fmt/core.h>

#include <iterator>
#include <set>
#include <string_view>

#include "driver/device/file.h"

namespace pantry::uapi {
namespace {

constexpr std::string_view kHeading =
    " VAs | start              | range              | end                | object             | "
    "object offset\n";

class Rows final : public driver::Vm::MappingVisitor {
 public:
  explicit Rows(std::string& text) : text_(text) {}
  void visit(const driver::Vm::MappingView& mapping) override {
    const std::uint64_t start = mapping.range.first.value;
    const std::uint64_t bytes = mapping.range.size();
    fmt::format_to(std::back_inserter(text_),
                   "     | {:#018x} | {:#018x} | {:#018x} | {:#018x} | {:#018x}\n", start, bytes,
                   start + bytes, mapping.buffer->mmap_offset(), mapping.buffer_offset);
  }

 private:
  std::string& text_;
};

// Bits of the columns of gems.
constexpr std::uint32_t kExported = 1u << 1;  // bit 0, imported: from another device, so never
constexpr std::uint32_t kKernel = 1u << 0;
constexpr std::uint32_t kFirmwareMapped = 1u << 1;

// The columns, but for the label, which is as long as it is.
constexpr std::string_view kGemRow = "{:<32}{:<16}{:<16}{:<16}{:<16}{:<18}{:<11}{:<12}";
constexpr std::size_t kGemWidth = 142;

// What is mapped in the firmware's VM.
class MappedBuffers final : public driver::Vm::MappingVisitor {
 public:
  void visit(const driver::Vm::MappingView& mapping) override { found_.insert(mapping.buffer); }
  bool contains(const driver::Buffer& buffer) const { return found_.contains(&buffer); }

 private:
  std::set<const driver::Buffer*> found_;
};

// As Linux counts them: all handles are one. One of the references is the report's.
std::uint32_t references_of(const driver::Buffer& buffer, std::uint32_t handles) {
  const auto others = static_cast<std::uint32_t>(buffer.references()) - 1;
  const std::uint32_t more = handles > 1 ? handles - 1 : 0;
  return others > more ? others - more : 0;  // either may have changed meanwhile
}

void put_gem(std::string& text, const driver::Buffer& buffer, const driver::BufferNames& names,
             std::uint32_t usage) {
  const driver::Account* const creator = buffer.creator();
  fmt::format_to(
      std::back_inserter(text), kGemRow,
      creator ? fmt::format("{:.15}/{}", creator->program(), creator->pid())
              : std::string("panthor/0"),
      names.known_name_of(buffer), references_of(buffer, names.handles_of(buffer)), buffer.size(),
      buffer.size(), fmt::format("{:#x}", buffer.mmap_offset() / kPageSize),
      fmt::format("{:#x}", buffer.exported() ? kExported : 0), fmt::format("{:#x}", usage));
  text += buffer.label().value_or("");
  text += '\n';
}

}  // namespace

std::string debugfs_gems(driver::Device& device) {
  MappedBuffers firmware;
  for (const Ref<driver::Vm>& vm : device.vms())
    if (vm->is_mcu()) vm->for_each_mapping(firmware);
  std::string text =
      "GEM state flags: imported (0x1), exported (0x2)\n"
      "GEM usage flags: kernel (0x1), fw-mapped (0x2)\n\n";
  fmt::format_to(std::back_inserter(text), kGemRow, "created-by", "global-name", "refcount", "size",
                 "resident-size", "file-offset", "state", "usage");
  text += "label\n";
  text.append(kGemWidth, '-');
  text += '\n';
  std::uint64_t bytes = 0;
  for (const Ref<driver::Buffer>& buffer : device.buffers().all()) {
    std::uint32_t usage = buffer->is_kernel() ? kKernel : 0;
    if (firmware.contains(*buffer)) usage |= kFirmwareMapped;
    put_gem(text, *buffer, device.buffer_names(), usage);
    bytes += buffer->size();
  }
  text.append(kGemWidth, '=');
  fmt::format_to(std::back_inserter(text),
                 "\nTotal size: {0}, Total resident: {0}, Total reclaimable: 0\n", bytes);
  return text;
}

std::string debugfs_clients(driver::Device& device) {
  std::string text;
  fmt::format_to(std::back_inserter(text), "{:>20} {:>5} {:>3} master a {:>5} {:>10}\n", "command",
                 "tgid", "dev", "uid", "magic");
  constexpr int kFirstRenderMinor = 128;
  for (const driver::File::View& file : driver::File::all_of(device))
    fmt::format_to(std::back_inserter(text), "{:>20} {:>5} {:>3}   {}    {} {:>5} {:>10}\n",
                   file.program.empty() ? "<unknown>" : file.program.c_str(), file.credentials.pid,
                   file.node == driver::NodeType::kRender ? kFirstRenderMinor : 0,
                   file.is_master ? 'y' : 'n', file.is_authenticated ? 'y' : 'n',
                   file.credentials.uid, file.magic);
  return text;
}

std::string debugfs_gem_names(driver::Device& device) {
  std::string text;
  fmt::format_to(std::back_inserter(text), "{:>6} {:>8} {:>7} {:>8}\n", "name", "size", "handles",
                 "refcount");
  for (const driver::BufferNames::Named& each : device.buffer_names().all())
    fmt::format_to(std::back_inserter(text), "{:>6} {:>8} {:>7} {:>8}\n", each.name,
                   each.buffer->size(), each.handles, references_of(*each.buffer, each.handles));
  return text;
}

std::string debugfs_gpuvas(driver::Device& device) {
  std::string text;
  for (const Ref<driver::Vm>& vm : device.vms()) {
    const GpuRange whole = vm->whole();
    fmt::format_to(std::back_inserter(text), "DRM GPU VA space ({}) [{:#018x};{:#018x}]\n",
                   vm->is_mcu() ? "panthor-MCU-VM" : "panthor-GPU-VM", whole.first.value,
                   whole.last.value + 1);
    // Panthor keeps its area by other means than the DRM core's.
    fmt::format_to(std::back_inserter(text), "Kernel reserved node [{0:#018x};{0:#018x}]\n\n", 0);
    text += kHeading;
    text.append(109, '-');
    text += '\n';
    Rows rows(text);
    vm->for_each_mapping(rows);
    text += '\n';
  }
  return text;
}

}  // namespace pantry::uapi
