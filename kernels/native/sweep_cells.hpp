// The power sums of a row of float32 or float16 logits: counted in narrow cells, then summed.
//
// A row holds more values than can be counted one by one. So the logits of a cell, which is a 32nd to
// a 64th of the coldest temperature wide, become two of the same count, mean and variance. What that
// leaves out is their third moment: with h = 1/32, a factor of at most h^3 / (36 sqrt(3)) = 5e-7 in
// what the cell adds to a sum, and 0 where logits lie evenly about their mean.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "sweep_rows.hpp"

namespace calib {

// The cells of a row: z = (x - ref) * scale, as cells.hpp has it, ref being one of its logits.
struct CellPlan {
  float ref;
  float scale;  // a power of 2, so that products stay exact
  float low;    // z below it becomes it
  bool exact;   // as logits there weigh nothing at any temperature

  CellPlan(const SweepPlan& plan, float ref) : ref(ref) {
    constexpr double CELLS_IN_T = 32.0;  // at least
    const double wanted = CELLS_IN_T * plan.most * LN2 * CELL_PLACES;
    scale = static_cast<float>(std::exp2(std::ceil(std::log2(wanted))));
    const double weightless = static_cast<double>(plan.low) * scale;
    exact = weightless >= CELL_LOWEST;
    low = exact ? static_cast<float>(weightless) : CELL_LOWEST;
  }
  // z of a logit.
  int32_t at(float x) const {
    const float z = (x - ref) * scale;
    return static_cast<int32_t>(std::clamp<double>(std::nearbyint(z), low, INT32_MAX));
  }
};

// Empty between rows.
class Cells {
 public:
  float add(const SweepKernels& kernels, const CellPlan& plan, const void* x, DType type,
            int64_t n) {
    return kernels.add_to_cells[static_cast<int>(type)](x, n, plan.ref, plan.scale, plan.low,
                                                        words_.data());
  }

  // Calls take(y, times, n) for n <= BLOCK at a time, y being about `top`, until nothing is left.
  // Returns whether these are the n logits that were added, the largest of which is at `top`.
  template <class Take>
  bool drain(const SweepKernels& kernels, const CellPlan& plan, int32_t top, int64_t n,
             const Take& take) {
    constexpr int WIDE = static_cast<int>(LANES);
    float y[BLOCK], times[BLOCK];
    int64_t held = 0, points = 0;
    bool told = words_[place(LAST)] == 0 && (plan.exact || words_[place(LAST + 1)] == 0);
    for (int cell = (top >> 16) & -WIDE; (held < n || !told) && cell >= LAST; cell -= WIDE) {
      const int32_t more = kernels.drain_cells(words_.data() + place(cell), cell, top,
                                               1.0f / plan.scale, y + points, times + points);
      if (!more) continue;
      told = told && more > 0;
      held += more;
      points += 2 * WIDE;
      if (points < BLOCK) continue;
      take(y, times, points);
      points = 0;
    }
    if (points) take(y, times, points);
    return told && held == n;
  }

 private:
  static constexpr int LAST = -CELLS / 2;
  static int place(int cell) { return cell & (CELLS - 1); }
  std::vector<uint64_t> words_ = std::vector<uint64_t>(CELLS);
};

// What sum_sweep_chunk and join_chunks tell of a row, if its cells can tell it: not with NaN or +inf,
// nor with too many logits in one. Where many repeat, each addition would wait for the last.
inline bool sum_row_in_cells(const SweepKernels& kernels, const SweepPlan& plan, const void* x,
                             DType type, int64_t n, Cells& cells, PowerSums* sums, SweepRow* row) {
  const int t = static_cast<int>(type);
  const int64_t sample = std::min<int64_t>(4 * LANES, n);
  const CellPlan to(plan, kernels.largest[t](x, sample));
  if (!std::isfinite(to.ref) || repetitive(x, type, sample)) return false;
  *row = {-std::numeric_limits<float>::infinity(), 0, false, false, 0.0f};
  int64_t best = 0;
  for (int64_t start = 0; start < n; start += BLOCK) {
    const float own =
        cells.add(kernels, to, offset(x, type, start), type, std::min(BLOCK, n - start));
    if (own <= row->max) continue;
    row->max = own;
    best = start;
  }
  row->ref = row->max;
  std::vector<WideSums> wide(plan.slots.size());
  const bool told = cells.drain(
      kernels, to, to.at(row->max), n, [&](const float* y, const float* times, int64_t points) {
        sum_sweep_block(kernels, plan, y, times, DType::f32, points, 0.0f, 0, wide.data());
      });
  if (!told) return false;
  row->token = best + variant().rows->find[t](offset(x, type, best), std::min(BLOCK, n - best),
                                              row->max);
  for (size_t i = 0; i < wide.size(); ++i) sums[i] = taken(wide[i]);
  return true;
}

}  // namespace calib
