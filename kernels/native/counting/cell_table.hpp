// The logits of a row, counted in narrow cells (counting/cells.hpp).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "rows/statistics.hpp"
#include "temperature_sweep/loops.hpp"

namespace calib {

// The cells of a row: z = (x - ref) * scale, as cells.hpp has it, ref being one of its logits.
struct CellPlan {
  float ref;
  float scale;  // a power of 2, so that products stay exact
  float low;    // z below it becomes it
  bool exact;   // as logits there weigh nothing at any temperature

  // c is that of the coldest temperature; what lies lower below the maximum weighs nothing.
  CellPlan(double c, double lower, float ref) : ref(ref) {
    constexpr double CELLS_IN_T = 32.0;  // at least
    const double wanted = CELLS_IN_T * c * LN2 * CELL_PLACES;
    scale = static_cast<float>(std::exp2(std::ceil(std::log2(wanted))));
    const double weightless = lower * scale;
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
  // Those of the calling thread.
  static Cells& own() {
    static thread_local Cells cells;
    return cells;
  }
  float add(const SweepKernels& kernels, const CellPlan& plan, const void* x, DType type,
            int64_t n) {
    return kernels.add_to_cells[static_cast<int>(type)](x, n, plan.ref, plan.scale, plan.low,
                                                        words_.get());
  }

  // Takes out one logit at `top`, the largest of the n that were added: what dominates a row is to
  // stay exact. Then calls take(groups, n) for the groups below it, n <= MOST at a time and each
  // AT_ONCE in rising order, until nothing is left. Returns whether these are the others.
  template <class Take>
  bool drain(const SweepKernels& kernels, const CellPlan& plan, int32_t top, int64_t n,
             const Take& take) {
    constexpr int WIDE = static_cast<int>(LANES);
    uint64_t* const cells = words_->cells;
    CellGroups groups;
    int64_t held = 1, found = 0;
    bool told = cells[place(LAST)] == 0 && (plan.exact || cells[place(LAST + 1)] == 0);
    cells[place(top >> 16)] -= cell_entry(top);
    for (int cell = (top >> 16) & -WIDE; (held < n || !told) && cell >= LAST; cell -= WIDE) {
      const int32_t more =
          kernels.drain_cells(cells + place(cell), cell, top, 1.0f / plan.scale, found, &groups);
      if (!more) continue;
      told = told && more > 0;
      held += more;
      found += CellGroups::AT_ONCE;
      if (found < CellGroups::MOST) continue;
      take(groups, found);
      found = 0;
    }
    if (found) take(groups, found);
    return told && held == n;
  }

 private:
  static constexpr int LAST = -CELLS / 2;
  static int place(int cell) { return cell & (CELLS - 1); }

  std::unique_ptr<CellWords> words_ = std::make_unique<CellWords>();
};

}  // namespace calib
