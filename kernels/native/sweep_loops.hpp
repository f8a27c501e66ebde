// The loops of a temperature sweep, as each instruction set has them.
//
// A block of logits x becomes y = x - ref, ref being near the block's maximum, and every
// temperature then sums over y: with c = log2(e) / T and e = 2^(c y),
// d = sum e, w = sum e y, s = sum e y^2. The order of summation is that of rows.hpp: 64 lanes in
// float, folded in double. Subnormal products are to be flushed to zero around these calls.
#pragma once

#include <cstdint>

#include "rows.hpp"

namespace calib {

// Of a temperature: w and s are 0 where derivatives are not asked for.
struct PowerSums {
  double d, w, s;
};

// What is read next: the loops fetch it into the cache. It may lie past the end of the logits.
struct SweepAhead {
  uintptr_t at;
  int64_t bytes;
};

constexpr int GRID = 8;  // multiples 1 .. GRID of a base share one exponential

constexpr int KEYS = 1 << 16;  // the key of a logit of sixteen bits: its bits
// Neighbours are counted in tables of their own: where they are equal, an addition would wait for
// the one before it.
constexpr int TABLES = 2;

// Keys that occur lie in [from, to): those without the sign, and those with it.
struct KeyRanges {
  int from[2], to[2];
};

struct SweepKernels {
  // Writes y = max(low, x - ref) of n <= BLOCK logits, filled up with low to whole groups of LANES.
  // Returns the largest x, passing over NaN, which y keeps. By dtype.
  float (*centre[3])(const void* x, int64_t n, float ref, float low, float* y);
  // At each of count c, over `groups` groups. By derivatives.
  void (*each[3])(const float* y, int64_t groups, const float* c, int count, SweepAhead ahead,
                  PowerSums* out);
  // The same where y[i] stands for times[i] equal ones.
  void (*each_times[3])(const float* y, const float* times, int64_t groups, const float* c,
                        int count, PowerSums* out);
  // At c, 2 c, .. GRID c. e is scratch for as many floats as y has. By derivatives.
  void (*grid[3])(const float* y, int64_t groups, float c, float* e, SweepAhead ahead,
                  PowerSums* out);
  // Counts n logits of sixteen bits in tally (TABLES, KEYS). Returns where their keys lie.
  KeyRanges (*count)(const uint16_t* x, int64_t n, uint32_t* tally);
};

}  // namespace calib
