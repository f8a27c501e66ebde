// The power sums of a row of logits: counted in narrow cells, then summed.
//
// A row holds more values than can be counted one by one. Of the logits of a cell, which is a 32nd
// to a 64th of the coldest temperature wide, count, mean and variance are kept. What that leaves
// out is their third moment: with h = 1/32, a factor of at most h^3 / (36 sqrt(3)) = 5e-7 in what
// the cell adds to a sum, and 0 where logits lie evenly about their mean.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "counting/cell_table.hpp"
#include "temperature_sweep/chunks.hpp"

namespace calib {

// What sum_sweep_chunk and join_chunks tell of a row, if its cells can tell it: not with NaN or
// +inf, nor with too many logits in one. Where many repeat, each addition would wait for the last.
inline bool sum_row_in_cells(const SweepKernels& kernels, const SweepPlan& plan, const void* x,
                             DType type, int64_t n, Cells& cells, PowerSums* sums, SweepRow* row) {
  const int t = static_cast<int>(type);
  const int64_t sample = std::min(LANES, n);
  const CellPlan to(plan.most, plan.low, kernels.largest[t](x, sample));
  const float any = -std::numeric_limits<float>::infinity();
  if (!std::isfinite(to.ref) || repetitive(x, type, sample, any)) return false;
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
  const auto sum = kernels.sum_cells[plan.derivatives];
  const bool told =
      cells.drain(kernels, to, to.at(row->max), n, [&](const CellGroups& groups, int64_t found) {
        WideSums* next = wide.data();
        for (const SweepGroup& group : plan.groups) {
          if (group.base > 0.0f) {
            sum(groups, found, group.base, GRID, next);
            next += GRID;
          } else {
            for (const float c : plan.loose) sum(groups, found, c, 1, next++);
          }
        }
      });
  if (!told) return false;
  row->token =
      best + variant().rows->find[t](offset(x, type, best), std::min(BLOCK, n - best), row->max);
  for (size_t i = 0; i < wide.size(); ++i) {
    sums[i] = taken(wide[i]);
    sums[i].d += 1.0;  // the largest logit
  }
  return true;
}

}  // namespace calib
