// Loops that count logits instead of summing them; compiled once per instruction set.
#pragma once

#include "simd/lanes.hpp"
#include "temperature_sweep/loops.hpp"

namespace calib::CALIB_VARIANT {
namespace {

KeyRanges ranges_of(const uint16_t* x, int64_t n) {
  // As signed numbers, keys with the sign are the negative ones.
  int16_t above = INT16_MIN, below = INT16_MAX;
  uint16_t most = 0, least = UINT16_MAX;
  for (int64_t i = 0; i < n; ++i) {
    const auto key = static_cast<int16_t>(x[i]);
    above = key > above ? key : above;
    below = key < below ? key : below;
    most = x[i] > most ? x[i] : most;
    least = x[i] < least ? x[i] : least;
  }
  KeyRanges ranges = {{KEYS, KEYS}, {0, 0}};
  if (n && above >= 0) {
    ranges.from[0] = least;
    ranges.to[0] = above + 1;
  }
  if (n && below < 0) {
    ranges.from[1] = below + KEYS;
    ranges.to[1] = most + 1;
  }
  return ranges;
}

KeyRanges count(const uint16_t* x, int64_t n, uint32_t* tally) {
  constexpr int LINE = 32;
  int64_t i = 0;
  for (; i + LINE <= n; i += LINE) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(x + i) + AHEAD));
#pragma GCC unroll 16
    for (int j = 0; j < LINE; j += 2) {  // one load for two
      uint32_t pair;
      std::memcpy(&pair, x + i + j, sizeof pair);
      static_assert(TABLES == 2, "one for each of a pair");
      ++tally[pair & 0xffff];
      ++tally[KEYS + (pair >> 16)];
    }
  }
  for (; i < n; ++i) ++tally[x[i]];
  // Only now: a vector that is read between the stores would wait for those its address resembles.
  return ranges_of(x, n);
}

bool drain(uint32_t* tally, float* times) {
  uint32_t any = 0;
  for (int i = 0; i < LANES; ++i) {
    uint32_t count = 0;
    for (int t = 0; t < TABLES; ++t) {
      count += tally[t * KEYS + i];
      tally[t * KEYS + i] = 0;
    }
    any |= count;
    times[i] = static_cast<float>(static_cast<int32_t>(count));
  }
  return any != 0;
}

}  // namespace
}  // namespace calib::CALIB_VARIANT
