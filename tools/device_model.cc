// SPDX-License-Identifier: MIT
#include "tools/device_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "gpu_emu/datasheet/firmware_interface.h"
#include "gpu_emu/datasheet/gpu_control_fields.h"

namespace pantry::tools {
namespace {

using Json = nlohmann::json;
using datasheet::GpuModel;
using datasheet::kMaliG610;

constexpr std::uintmax_t kMaxFileBytes = 64 * 1024;

template <class Field>
struct Named {
  const char* name;
  Field GpuModel::*field;
};

constexpr Named<std::uint32_t> kRegisters32[] = {
    {"gpu_id", &GpuModel::gpu_id},
    {"rev_id", &GpuModel::rev_id},
    {"csf_id", &GpuModel::csf_id},
    {"l2_features", &GpuModel::l2_features},
    {"core_features", &GpuModel::core_features},
    {"tiler_features", &GpuModel::tiler_features},
    {"mem_features", &GpuModel::mem_features},
    {"mmu_features", &GpuModel::mmu_features},
    {"thread_features", &GpuModel::thread_features},
    {"thread_max_threads", &GpuModel::thread_max_threads},
    {"thread_max_workgroup_size", &GpuModel::thread_max_workgroup_size},
    {"thread_max_barrier_size", &GpuModel::thread_max_barrier_size},
    {"coherency_features", &GpuModel::coherency_features},
    {"as_present", &GpuModel::as_present},
};
constexpr Named<std::uint64_t> kRegisters64[] = {
    {"shader_present", &GpuModel::shader_present},
    {"tiler_present", &GpuModel::tiler_present},
    {"l2_present", &GpuModel::l2_present},
    {"gpu_features", &GpuModel::gpu_features},
};
constexpr Named<std::uint32_t> kFirmware[] = {
    {"group_slots", &GpuModel::group_slots},
    {"stream_slots", &GpuModel::stream_slots},
    {"stream_registers", &GpuModel::stream_registers},
    {"scoreboards", &GpuModel::scoreboards},
};
constexpr const char* kTexture = "texture_features";
constexpr const char* kTimestamp = "timestamp_hz";

// Thrown inside of this file only: the parser of the library throws as well.
struct Refusal {
  std::string why;
};
template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw Refusal{fmt::format(format, std::forward<Args>(args)...)};
}

// An object of which every member is asked for once.
class Members {
 public:
  Members(const Json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) refuse("{} is not an object", place_);
  }
  const Json& take(const std::string& name) {
    const auto found = object_.find(name);
    if (found == object_.end()) refuse("{} has no \"{}\"", place_, name);
    taken_.insert(name);
    return *found;
  }
  void expect_no_more() const {
    for (const auto& [name, value] : object_.items())
      if (!taken_.contains(name)) refuse("{} has \"{}\", which means nothing", place_, name);
  }

 private:
  const Json& object_;
  std::string place_;
  std::set<std::string> taken_;
};

template <class Number>
Number number(const Json& value, const std::string& name) {
  std::uint64_t wide = 0;
  if (value.is_number_unsigned()) {
    wide = value.get<std::uint64_t>();
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const char* const end = text.data() + text.size();
    if (!text.starts_with("0x") || text.size() == 2)
      refuse("{} is \"{}\", which is not \"0x...\"", name, text);
    const auto [rest, error] = std::from_chars(text.data() + 2, end, wide, 16);
    if (error == std::errc::result_out_of_range) refuse("{} is {}: past 64 bits", name, text);
    if (error != std::errc() || rest != end)
      refuse("{} is \"{}\", which is not a hexadecimal number", name, text);
  } else {
    refuse("{} is neither a number that is not negative nor a \"0x...\" string", name);
  }
  if (wide > std::numeric_limits<Number>::max())
    refuse("{} is {:#x}: past {} bits", name, wide, std::numeric_limits<Number>::digits);
  return static_cast<Number>(wide);
}

std::vector<std::string> strings(const Json& value, const char* name) {
  if (!value.is_array()) refuse("{} is not an array", name);
  std::vector<std::string> result;
  for (const Json& each : value) {
    if (!each.is_string()) refuse("{} has a member that is not a string", name);
    result.push_back(each.get<std::string>());
  }
  return result;
}

bool is_known_name(const std::string& name) {
  const auto has = [&](const auto& list) {
    return std::ranges::any_of(list, [&](const auto& each) { return name == each.name; });
  };
  return has(kRegisters32) || has(kRegisters64) || has(kFirmware) || name == kTexture ||
         name == kTimestamp;
}

