// Which tokens of a row the filters leave, and what their blocks weigh.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "rows/statistics.hpp"
#include "sample/loops.hpp"

namespace calib {

struct Filters {
  int64_t top_k;  // 0: off
  double top_p;   // 1: off
  float gap;      // least x - max x; -inf: off
  bool any() const { return top_k > 0 || top_p < 1.0 || !std::isinf(gap); }
};

// In the order of falling logits, equal ones by rising id, a beginning stays: the logits above
// value, and of those equal to it the ones up to id last.
struct Cut {
  float value = -std::numeric_limits<float>::infinity();
  int64_t last = -1;
};

// A row of finite logits and -inf with a maximum; weights e = 2^(c * (x - max)).
struct WeighedRow {
  const SampleKernels& kernels;
  const void* x;
  DType type;
  int64_t columns;
  float c, max;
};

Cut cut_of(const WeighedRow& row, const Filters& filters);

// Weights of a block relative to ref, of what the cut leaves, and sums of their groups; as
// SampleKernels::weights. Returns the number of groups.
int64_t weigh_block(const WeighedRow& row, const Cut& cut, int64_t block, float ref, float* weights,
                    double* sums);

// The same, added up; relative to the row's maximum.
double block_mass(const WeighedRow& row, const Cut& cut, int64_t block);

}  // namespace calib
