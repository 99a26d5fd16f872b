// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_tree.h"

#include <boost/intrusive/rbtree_algorithms.hpp>

namespace pantry::driver {

namespace {

struct LinkTraits {
  using node = VaLinks;
  using node_ptr = VaLinks*;
  using const_node_ptr = const VaLinks*;
  using color = VaLinks::Colour;
  static node_ptr get_parent(const_node_ptr n) { return n->parent; }
  static void set_parent(node_ptr n, node_ptr parent) { n->parent = parent; }
  static node_ptr get_left(const_node_ptr n) { return n->left; }
  static void set_left(node_ptr n, node_ptr left) { n->left = left; }
  static node_ptr get_right(const_node_ptr n) { return n->right; }
  static void set_right(node_ptr n, node_ptr right) { n->right = right; }
  static color get_color(const_node_ptr n) { return n->colour; }
  static void set_color(node_ptr n, color c) { n->colour = c; }
  static color black() { return color::kBlack; }
  static color red() { return color::kRed; }
};
using Algorithms = boost::intrusive::rbtree_algorithms<LinkTraits>;

}  // namespace

VaTree::VaTree() noexcept { Algorithms::init_header(&header_); }

void VaTree::insert(Vma& vma) noexcept {
  PANTRY_CHECK(!vma.linked());
  Vma* const after = at_or_after(vma.range().first);
  PANTRY_CHECK(!after || vma.range().last < after->range().first);
  Algorithms::insert_before(&header_, after ? links_of(*after) : &header_, links_of(vma));
}

void VaTree::erase(Vma& vma) noexcept {
  PANTRY_CHECK(vma.linked());
  Algorithms::erase(&header_, links_of(vma));
  *links_of(vma) = VaLinks();
}

Vma* VaTree::at_or_after(GpuVa va) const noexcept {
  Vma* best = nullptr;
  for (VaLinks* at = header_.parent; at;) {
    Vma* const vma = vma_of(at);
    if (vma->range().last >= va) {
      best = vma;
      at = at->left;
    } else {
      at = at->right;
    }
  }
  return best;
}

Vma* VaTree::next(const Vma& vma) const noexcept {
  VaLinks* const next = Algorithms::next_node(links_of(const_cast<Vma&>(vma)));
  return next == &header_ ? nullptr : vma_of(next);
}

bool VaTree::empty() const noexcept { return header_.parent == nullptr; }

VaLinks* VaTree::links_of(Vma& vma) noexcept { return &vma; }
Vma* VaTree::vma_of(VaLinks* links) noexcept { return static_cast<Vma*>(links); }

}  // namespace pantry::driver
