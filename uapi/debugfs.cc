// SPDX-License-Identifier: MIT
#include "uapi/debugfs.h"

#include <fmt/core.h>

#include <iterator>
#include <string_view>

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

}  // namespace

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
