// Draws from N rows: arguments as calib_kernels/ops/sample.py documents them for a launcher.
#pragma once

#include <cstdint>

#include "rows/walk.hpp"
#include "sample/survivors.hpp"

namespace calib {

struct SampleInput : RowInput {
  uint64_t seed;
  const int64_t *item, *sample, *step;  // (1 or rows), (rows, draws), (1 or rows)
  bool shared_item, shared_step;
  const double* uniforms;  // (rows, draws, 2) in place of the addresses, or null
  int64_t draws;
  Filters filters;  // its gap is per unit of T where there are temperatures
  bool greedy;
};

struct SampleOutput {  // (rows, draws)
  int64_t* token;
  float *logprob, *logprob_unfiltered, *entropy;
  bool* valid;
};

void sample(const SampleInput& in, const SampleOutput& out, int threads);

}  // namespace calib
