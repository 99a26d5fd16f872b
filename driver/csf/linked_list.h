// SPDX-License-Identifier: MIT
//
// A list through links that its members carry, so that putting something into it allocates nothing
// and taking it out needs no search:
//
//   struct Group { ListLink<Group> run_link; ... };
//   LinkedList<Group, &Group::run_link> runnable;
//
// A member is in at most one list per link. Owns nothing, no lock: its owner guards it.
#pragma once

#include "base/check.h"

namespace pantry::driver {

template <class T>
class ListLink {
 public:
  ListLink() = default;
  ~ListLink() { PANTRY_CHECK(!in_list_); }
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  bool in_list() const { return in_list_; }

 private:
  template <class U, ListLink<U> U::*kLink>
  friend class LinkedList;
  T* next_ = nullptr;
  T* previous_ = nullptr;
  bool in_list_ = false;
};

template <class T, ListLink<T> T::*kLink>
class LinkedList {
 public:
  LinkedList() = default;
  ~LinkedList() { PANTRY_CHECK(empty()); }
  LinkedList(const LinkedList&) = delete;
  LinkedList& operator=(const LinkedList&) = delete;

  bool empty() const { return first_ == nullptr; }
  T* first() const { return first_; }
  T* next(const T& item) const { return (item.*kLink).next_; }

  void push_back(T& item) {
    ListLink<T>& link = item.*kLink;
    PANTRY_CHECK(!link.in_list_);
    link.in_list_ = true;
    link.next_ = nullptr;
    link.previous_ = last_;
    (last_ ? (last_->*kLink).next_ : first_) = &item;
    last_ = &item;
  }
  // `item` is in this list.
  void remove(T& item) {
    ListLink<T>& link = item.*kLink;
    PANTRY_CHECK(link.in_list_);
    (link.previous_ ? (link.previous_->*kLink).next_ : first_) = link.next_;
    (link.next_ ? (link.next_->*kLink).previous_ : last_) = link.previous_;
    link.next_ = link.previous_ = nullptr;
    link.in_list_ = false;
  }
  // The first member, taken out, or null.
  T* pop_front() {
    T* const item = first_;
    if (item) remove(*item);
    return item;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace pantry::driver
