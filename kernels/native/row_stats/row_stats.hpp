// Statistics of N rows: arguments as calib_kernels/ops/row_stats.py documents them for a launcher.
#pragma once

#include <cstdint>

#include "histogram_delta/histogram_delta.hpp"
#include "rows/walk.hpp"

namespace calib {

struct StatsOutput {
  float *lse, *confidence;
  int64_t* prediction;
  float *entropy, *sum_p2;
  float* label_logprob;  // null without labels
  bool* correct;         // null without labels
  bool* valid;
  float* log2_d;  // of the sum of exp(u - largest u), u = x / T; or null
};

void row_stats(const RowInput& in, const StatsOutput& out, const Histogram* histogram, int threads);

}  // namespace calib
