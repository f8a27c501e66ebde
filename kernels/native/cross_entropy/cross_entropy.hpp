// Cross-entropy of N rows and gradients in logits: arguments as calib_kernels/ops/cross_entropy.py and
// calib_kernels/ops/logits_gradient.py document them for a launcher.
#pragma once

#include <cstdint>

#include "histogram_delta/histogram_delta.hpp"
#include "rows/walk.hpp"

namespace calib {

struct LossTerms {
  float cap;  // 0: none
  double smoothing, z_loss;
};

enum class Reduction : int { none = 0, mean = 1, sum = 2 };

struct LossOutput {
  float* loss;  // (rows), or one after a reduction
  int64_t* kept;
  float *top, *log2_d;
  float* slope;  // null without temperatures
};

void cross_entropy(const RowInput& in, const LossTerms& shape, Reduction reduction,
                   const LossOutput& out, const Histogram* histogram, int threads);

// Gradients of results, by row; what is null is 0.
struct Upstream {
  const float* loss;
  int64_t loss_stride;
  const float *lse, *entropy;
};

struct GradientInput {
  LossTerms shape;
  const float *top, *log2_d;
  const float* entropy;  // null if upstream.entropy is
  Upstream upstream;
};

struct GradientOutput {
  void* logits;     // (rows, columns) in their dtype; may be the logits, if variance is null
  int64_t stride;   // of its rows
  float* variance;  // of ln p, or null
};

void logits_gradient(const RowInput& in, const GradientInput& given, const GradientOutput& out,
                     int threads);

}  // namespace calib
