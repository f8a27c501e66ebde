// Option scores of N rows: arguments as calib_kernels/ops/option_scores.py documents them for a launcher.
#pragma once

#include <cstdint>

#include "histogram_delta/histogram_delta.hpp"
#include "rows/walk.hpp"

namespace calib {

struct OptionInput : RowInput {
  const int64_t* ids;  // (1 or rows, options, spellings)
  bool shared_ids;
  int64_t options, spellings;
  bool vocab_mode;
};

struct OptionOutput {
  float *logprob, *prob;  // (rows, options)
  float *mass, *confidence;
  int64_t* prediction;
  float *entropy, *vocab_entropy;
  int64_t* token;
  bool* correct;  // null without labels
  bool* valid;
};

// The distinct logits of one option in x; *wrong is set where an id is neither in range nor -1.
int64_t spelled(const OptionInput& in, const void* row, const int64_t* ids, float* x, bool* wrong);

void option_scores(const OptionInput& in, const OptionOutput& out, const Histogram* histogram,
                   int threads);

}  // namespace calib
