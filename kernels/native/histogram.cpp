#include "histogram.hpp"

namespace calib {

void add_row(const Histogram& h, float confidence, bool correct) {
  if (!(confidence >= 0.0f && confidence <= 1.0f)) {
    ++h.sums[3 * h.bins];
    return;
  }
  // The product is off by less than one bin: the table has the last word.
  int64_t b = static_cast<int64_t>(confidence * static_cast<float>(h.bins));
  b = b < h.bins - 1 ? b : h.bins - 1;
  while (b > 0 && confidence < h.edges[b - 1]) --b;
  while (b < h.bins - 1 && confidence >= h.edges[b]) ++b;
  ++h.sums[b];
  h.sums[h.bins + b] += correct;
  h.sums[2 * h.bins + b] += static_cast<int64_t>(confidence * 0x1p32f);  // exact before truncation
}

void add_rows(const Histogram& h, const float* confidence, const bool* correct, const bool* valid,
              int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (valid && !valid[i])
      ++h.sums[3 * h.bins];
    else
      add_row(h, confidence[i], correct[i]);
  }
}

}  // namespace calib
