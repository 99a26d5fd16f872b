// SPDX-License-Identifier: MIT
//
// The instructions that give work to the endpoints: compute, fragment and tiler. What a RUN_* works
// on stands in registers (cs_staging.h); its selects pick which of them. Positions: cs_layout.h.
// Sources: [M].
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/cs_layout.h"

namespace pantry::datasheet::isa {

struct RunCompute {
  std::uint16_t task_increment = 0;  // workgroups per task, along the axis
  TaskAxis task_axis = TaskAxis::kX;
  bool progress_increment = false;
  std::uint8_t srt_select = 0;
  std::uint8_t spd_select = 0;
  std::uint8_t tsd_select = 0;
  std::uint8_t fau_select = 0;

  static constexpr Opcode kOpcode = Opcode::kRunCompute;
  using Layout = Fields<At<&RunCompute::fau_select, 47, 46>, At<&RunCompute::tsd_select, 45, 44>,
                        At<&RunCompute::spd_select, 43, 42>, At<&RunCompute::srt_select, 41, 40>,
                        At<&RunCompute::progress_increment, 32, 32>,
                        At<&RunCompute::task_axis, 15, 14>, At<&RunCompute::task_increment, 13, 0>>;
  constexpr bool operator==(const RunCompute&) const = default;
};

struct RunComputeIndirect {
  std::uint16_t workgroups_per_task = 0;
  bool progress_increment = false;
  std::uint8_t srt_select = 0;
  std::uint8_t spd_select = 0;
  std::uint8_t tsd_select = 0;
  std::uint8_t fau_select = 0;

  static constexpr Opcode kOpcode = Opcode::kRunComputeIndirect;
  using Layout = Fields<
      At<&RunComputeIndirect::fau_select, 47, 46>, At<&RunComputeIndirect::tsd_select, 45, 44>,
      At<&RunComputeIndirect::spd_select, 43, 42>, At<&RunComputeIndirect::srt_select, 41, 40>,
      At<&RunComputeIndirect::progress_increment, 32, 32>,
      At<&RunComputeIndirect::workgroups_per_task, 15, 0>>;
  constexpr bool operator==(const RunComputeIndirect&) const = default;
};

// v10 only.
struct RunTiling {
  std::uint32_t flags_override = 0;
  bool progress_increment = false;
  std::uint8_t srt_select = 0;
  std::uint8_t spd_select = 0;
  std::uint8_t tsd_select = 0;
  std::uint8_t fau_select = 0;

  static constexpr Opcode kOpcode = Opcode::kRunTiling;
  using Layout =
      Fields<At<&RunTiling::fau_select, 47, 46>, At<&RunTiling::tsd_select, 45, 44>,
             At<&RunTiling::spd_select, 43, 42>, At<&RunTiling::srt_select, 41, 40>,
             At<&RunTiling::progress_increment, 32, 32>, At<&RunTiling::flags_override, 31, 0>>;
  constexpr bool operator==(const RunTiling&) const = default;
};

// Index-driven vertex shading.
struct RunIdvs {
  std::uint32_t flags_override = 0;
  bool progress_increment = false;
  bool malloc_enable = false;
  bool draw_id_enable = false;
  Reg32 draw_id = {};
  std::uint8_t varying_srt_select = 0;
  std::uint8_t varying_fau_select = 0;
  std::uint8_t varying_tsd_select = 0;
  std::uint8_t fragment_srt_select = 0;
  std::uint8_t fragment_tsd_select = 0;

  static constexpr Opcode kOpcode = Opcode::kRunIdvs;
  using Layout =
      Fields<At<&RunIdvs::draw_id, 47, 40>, At<&RunIdvs::fragment_tsd_select, 39, 39>,
             At<&RunIdvs::fragment_srt_select, 38, 38>, At<&RunIdvs::varying_tsd_select, 37, 37>,
             At<&RunIdvs::varying_fau_select, 36, 36>, At<&RunIdvs::varying_srt_select, 35, 35>,
             At<&RunIdvs::draw_id_enable, 34, 34>, At<&RunIdvs::malloc_enable, 33, 33>,
             At<&RunIdvs::progress_increment, 32, 32>, At<&RunIdvs::flags_override, 31, 0>>;
  constexpr bool operator==(const RunIdvs&) const = default;
};

struct RunFragment {
  bool enable_tem = false;  // tile enable map
  TileOrder tile_order = TileOrder::kZOrder;
  bool progress_increment = false;

  static constexpr Opcode kOpcode = Opcode::kRunFragment;
  using Layout = Fields<At<&RunFragment::progress_increment, 32, 32>,
                        At<&RunFragment::tile_order, 7, 4>, At<&RunFragment::enable_tem, 0, 0>>;
  constexpr bool operator==(const RunFragment&) const = default;
};

struct RunFullscreen {
  Reg64 dcd = {};  // draw descriptor
  std::uint32_t flags_override = 0;
  bool progress_increment = false;

  static constexpr Opcode kOpcode = Opcode::kRunFullscreen;
  using Layout =
      Fields<At<&RunFullscreen::dcd, 47, 40>, At<&RunFullscreen::progress_increment, 32, 32>,
             At<&RunFullscreen::flags_override, 31, 0>>;
  constexpr bool operator==(const RunFullscreen&) const = default;
};

// Replaces the endpoints that this stream holds.
struct ReqResource {
  bool compute = false;
  bool fragment = false;
  bool tiler = false;
  bool idvs = false;

  static constexpr Opcode kOpcode = Opcode::kReqResource;
  using Layout = Fields<At<&ReqResource::idvs, 3, 3>, At<&ReqResource::tiler, 2, 2>,
                        At<&ReqResource::fragment, 1, 1>, At<&ReqResource::compute, 0, 0>>;
  constexpr bool operator==(const ReqResource&) const = default;
};

}  // namespace pantry::datasheet::isa
