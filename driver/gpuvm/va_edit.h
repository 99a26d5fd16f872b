// SPDX-License-Identifier: MIT
//
// A change of a VA space under way: the steps (va_steps.h) edit the tree at its cursor and take it
// along, so that the whole change searches the tree once.
#pragma once

#include "driver/gpuvm/va_tree.h"

namespace pantry::driver {

struct VaEdit {
  VaTree& tree;
  VaReserve& nodes;
  VaTree::Cursor at;
  GpuRange range;                // that changes
  const VaMapping* replacement;  // what is mapped there then, or null
};

}  // namespace pantry::driver
