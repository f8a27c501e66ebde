// A temperature sweep over N rows: arguments as calib_kernels/ops/temperature_sweep.py documents them.
#pragma once

#include <cstdint>
#include <vector>

#include "histogram_delta/histogram_delta.hpp"
#include "option_scores/option_scores.hpp"

namespace calib {

// Temperatures that share a base: inverse temperature multiples[i] * base at places[i]. Without a
// base, those at `places` have nothing in common.
struct SweepGroup {
  float base;
  std::vector<int> multiples;
  std::vector<int> places;
};

struct SweepInput : OptionInput {  // ids is null where labels are columns
  std::vector<double> scales;      // log2(e) / T, or NaN for a temperature that is unusable
  std::vector<SweepGroup> groups;  // of the usable ones
  int derivatives;
};

struct SweepOutput {
  double *nll, *grad, *hess;  // (temperatures); grad and hess may be null
  int64_t* count;
};

// Histograms: one a temperature, or none.
void temperature_sweep(const SweepInput& in, const SweepOutput& out,
                       const std::vector<Histogram>& histograms, int threads);

}  // namespace calib
