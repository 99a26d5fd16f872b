// SPDX-License-Identifier: MIT
#include "tools/vm_description.h"

#include <fmt/core.h>

#include <iterator>

namespace pantry::tools {
namespace {

using driver::BindMode;
using driver::BindRecord;
using driver::BindStatistics;
using driver::BindType;
using driver::Prot;
using driver::Vm;

double microseconds_of(Duration duration) { return static_cast<double>(duration.ns) / 1e3; }

std::string text_of(const GpuRange& range) {
  return fmt::format("{:#014x}..{:#014x}", range.first.value, range.last.value);
}

// What a client calls its buffer, as far as a terminal can show it.
std::string label_of(const driver::Buffer* buffer) {
  const std::optional<std::string> label = buffer ? buffer->label() : std::nullopt;
  if (!label) return {};
  std::string text = " \"";
  for (const char c : *label) text += c >= ' ' && c <= '~' ? c : '?';
  return text + '"';
}

class Mappings final : public Vm::MappingVisitor {
 public:
  explicit Mappings(std::string& text) : text_(text) {}
  void visit(const Vm::MappingView& mapping) override {
    fmt::format_to(std::back_inserter(text_), "    {} {:>9} KiB  {}{}{}  buffer {}{} + {:#x}, {}\n",
                   text_of(mapping.range), mapping.range.size() / kKiB,
                   has(mapping.prot, Prot::kReadOnly) ? "r-" : "rw",
                   has(mapping.prot, Prot::kNoExec) ? "-" : "x",
                   has(mapping.prot, Prot::kUncached) ? "u" : "c",
                   mapping.buffer ? mapping.buffer->mmap_offset() / kPageSize : 0,
                   label_of(mapping.buffer), mapping.buffer_offset,
                   mapping.owner == driver::MappingOwner::kKernel ? "kernel" : "client");
  }

 private:
  std::string& text_;
};

std::string pages(const BindStatistics& sum) {
  return fmt::format("reserved {}, used {}, given back {}; {} more of tables that became empty",
                     sum.pages_reserved, sum.pages_used, sum.pages_returned, sum.pages_emptied);
}

const char* name_of_type(BindType type) {
  switch (type) {
    case BindType::kMap:
      return "map";
    case BindType::kUnmap:
      return "unmap";
    case BindType::kSyncOnly:
      return "sync";
  }
  return "";
}

std::string row(const BindRecord& bind) {
  const BindStatistics& took = bind.statistics;
  return fmt::format("      {:<5} {:<5} {:<30} {:>8} {:>5} {:>10} {:>8} {:>10.1f} {:>9.1f}{}{}\n",
                     name_of_type(bind.type), bind.mode == BindMode::kAsync ? "async" : "now",
                     bind.range ? text_of(*bind.range) : "nothing", took.pages_reserved,
                     took.pages_used, took.pages_returned, took.pages_emptied,
                     microseconds_of(took.prepare), microseconds_of(took.run),
                     bind.error ? "  " : "", bind.error ? name_of(*bind.error) : "");
}

}  // namespace

std::string describe(const Vm& vm) {
  std::string text;
  Mappings mappings(text);
  vm.for_each_mapping(mappings);
  if (const auto slot = vm.slot())
    fmt::format_to(std::back_inserter(text), "    AS {}: {}{}\n", slot->slot,
                   slot->active != 0 ? "active" : "idle", slot->faulted ? ", faulted" : "");
  const Vm::TableView tables = vm.tables();
  const std::vector<BindRecord> binds = vm.latest_binds();
  auto out = std::back_inserter(text);
  fmt::format_to(out, "    tables in use by level: {} {} {} {}\n", tables.tables_by_level[0],
                 tables.tables_by_level[1], tables.tables_by_level[2], tables.tables_by_level[3]);
  fmt::format_to(out, "    {} binds, table pages {}\n", tables.binds, pages(tables.total));
  fmt::format_to(out, "    the kernel's own mappings, table pages {}\n", pages(tables.kernel));
  if (binds.empty()) return text;
  fmt::format_to(
      out, "      {:<42} {:>8} {:>5} {:>10} {:>8} {:>10} {:>9}\n",
      binds.size() < tables.binds ? fmt::format("the latest {} binds", binds.size()) : "each bind",
      "reserved", "used", "given back", "emptied", "prepare us", "run us");
  for (const BindRecord& bind : binds) text += row(bind);
  return text;
}

}  // namespace pantry::tools
