// Loops of the loss and of gradients over one row of logits; one table of them per instruction set.
#pragma once

#include <cstdint>

#include "rows/rows.hpp"

namespace calib {

// With u = c * (y - top) - log2_d, p = 2^u and y = x or, under a cap, cap * tanh(x / cap):
//
//     out = (p * (all + surprise * u) + everywhere) * dy/dx
struct Weights {
  float c, top, log2_d;
  float all, surprise, everywhere;
  float cap;  // 0: none
};

struct LossKernels {
  // Functions take n finite logits or -inf, and are chosen by dtype.
  // out (n) in the dtype of x, aligned to it; without and with a cap.
  void (*gradient[2][3])(const void* x, int64_t n, const Weights& weights, void* out);
  void (*store[3])(float value, void* out);  // one rounding
  // cap * tanh(x / cap); an infinity, or NaN, as it is.
  void (*capped[3])(const void* x, int64_t n, float cap, float* out);
  // Sum of x - top.
  double (*gaps[3])(const void* x, int64_t n, float top);
  // Sum of p * (ln p + entropy)^2; no cap.
  double (*variance[3])(const void* x, int64_t n, const Weights& weights, float entropy);
};

}  // namespace calib
