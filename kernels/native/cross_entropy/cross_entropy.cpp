#include "cross_entropy/cross_entropy.hpp"

#include <cmath>
#include <vector>

#include "cross_entropy/loops.hpp"

namespace calib {
namespace {

constexpr double INF = std::numeric_limits<double>::infinity();

bool kept(const RowInput& in, int64_t row, int64_t* label) {
  *label = label_of(in, row);
  return *label != in.ignore_index && *label >= 0 && *label < in.columns;
}

// A row's logits as they are summed: capped ones are written out.
struct Values {
  const void* x;
  DType type;
};

Values values_of(const RowInput& in, const LossTerms& shape, int64_t row) {
  if (shape.cap == 0.0f) return {row_of(in, row), in.type};
  thread_local std::vector<float> scratch;
  scratch.resize(in.columns);
  variant().loss->capped[static_cast<int>(in.type)](row_of(in, row), in.columns, shape.cap,
                                                    scratch.data());
  return {scratch.data(), DType::f32};
}

// Where the largest logit stands first. A cap may make smaller ones equal to it.
int64_t first_largest(const RowInput& in, const Values& values, int64_t row, const RowStats& s) {
  const void* x = row_of(in, row);
  if (values.x == x || s.lost) return s.token;
  const auto find = variant().rows->find[static_cast<int>(values.type)];
  int64_t best = s.token;
  for (int64_t i = best + 1; i < in.columns; ++i) {
    i += find(offset(values.x, values.type, i), in.columns - i, s.max);
    if (i < in.columns && logit(x, in.type, i) > logit(x, in.type, best)) best = i;
  }
  return best;
}

struct Loss {
  double loss, slope;
};

// What column x is below the largest, in bits.
double gap_of(const RowStats& s, float c, float x) {
  return x == s.max ? 0.0 : static_cast<double>(c) * (static_cast<double>(x) - s.max);
}

Loss loss_of(const RowInput& in, const LossTerms& shape, const Values& values, int64_t label,
             float c, const RowStats& s, double log2_d) {
  const double one_over_t = c * LN2, log_d = log2_d * LN2;
  const double expected = log_d - s.entropy;  // of ln p + log_d
  const double gap = gap_of(s, c, logit(values.x, values.type, label)) * LN2;
  Loss row = {0.0, expected};
  if (shape.smoothing < 1.0) {
    row.loss += (1.0 - shape.smoothing) * (log_d - gap);
    row.slope -= (1.0 - shape.smoothing) * gap;
  }
  if (shape.smoothing > 0.0) {
    double mean = in.columns > 1 ? -INF : 0.0;
    if (!s.certain)
      mean = variant().loss->gaps[static_cast<int>(values.type)](values.x, in.columns, s.max) /
             in.columns * one_over_t;
    row.loss += shape.smoothing * (log_d - mean);
    row.slope -= shape.smoothing * mean;
  }
  if (shape.z_loss > 0.0) {
    const double top = s.max * one_over_t, lse = top + log_d;
    row.loss += shape.z_loss * lse * lse;
    row.slope += 2.0 * shape.z_loss * lse * (expected + top);
  }
  row.slope *= -one_over_t;
  return row;
}

}  // namespace

void cross_entropy(const RowInput& in, const LossTerms& shape, Reduction reduction,
                   const LossOutput& out, const Histogram* histogram, int threads) {
  std::vector<float> losses(reduction == Reduction::none ? 0 : in.rows);
  std::vector<float> confidence(histogram ? in.rows : 0);
  std::vector<char> correct(histogram ? in.rows : 0);
  float* loss = reduction == Reduction::none ? out.loss : losses.data();
  const auto finish = [&](int64_t row, float c, bool bad, const RowStats& s, const Values& values) {
    const bool lost = s.lost || bad;
    int64_t label;
    const bool counted = kept(in, row, &label);
    const int64_t token = first_largest(in, values, row, s);
    const double log2_d = log2_d_above(s, c);
    Loss found = {NOT_A_NUMBER, NOT_A_NUMBER};
    if (!counted)
      found = {label == in.ignore_index ? 0.0 : NOT_A_NUMBER, 0.0};
    else if (!lost)
      found = loss_of(in, shape, values, label, c, s, log2_d);
    loss[row] = static_cast<float>(found.loss);
    if (out.slope) out.slope[row] = static_cast<float>(found.slope);
    out.top[row] = lost ? NOT_A_NUMBER : logit(row_of(in, row), in.type, token);
    out.log2_d[row] = static_cast<float>(log2_d);
    if (!histogram) return;
    correct[row] = counted && !lost && token == label;
    confidence[row] =
        counted && !lost ? static_cast<float>(std::exp2(-std::max(0.0, log2_d))) : NOT_A_NUMBER;
  };
  if (shape.cap == 0.0f) {
    for_each_row(in, false, threads, [&](int64_t row, float c, bool bad, const RowStats& s) {
      finish(row, c, bad, s, {row_of(in, row), in.type});
    });
  } else {
    parallel_for(in.rows, in.rows * in.columns < WORTH_THREADS ? 1 : threads, [&](int64_t row) {
      bool bad;
      const float c = scale_of(in, row, &bad);
      const Values values = values_of(in, shape, row);
      const RowStats s = read_row(*variant().rows, values.x, values.type, in.columns, c, false);
      finish(row, c, bad, s, values);
    });
  }
  double sum = 0.0;
  int64_t count = 0, label;
  for (int64_t row = 0; row < in.rows; ++row) {
    if (!kept(in, row, &label)) continue;
    ++count;
    sum += loss[row];
  }
  *out.kept = count;
  if (reduction == Reduction::mean) sum /= std::max<int64_t>(count, 1);
  if (reduction != Reduction::none) *out.loss = static_cast<float>(sum);
  if (histogram)
    count_rows(in, *histogram, confidence.data(), reinterpret_cast<const bool*>(correct.data()));
}

}  // namespace calib