// What drivers and emulator take for granted.
void check(const GpuModel& model) {
  namespace fields = datasheet::gpu_control;
  constexpr std::uint32_t kArchitecture = 10;
  if (const std::uint32_t major = model.gpu_id >> 28; major != kArchitecture)
    refuse("gpu_id {:#010x} is of architecture {}; only {} is emulated", model.gpu_id, major,
           kArchitecture);
  const std::uint32_t va_bits = fields::MmuFeatures::VaBits::get(model.mmu_features);
  const std::uint32_t pa_bits = fields::MmuFeatures::PaBits::get(model.mmu_features);
  if (va_bits != 33 && va_bits != 39 && va_bits != 48)
    refuse("mmu_features {:#x}: addresses of {} bits; 33, 39 and 48 are emulated",
           model.mmu_features, va_bits);
  // The sizes that the page tables of io-pgtable have.
  constexpr std::uint32_t kPaBits[] = {32, 36, 40, 42, 44, 48};
  if (std::ranges::find(kPaBits, pa_bits) == std::end(kPaBits))
    refuse("mmu_features {:#x}: physical addresses of {} bits; there are only those of {}",
           model.mmu_features, pa_bits, fmt::join(kPaBits, ", "));
  if ((model.as_present & 1) == 0) refuse("as_present lacks bit 0, the firmware's address space");
  if (model.as_present >> 16 != 0 || std::popcount(model.as_present) < 2)
    refuse("as_present {:#x}: there are 2 to 16 address spaces", model.as_present);
  if (model.shader_present == 0) refuse("shader_present is 0");
  if (model.tiler_present == 0) refuse("tiler_present is 0");
  if ((model.l2_present & 1) == 0) refuse("l2_present lacks bit 0, which drivers power on");
  if (model.thread_max_threads == 0) refuse("thread_max_threads is 0");
  if (model.thread_max_workgroup_size == 0) refuse("thread_max_workgroup_size is 0");
  if (model.thread_features == 0) refuse("thread_features is 0, with which Mesa cannot work");
  using datasheet::firmware_interface::kMinGroups;
  if (model.group_slots < kMinGroups || model.group_slots > kMaliG610.group_slots)
    refuse("group_slots is {}: Panthor needs {}, and the emulator has at most {}",
           model.group_slots, kMinGroups, kMaliG610.group_slots);
  const auto same = [](const char* name, std::uint32_t value, std::uint32_t only) {
    if (value != only) refuse("{} is {}: the emulated firmware has {}", name, value, only);
  };
  same("stream_slots", model.stream_slots, kMaliG610.stream_slots);
  same("stream_registers", model.stream_registers, kMaliG610.stream_registers);
  same("scoreboards", model.scoreboards, kMaliG610.scoreboards);
  if (model.timestamp_hz == 0 || model.timestamp_hz > 1'000'000'000)
    refuse("timestamp_hz is {}: from 1 to 1000000000", model.timestamp_hz);
}

// The library keeps the last of two members with one name, and says nothing.
Json parse_without_doubles(std::string_view text) {
  std::vector<std::set<std::string>> open;
  const auto callback = [&](int, Json::parse_event_t event, Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
        open.emplace_back();
        break;
      case Json::parse_event_t::object_end:
        open.pop_back();
        break;
      case Json::parse_event_t::key:
        if (!open.back().insert(value.get<std::string>()).second)
          refuse("\"{}\" is there twice", value.get<std::string>());
        break;
      default:
        break;
    }
    return true;
  };
  return Json::parse(text, callback);
}

DeviceModel read_model(std::string_view text) {
  const Json json = parse_without_doubles(text);
  DeviceModel result;
  GpuModel& model = result.model;
  Members top(json, "the file");
  const Json& name = top.take("name");
  if (!name.is_string()) refuse("name is not a string");
  result.name = name.get<std::string>();
  strings(top.take("sources"), "sources");
  result.unknown = strings(top.take("unknown"), "unknown");
  for (const std::string& each : result.unknown)
    if (!is_known_name(each)) refuse("unknown has \"{}\", which is no value of a model", each);

  Members registers(top.take("registers"), "registers");
  for (const auto& each : kRegisters32)
    model.*each.field = number<std::uint32_t>(registers.take(each.name), each.name);
  for (const auto& each : kRegisters64)
    model.*each.field = number<std::uint64_t>(registers.take(each.name), each.name);
  const Json& texture = registers.take(kTexture);
  if (!texture.is_array() || texture.size() != model.texture_features.size())
    refuse("{} is not an array of {}", kTexture, model.texture_features.size());
  for (std::size_t n = 0; n < texture.size(); ++n)
    model.texture_features[n] =
        number<std::uint32_t>(texture[n], fmt::format("{}[{}]", kTexture, n));
  registers.expect_no_more();

  Members firmware(top.take("firmware"), "firmware");
  for (const auto& each : kFirmware)
    model.*each.field = number<std::uint32_t>(firmware.take(each.name), each.name);
  firmware.expect_no_more();
  model.timestamp_hz = number<std::uint64_t>(top.take(kTimestamp), kTimestamp);
  top.expect_no_more();
  check(model);
  return result;
}

std::expected<std::string, std::string> read_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return std::unexpected(error.message());
  if (size > kMaxFileBytes)
    return std::unexpected(fmt::format("more than {} bytes", kMaxFileBytes));
  std::ifstream file(path, std::ios::binary);
  std::string text(size, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(size)))
    return std::unexpected("cannot be read");
  return text;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// Names of files without their ".json", in order.
std::vector<std::string> models_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::expected<DeviceModel, std::string> parse_model(std::string_view json) {
  try {
    return read_model(json);
  } catch (const Refusal& refusal) {
    return std::unexpected(refusal.why);
  } catch (const Json::exception& exception) {
    return std::unexpected(exception.what());
  }
}

std::expected<DeviceModel, std::string> load_model(const std::string& name_or_path,
                                                   const std::string& directory) {
  std::filesystem::path path = name_or_path;
  if (!name_or_path.contains('/') && path.extension() != ".json") {
    const std::vector<std::string> names = models_in(directory);
    const auto found = std::ranges::find(names, upper(name_or_path), upper);
    if (found == names.end())
      return std::unexpected(
          fmt::format("no such model; there are {} in {}, and a file is given "
                      "with a slash or .json",
                      fmt::join(names, ", "), directory));
    path = std::filesystem::path(directory) / (*found + ".json");
  }
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_model(*text);
}

std::string default_model_directory() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "gpu_emu/models")
      .string();
}

}  // namespace pantry::tools
