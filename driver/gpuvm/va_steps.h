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
// on the tree, and that verb is the only source of the token which the visitor must return, so that
// a step that was not performed does not compile. Nothing is merged. Steps cannot fail: everything
// they need was laid in beforehand.
//
// The tree does not keep the objects of its mappings alive; the visitor holds one reference for
// each mapping. So it takes one at map, gives one up at unmap, and takes one more at keep_both.
#pragma once

#include "driver/gpuvm/va_mapping.h"

namespace pantry::driver {

class VaSpace;
// The place in the tree at which a change of it has arrived (va_edit.h).
struct VaEdit;

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

// Two pointers: it is passed in registers. The mapping as it was, and the change under way.
class OldStep {
 public:
  const VaMapping& old() const { return *old_; }
  // The new mapping puts the same pages with the same flags at the same place: their entries may
  // stay.
  bool keeps_pages() const;

 protected:
  OldStep(VaEdit& edit, const VaMapping& old) : edit_(&edit), old_(&old) {}
  VaEdit* edit_;
  const VaMapping* old_;
};

// `old` lies wholly in the changed range.
class UnmapStep : public OldStep {
 public:
  // Takes `old` out of the tree.
  Done<UnmapStep> remove() && noexcept;

 private:
  friend class VaSpace;
  using OldStep::OldStep;
};

// `old` sticks out of the changed range: the part in it goes, the rest stays.
class RemapStep : public OldStep {
 public:
  // The part of `old` that goes.
  GpuRange unmapped() const;

 protected:
  using OldStep::OldStep;
  // What is left of it before and after the part that goes.
  VaMapping left() const { return old_->slice({old_->range.first, unmapped().first - 1}); }
  VaMapping right() const { return old_->slice({unmapped().last + 1, old_->range.last}); }
};

class KeepLeftStep : public RemapStep {
 public:
  // Puts what stays in place of `old`.
  Done<KeepLeftStep> keep() && noexcept;

 private:
  friend class VaSpace;
  using RemapStep::RemapStep;
};

class KeepRightStep : public RemapStep {
 public:
  Done<KeepRightStep> keep() && noexcept;

 private:
  friend class VaSpace;
  using RemapStep::RemapStep;
};

class KeepBothStep : public RemapStep {
 public:
  Done<KeepBothStep> keep() && noexcept;

 private:
  friend class VaSpace;
  using RemapStep::RemapStep;
};

// The range is free now.
class MapStep {
 public:
  const VaMapping& mapping() const { return *mapping_; }
  Done<MapStep> insert() && noexcept;

 private:
  friend class VaSpace;
  MapStep(VaEdit& edit, const VaMapping& mapping) : edit_(&edit), mapping_(&mapping) {}
  VaEdit* edit_;
  const VaMapping* mapping_;
};

// Performs the steps: edits the page table, keeps the references. Called with whatever lock the
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
