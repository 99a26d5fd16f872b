// SPDX-License-Identifier: MIT
//
// A change of a VA space under way: the steps (va_steps.h) edit the tree at its cursor and take it
// along, so that the whole change searches the tree once.
#pragma once

#include "driver/gpuvm/va_tree.h"

namespace pantry::driver {

struct VaEdit {
  // Of `range`, in which `replacement` is mapped then, or nothing if that is null. At its first
  // mapping. (Not an aggregate: initialising that would clear all of the cursor's path first.)
  VaEdit(VaTree& edited, VaReserve& laid_in, GpuRange changed, const VaMapping* fresh) noexcept
      : tree(edited),
        nodes(laid_in),
        range(changed),
        replacement(fresh),
        at(edited.seek(changed.first)) {}

  VaTree& tree;
  VaReserve& nodes;
  const GpuRange range;
  const VaMapping* const replacement;
  VaTree::Cursor at;
};

}  // namespace pantry::driver
