// Loops of the sampler over the logits of one block: e = 2^(c * (x - ref)), 0 below 2^-126.
//
// The difference comes first, so nothing overflows as long as ref is at least x.
#pragma once

#include <cstdint>

#include "rows/rows.hpp"

namespace calib {

constexpr int64_t GROUPS = BLOCK / LANES;

struct SampleKernels {
  // All by dtype, over n <= BLOCK logits without a NaN.
  float (*largest[3])(const void* x, int64_t n);
  // How many logits are above t, and the sum of their e.
  void (*above[3])(const void* x, int64_t n, float c, float ref, float t, int64_t* count,
                   double* mass);
  // Raises most to the largest logit up to t, lowers least to the least above it.
  void (*around[3])(const void* x, int64_t n, float t, float* most, float* least);
  // Writes which logits are above low and up to high, in their order. Returns how many.
  int64_t (*within[3])(const void* x, int64_t n, float low, float high, int32_t* places);
  // e of logits above t and 0 of others, in weights (n rounded up to a multiple of LANES); their
  // sums by groups of LANES.
  void (*weights[3])(const void* x, int64_t n, float c, float ref, float t, float* weights,
                     double* sums);
};

}  // namespace calib
