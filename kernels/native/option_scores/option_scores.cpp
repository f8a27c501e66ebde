#include "option_scores/option_scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace calib {
namespace {

constexpr double INF = std::numeric_limits<double>::infinity();

// c * (x - top), 0 where both are the same infinity.
double gap(float c, float x, float top) {
  return x == top ? 0.0 : static_cast<double>(c) * (static_cast<double>(x) - top);
}

// log2 of sum 2^v.
double log2_sum(const double* v, int64_t n) {
  const double top = *std::max_element(v, v + n);
  if (std::isinf(top)) return top;
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp2(v[i] - top);
  return top + std::log2(sum);
}

struct Scratch {
  std::vector<float> x;          // (options, spellings)
  std::vector<int64_t> spelled;  // (options)
  std::vector<double> score;     // (options): log2, relative to the best option's logit
  std::vector<double> terms;     // (spellings)
};

void finish_row(const OptionInput& in, const OptionOutput& out, int64_t row, float c,
                bool bad_scale, const RowStats& s, Scratch& scratch) {
  const void* x = row_of(in, row);
  const int64_t O = in.options, M = in.spellings;
  const int64_t* ids = in.ids + (in.shared_ids ? 0 : row * O * M);
  scratch.x.resize(O * M);
  scratch.spelled.resize(O);
  scratch.score.resize(O);
  scratch.terms.resize(M);

  bool wrong = false;
  float best = -std::numeric_limits<float>::infinity();
  for (int64_t o = 0; o < O; ++o) {
    float* of = scratch.x.data() + o * M;
    scratch.spelled[o] = spelled(in, x, ids + o * M, of, &wrong);
    for (int64_t m = 0; m < scratch.spelled[o]; ++m) best = of[m] > best ? of[m] : best;
  }
  const bool broken = s.lost || bad_scale;
  const bool lost = broken || wrong;
  const bool dead = !lost && std::isinf(best) && best < 0;

  int64_t prediction = 0;
  double total = 0.0, where = 0.0, entropy = 0.0;
  if (!lost) {
    for (int64_t o = 0; o < O; ++o) {
      const int64_t n = scratch.spelled[o];
      for (int64_t m = 0; m < n; ++m) scratch.terms[m] = gap(c, scratch.x[o * M + m], best);
      // Options with the same logits tie, in whatever order their spellings stand.
      std::sort(scratch.terms.begin(), scratch.terms.begin() + n);
      scratch.score[o] = n ? log2_sum(scratch.terms.data(), n) : -INF;
      if (scratch.score[o] > scratch.score[prediction]) prediction = o;
    }
    total = log2_sum(scratch.score.data(), O);
    where = s.certain ? (std::isinf(best) && best > 0 ? 0.0 : -INF)
                      : (static_cast<double>(c) * best - s.g) - s.log2_d;
  }
  for (int64_t o = 0; o < O; ++o) {
    const double log2_p = scratch.score[o] - total;
    const double p = std::exp2(log2_p);
    out.logprob[row * O + o] =
        lost ? NOT_A_NUMBER : static_cast<float>(std::min(0.0, scratch.score[o] + where) * LN2);
    out.prob[row * O + o] = lost || dead ? NOT_A_NUMBER : static_cast<float>(p);
    entropy -= p == 0.0 ? 0.0 : p * log2_p * LN2;
  }
  const double chosen = scratch.score[prediction] + (in.vocab_mode ? where : -total);
  float confidence = static_cast<float>(std::min(1.0, std::exp2(chosen)));
  out.mass[row] = lost ? NOT_A_NUMBER : static_cast<float>(std::min(1.0, std::exp2(total + where)));
  out.entropy[row] = lost || dead ? NOT_A_NUMBER : static_cast<float>(entropy);
  out.vocab_entropy[row] = broken ? NOT_A_NUMBER : static_cast<float>(s.entropy);
  out.token[row] = s.token;

  bool valid = !lost && !dead;
  if (!valid) prediction = 0;
  if (in.labels) {
    const int64_t label = label_of(in, row);
    const bool ignored = label == in.ignore_index;
    valid = valid && (ignored || (label >= 0 && label < O));
    out.correct[row] = valid && !ignored && prediction == label;
  }
  out.prediction[row] = prediction;
  out.confidence[row] = valid ? confidence : NOT_A_NUMBER;
  out.valid[row] = valid;
}

}  // namespace

int64_t spelled(const OptionInput& in, const void* row, const int64_t* ids, float* x, bool* wrong) {
  int64_t n = 0;
  for (int64_t m = 0; m < in.spellings; ++m) {
    const int64_t id = ids[m];
    if (id == -1) continue;
    if (id < 0 || id >= in.columns) {
      *wrong = true;
      continue;
    }
    if (std::find(ids, ids + m, id) != ids + m) continue;
    x[n++] = logit(row, in.type, id);
  }
  return n;
}

void option_scores(const OptionInput& in, const OptionOutput& out, const Histogram* histogram,
                   int threads) {
  for_each_row(in, false, threads, [&](int64_t row, float c, bool bad, const RowStats& s) {
    static thread_local Scratch scratch;
    finish_row(in, out, row, c, bad, s, scratch);
  });
  if (histogram) count_rows(in, *histogram, out.confidence, out.correct);
}

}  // namespace calib
