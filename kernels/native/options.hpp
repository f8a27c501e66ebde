// Option scores of N rows: arguments as calib_kernels/ops.py documents them for a launcher.
#pragma once

#include <cstdint>

#include "histogram.hpp"
#include "rows.hpp"

namespace calib {

struct OptionInput {
  const void* logits;
  DType type;
  int64_t rows, columns, stride;  // stride in logits
  const int64_t* ids;             // (1 or rows, options, spellings)
  bool shared_ids;
  int64_t options, spellings;
  const void* labels;  // (rows), or null
  bool wide_labels;    // int64, else int32
  int64_t ignore_index;
  float scale;               // log2(e) / T where temperatures is null
  const float* temperatures;  // (1 or rows), or null
  bool shared_temperature;
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

void option_scores(const OptionInput& in, const OptionOutput& out, const Histogram* histogram,
                   int threads);

}  // namespace calib
