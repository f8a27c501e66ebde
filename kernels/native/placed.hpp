// Memory for what a loop reads and writes in no order, where that is fastest.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

namespace calib {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

template <class T>
using Placed = std::unique_ptr<T, Free>;

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
    place.reset(static_cast<T*>(std::aligned_alloc(alignof(T), sizeof(T))));
    if (!place) throw std::bad_alloc();
    std::memset(place.get(), 0, sizeof(T));
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
