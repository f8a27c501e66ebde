// The loops of a temperature sweep, as each instruction set has them.
//
// A block of logits x becomes y = x - ref, ref being near the block's maximum, and every
// temperature then sums over y: with c = log2(e) / T and e = 2^(c y),
// d = sum e, w = sum e y, s = sum e y^2. A block is summed in 64 lanes of floats, whose sums are
// folded to eight and added in double: those eight are carried from block to block. Subnormal
// products are to be flushed to zero around these calls.
#pragma once

#include <cstdint>

#include "counting/cells.hpp"
#include "rows/rows.hpp"

namespace calib {

// Of a temperature: w and s are 0 where derivatives are not asked for.
struct PowerSums {
  double d, w, s;
};

// The same in eight parts, which blocks are added to.
struct alignas(64) WideSums {
  static constexpr int PARTS = 8;
  double d[PARTS], w[PARTS], s[PARTS];
};

// Neighbouring cells, SIZE to a group. moment[m] is the sum of d^m / m! over the distances d of a
// group's logits to its middle y: what they add to a sum of e^(b x) is e^(b y) sum_m moment[m] b^m,
// up to the last, whose error is at most (1/16)^5 / 120 = 8e-9 where a cell is a 32nd of 1 / b.
struct CellGroups {
  static constexpr int SIZE = 4, MOMENTS = 5;
  static constexpr int AT_ONCE = static_cast<int>(LANES) / SIZE;
  static constexpr int64_t MOST = 512;
  alignas(64) float y[MOST], moment[MOMENTS][MOST];
};

// What is read next: the loops fetch it into the cache. It may lie past the end of the logits.
struct SweepAhead {
  uintptr_t at;
  int64_t bytes;
};

constexpr int GRID = 8;  // multiples 1 .. GRID of a base share one exponential

struct SweepKernels {
  // The largest of n logits, passing over NaN. By dtype.
  float (*largest[3])(const void* x, int64_t n);
  // Adds to `sums` those of n <= BLOCK logits at each of count c, y being max(low, x - ref). By
  // derivatives and dtype.
  void (*each[3][3])(const void* x, int64_t n, float ref, float low, const float* c, int count,
                     SweepAhead ahead, WideSums* sums);
  // The same at c, 2 c, .. GRID c.
  void (*grid[3][3])(const void* x, int64_t n, float ref, float low, float c, SweepAhead ahead,
                     WideSums* sums);
  // Adds n logits to cells at z = max(low, (x - ref) * scale). Returns the largest of them, passing
  // over NaN. By dtype.
  float (*add_to_cells[3])(const void* x, int64_t n, float ref, float scale, float low,
                           CellWords* words);
  // Moves the LANES cells from number `first` on to AT_ONCE groups from `at` on: y is (z - top) *
  // unit. Returns how many logits they held, or -1 where a cell may have held too many; if none,
  // the groups stay as they are.
  int32_t (*drain_cells)(uint64_t* cells, int first, int32_t top, float unit, int64_t at,
                         CellGroups* to);
  // Adds to `sums` those of n groups at c, 2 c, .. multiples * c; n is a multiple of AT_ONCE. By
  // derivatives.
  void (*sum_cells[3])(const CellGroups& groups, int64_t n, float c, int multiples, WideSums* sums);
};

}  // namespace calib
