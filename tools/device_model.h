// SPDX-License-Identifier: MIT
//
// A GPU that `pantry --model` names: one of gpu_emu/models, or a file that somebody wrote of a GPU
// of his. JSON; gpu_emu/models/G610.json shows all there is:
//
//   "name"          for people
//   "sources"       where the values come from
//   "unknown"       the values that come from nowhere, which stand in; a log line says which
//   "registers"     constant registers of GPU_CONTROL, numbers or "0x..." strings
//   "firmware"      what the firmware reports of itself
//   "timestamp_hz"  ticks of TIMESTAMP per second
//
// All of them must be there, and nothing else. Pure functions but for reading the file. Allocates.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "gpu_emu/datasheet/model.h"

namespace pantry::tools {

struct DeviceModel {
  std::string name;
  std::vector<std::string> unknown;
  datasheet::GpuModel model;
};

// Or why not, naming the value at fault: no JSON, something missing, superfluous or of the wrong
// type, a number that does not fit its register, or a GPU that no Panthor driver could run on or
// that the emulator cannot be.
std::expected<DeviceModel, std::string> parse_model(std::string_view json);

// `name_or_path` with a slash, or that ends in ".json", is a file; anything else, in upper or lower
// case, one of the models in `directory`. As parse_model(), or why there is no such file.
std::expected<DeviceModel, std::string> load_model(const std::string& name_or_path,
                                                   const std::string& directory);

// That of this program: gpu_emu/models beside it.
std::string default_model_directory();

}  // namespace pantry::tools
