// Memory for what a loop reads and writes in no order, where that is fastest.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

namespace calib {

struct Free {
  void* memory = nullptr;  // which starts before what is aligned in it
  void operator()(const void*) const { std::free(memory); }
};

template <class T>
using Placed = std::unique_ptr<T, Free>;

// A T of zeros, whose pages are made when they are first touched.
template <class T>
Placed<T> zeros() {
  std::size_t room = sizeof(T) + alignof(T);
  void* const memory = std::calloc(1, room);
  if (!memory) throw std::bad_alloc();
  void* at = memory;
  std::align(alignof(T), sizeof(T), at, room);
  return Placed<T>(static_cast<T*>(at), Free{memory});
}

// Some processors let a load wait for a store to the same offset in another page where the pages'
// physical addresses resemble each other, for which a loop takes up to half as long again wherever
// it is called. Nothing but time tells: of a few places the one is kept where use(T&) takes the
// least. It is given zeros, several times, and what it leaves there stays.
template <class T, class Use>
Placed<T> fastest_place(const Use& use) {
  constexpr int PLACES = 4, TIMES = 8;
  constexpr double NEVER = std::numeric_limits<double>::infinity();
  Placed<T> tried[PLACES], best;  // all at once, as freed memory would be given out again
  double least = NEVER;
  for (Placed<T>& place : tried) {
    place = zeros<T>();
    double own = NEVER;
    for (int i = 0; i < TIMES; ++i) {
      const auto start = std::chrono::steady_clock::now();
      use(*place);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      own = std::min(own, took.count());
    }
    if (own >= least) continue;
    least = own;
    best.swap(place);
  }
  return best;
}

}  // namespace calib
