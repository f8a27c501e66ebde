// Rows into bins: int64 counts, correct rows and fixed-point confidence; exact in any order.
#pragma once

#include <cstdint>
#include <vector>

namespace calib {

struct Histogram {
  // edges (bins - 1) and sums (3 * bins + 1) as in calib_kernels/bins.py; bins 0: there is none.
  Histogram(const float* edges, int64_t bins, int64_t* sums);

  std::vector<float> bounds;  // (bins + 1): -infinity, the edges, infinity
  int64_t bins;
  int64_t* sums;
};

// NaN or outside [0, 1]: the invalid counter.
void add_row(const Histogram& h, float confidence, bool correct);
void add_rows(const Histogram& h, const float* confidence, const bool* correct, const bool* valid,
              int64_t n, int threads);

}  // namespace calib
