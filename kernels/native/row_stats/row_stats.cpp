#include "row_stats/row_stats.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace calib {
namespace {

constexpr double INF = std::numeric_limits<double>::infinity();

double log_sum_exp(const RowStats& s, bool bad_scale) {
  if (bad_scale) return NOT_A_NUMBER;
  if (s.lost) return s.max == -INF ? -INF : NOT_A_NUMBER;
  return s.certain ? INF : (s.g + s.log2_d) * LN2;
}

void finish_row(const RowInput& in, const StatsOutput& out, int64_t row, float c, bool bad_scale,
                const RowStats& s) {
  const bool lost = s.lost || bad_scale;
  bool valid = !lost;
  out.lse[row] = static_cast<float>(log_sum_exp(s, bad_scale));
  out.prediction[row] = s.token;
  out.entropy[row] = lost ? NOT_A_NUMBER : static_cast<float>(s.entropy);
  out.sum_p2[row] = lost ? NOT_A_NUMBER : static_cast<float>(std::min(1.0, s.sum_p2));
  if (out.log2_d) out.log2_d[row] = static_cast<float>(log2_d_above(s, c));
  if (in.labels) {
    const int64_t label = label_of(in, row);
    const bool ignored = label == in.ignore_index;
    const bool there = label >= 0 && label < in.columns;
    const bool said = valid && !ignored && there;
    valid = valid && (ignored || there);
    out.correct[row] = said && s.token == label;
    out.label_logprob[row] =
        said ? static_cast<float>(logprob_of(s, c, logit(row_of(in, row), in.type, label)))
             : NOT_A_NUMBER;
  }
  out.confidence[row] =
      valid ? static_cast<float>(std::exp(logprob_of(s, c, s.max))) : NOT_A_NUMBER;
  out.valid[row] = valid;
}

}  // namespace

void row_stats(const RowInput& in, const StatsOutput& out, const Histogram* histogram,
               int threads) {
  for_each_row(in, true, threads, [&](int64_t row, float c, bool bad, const RowStats& s) {
    finish_row(in, out, row, c, bad, s);
  });
  if (histogram) count_rows(in, *histogram, out.confidence, out.correct);
}

}  // namespace calib
