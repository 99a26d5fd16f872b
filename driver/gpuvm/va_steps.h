// SPDX-License-Identifier: MIT
//
// The steps into which a change of a VA space falls, in the order in which they are delivered:
//
//     before    |---- A ----|  |- B -|   |---- C ----|
//     map            |============ N ========|
//     steps     keep_left(A)  unmap(B)  keep_right(C)  map(N)
//     after     |-A--|============ N ========|---C---|
//
// and keep_both(A) when the change lies inside A. Each step carries the one verb that performs it
// on the tree, and that verb is the only source of the token which the visitor must return: a step
// that did not consume its preallocated node does not compile. Nothing is merged. Steps cannot
// fail: everything they need was laid in beforehand.
#pragma once

#include "driver/gpuvm/vma.h"

namespace pantry::driver {

class VaTree;
class VaSpace;

// Proof that a step was performed.
template <class Step>
class Done {
 public:
  Done(Done&&) = default;
  Done& operator=(Done&&) = delete;

 private:
  friend Step;
  Done() = default;
};

// `old` lies wholly in the changed range.
class UnmapStep {
 public:
  Vma& old() const { return *old_; }
  // The new mapping puts the same pages with the same flags at the same place: their entries may
  // stay.
  bool keeps_pages() const { return keeps_pages_; }
  // Takes `old` out of the tree; it is the caller's again.
  Done<UnmapStep> remove() && noexcept;

 private:
  friend class VaSpace;
  UnmapStep(VaTree& tree, Vma& old, bool keeps_pages)
      : tree_(&tree), old_(&old), keeps_pages_(keeps_pages) {}
  VaTree* tree_;
  Vma* old_;
  bool keeps_pages_;
};

// `old` sticks out of the changed range: the part in it goes, the rest stays, as new nodes.
class RemapStep {
 public:
  Vma& old() const { return *old_; }
  // The part of `old` that goes.
  GpuRange unmapped() const { return unmapped_; }
  bool keeps_pages() const { return keeps_pages_; }

 protected:
  RemapStep(VaTree& tree, Vma& old, GpuRange unmapped, bool keeps_pages)
      : tree_(&tree), old_(&old), unmapped_(unmapped), keeps_pages_(keeps_pages) {}
  void replace_with(Vma* left, Vma* right) const noexcept;

 private:
  VaTree* tree_;
  Vma* old_;
  GpuRange unmapped_;
  bool keeps_pages_;
};

class KeepLeftStep : public RemapStep {
 public:
  // Takes `old` out of the tree (it is the caller's again) and puts `left` in for what stays of it.
  Done<KeepLeftStep> replace(Vma& left) && noexcept;

 private:
  friend class VaSpace;
  using RemapStep::RemapStep;
};

class KeepRightStep : public RemapStep {
 public:
  Done<KeepRightStep> replace(Vma& right) && noexcept;

 private:
  friend class VaSpace;
  using RemapStep::RemapStep;
};

class KeepBothStep : public RemapStep {
 public:
  Done<KeepBothStep> replace(Vma& left, Vma& right) && noexcept;

 private:
  friend class VaSpace;
  using RemapStep::RemapStep;
};

// The range is free now.
class MapStep {
 public:
  const VaMapping& mapping() const { return *mapping_; }
  Done<MapStep> insert(Vma& node) && noexcept;

 private:
  friend class VaSpace;
  MapStep(VaTree& tree, const VaMapping& mapping) : tree_(&tree), mapping_(&mapping) {}
  VaTree* tree_;
  const VaMapping* mapping_;
};

// Performs the steps: edits the page table, consumes the nodes. Called with whatever lock the
// caller of VaSpace holds.
class StepVisitor {
 public:
  virtual Done<UnmapStep> unmap(UnmapStep step) noexcept = 0;
  virtual Done<KeepLeftStep> keep_left(KeepLeftStep step) noexcept = 0;
  virtual Done<KeepRightStep> keep_right(KeepRightStep step) noexcept = 0;
  virtual Done<KeepBothStep> keep_both(KeepBothStep step) noexcept = 0;
  virtual Done<MapStep> map(MapStep step) noexcept = 0;

 protected:
  ~StepVisitor() = default;
};

}  // namespace pantry::driver
