#include "temperature_sweep/temperature_sweep.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "counting/sweep_in_cells.hpp"
#include "rows/walk.hpp"
#include "temperature_sweep/chunks.hpp"

namespace calib {
namespace {

constexpr double INF = std::numeric_limits<double>::infinity();

// Subnormal results and operands count as zero while it lives: powers of what is small underflow,
// and some processors take a hundred cycles over each.
class FlushSubnormals {
#if defined(__SSE__)
 public:
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushSubnormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#endif
};

// One row at one temperature.
struct Term {
  double nll, grad, hess;
  float confidence;
  bool correct;
};

struct Results {
  int64_t temperatures;
  std::vector<Term> terms;    // (rows, temperatures)
  std::vector<char> counted;  // (rows)
  Results(int64_t rows, int64_t k) : temperatures(k), terms(rows * k), counted(rows) {}
  Term& at(int64_t row, int64_t k) { return terms[row * temperatures + k]; }
};

// Of weights 2^(c y) whose sums these are, about `ref`.
double mean_of(const PowerSums& p) { return p.w / p.d; }
double spread_of(const PowerSums& p) { return std::max(0.0, p.s / p.d - mean_of(p) * mean_of(p)); }

Term column_term(const SweepRow& row, const PowerSums& p, double c, double gold, bool correct) {
  if (row.certain) {
    const double far = gold == INF ? 0.0 : INF;
    return {far, far, 0.0, 1.0f, correct};
  }
  const double away = gold - row.ref;
  const double top = static_cast<double>(row.max) - row.ref;
  return {std::max(0.0, std::log2(p.d) - c * away) * LN2, mean_of(p) - away, spread_of(p),
          static_cast<float>(std::min(1.0, std::exp2(c * top) / p.d)), correct};
}

// Whether the row is neither ignored nor mislabelled.
bool labelled(const SweepInput& in, int64_t row, int64_t classes, int64_t* label) {
  *label = label_of(in, row);
  return *label != in.ignore_index && *label >= 0 && *label < classes;
}

void finish_columns(const SweepInput& in, const SweepPlan& plan, int64_t row, const SweepRow& found,
                    const PowerSums* sums, Results& results) {
  int64_t label;
  results.counted[row] = labelled(in, row, in.columns, &label) && !found.lost;
  if (!results.counted[row]) return;
  const void* x = row_of(in, row);
  const double gold = logit(x, in.type, label);
  for (int64_t k = 0; k < results.temperatures; ++k) {
    const double c = plan.scale[k];
    if (std::isnan(c)) continue;
    const bool correct = found.token == label;
    if (plan.slot[k] >= 0 || found.certain) {
      results.at(row, k) = column_term(found, sums[std::max(0, plan.slot[k])], c, gold, correct);
      continue;
    }
    SweepRow about = found;
    about.ref = found.max;
    const PowerSums p = sums_in_double(x, in.type, in.columns, c, found.max);
    results.at(row, k) = column_term(about, p, c, gold, correct);
  }
}

// Whether to count a row's logits first, as its temperatures then sum over fewer. In the time that
// a logit takes at a temperature of no grid with both derivatives: a grid takes 3.5, either half of
// it without, finding the maximum 0.7, counting 2.5. A cell takes 0.4 at each temperature and 4
// once (bench/findings/sweeps-and-memory.md).
bool worth_counting(const SweepInput& in, const SweepPlan& plan) {
  constexpr double GRID_COST = 3.5, LARGEST_COST = 0.7, COUNT_COST = 2.5, CELL_COST = 4.0;
  constexpr double CELL_COST_EACH = 0.4;
  constexpr double CELLS_OF_A_ROW = 1250.0;  // by 1 / T, of logits as models give them
  if (plan.slots.empty() || in.columns > CELL_LOGITS) return false;
  const double logits = in.columns, cells = CELLS_OF_A_ROW * plan.most * LN2;
  double at_once = 0.0;
  for (const SweepGroup& group : plan.groups)
    at_once += group.base > 0.0f ? GRID_COST : group.places.size();
  at_once *= 0.5 + 0.25 * plan.derivatives;
  const double counted =
      logits * COUNT_COST + cells * (CELL_COST_EACH * plan.slots.size() + CELL_COST);
  return logits * (at_once + LARGEST_COST) > counted;
}

// The sums of a row that is worth counting. Returns false if it has to be summed as it is.
bool sum_counted_row(const SweepInput& in, const SweepPlan& plan, int64_t row, PowerSums* sums,
                     SweepRow* found) {
  const FlushSubnormals flushed;
  return sum_row_in_cells(*variant().sweep, plan, row_of(in, row), in.type, in.columns,
                          Cells::own(), sums, found);
}

void sweep_columns(const SweepInput& in, int threads, Results& results) {
  const SweepPlan plan(in);
  const bool counts = worth_counting(in, plan);
  const SweepKernels& kernels = *variant().sweep;
  const int64_t V = in.columns, pieces = chunks_of(V), slots = plan.slots.size();
  if (in.rows * V < WORTH_THREADS) threads = 1;
  const auto sum = [&](int64_t row, int64_t piece, SweepChunk* chunk, PowerSums* sums) {
    const FlushSubnormals flushed;
    const int64_t start = piece * CHUNK;
    sum_sweep_chunk(kernels, plan, offset(in.logits, in.type, row * in.stride + start), in.type,
                    std::min(CHUNK, V - start), chunk, sums);
  };
  const auto finish = [&](int64_t row, const SweepChunk* chunks, const PowerSums* parts) {
    std::vector<PowerSums> sums(std::max<int64_t>(1, slots));
    const SweepRow found =
        join_chunks(plan, row_of(in, row), in.type, V, chunks, parts, sums.data());
    finish_columns(in, plan, row, found, sums.data(), results);
  };
  if (counts || threads == 1 || pieces == 1 || in.rows >= 4 * threads) {
    parallel_for(in.rows, threads, [&](int64_t row) {
      int64_t label;
      if (!labelled(in, row, V, &label)) return;  // it has nothing to say
      std::vector<PowerSums> sums(pieces * slots);
      SweepRow found;
      if (counts && sum_counted_row(in, plan, row, sums.data(), &found))
        return finish_columns(in, plan, row, found, sums.data(), results);
      std::vector<SweepChunk> chunks(pieces);
      for (int64_t piece = 0; piece < pieces; ++piece)
        sum(row, piece, &chunks[piece], sums.data() + piece * slots);
      finish(row, chunks.data(), sums.data());
    });
    return;
  }
  // Few rows: threads share the chunks of a row. The same chunks, so the same bits.
  std::vector<SweepChunk> chunks(in.rows * pieces);
  std::vector<PowerSums> sums(in.rows * pieces * slots);
  parallel_for(in.rows * pieces, threads, [&](int64_t task) {
    sum(task / pieces, task % pieces, &chunks[task], sums.data() + task * slots);
  });
  parallel_for(in.rows, threads, [&](int64_t row) {
    finish(row, &chunks[row * pieces], sums.data() + row * pieces * slots);
  });
}

struct Options {
  std::vector<float> x;          // (options, spellings)
  std::vector<int64_t> spelled;  // (options)
};

void finish_options(const SweepInput& in, int64_t row, Options& scratch, Results& results) {
  const int64_t O = in.options, M = in.spellings;
  const int64_t* ids = in.ids + (in.shared_ids ? 0 : row * O * M);
  int64_t label;
  if (!labelled(in, row, O, &label)) return;
  scratch.x.resize(O * M);
  scratch.spelled.resize(O);
  bool lost = false;
  int64_t infinite = 0;
  double best = -INF;
  for (int64_t o = 0; o < O; ++o) {
    float* x = scratch.x.data() + o * M;
    scratch.spelled[o] = spelled(in, row_of(in, row), ids + o * M, x, &lost);
    for (int64_t m = 0; m < scratch.spelled[o]; ++m) {
      lost = lost || std::isnan(x[m]);
      infinite += x[m] == INF;
      best = std::max<double>(best, x[m]);
    }
  }
  if (lost || infinite > 1 || best == -INF) return;
  results.counted[row] = true;
  // Options with the same logits tie, in whatever order their spellings stand.
  for (int64_t o = 0; o < O; ++o) {
    float* x = scratch.x.data() + o * M;
    std::sort(x, x + scratch.spelled[o]);
  }
  for (int64_t k = 0; k < results.temperatures; ++k) {
    const double c = in.scales[k];
    if (std::isnan(c)) continue;
    PowerSums all = {0.0, 0.0, 0.0}, gold = all;
    double largest = -INF;
    int64_t prediction = 0;
    for (int64_t o = 0; o < O; ++o) {
      // An option's score about its own best spelling, so that one far below the others keeps it.
      const float* x = scratch.x.data() + o * M;
      const int64_t n = scratch.spelled[o];
      const double own = n ? x[n - 1] : -INF;
      const double shift = own == best ? 0.0 : own - best;
      PowerSums p = {0.0, 0.0, 0.0};
      for (int64_t m = 0; m < n && own > -INF; ++m) {
        const double y = x[m] == own ? 0.0 : x[m] - own;
        const double e = std::exp2(c * y);
        if (e == 0.0) continue;
        p.d += e;
        p.w += e * y;
        p.s += e * y * y;
      }
      const double score = own > -INF ? c * shift + std::log2(p.d) : -INF;
      if (score > largest) {
        largest = score;
        prediction = o;
      }
      if (o == label)
        gold = {score, own > -INF ? shift + mean_of(p) : -INF, own > -INF ? spread_of(p) : 0.0};
      if (score == -INF) continue;
      all += moved(p, c, -shift);
    }
    results.at(row, k) = {std::max(0.0, std::log2(all.d) - gold.d) * LN2, mean_of(all) - gold.w,
                          spread_of(all) - gold.s,
                          static_cast<float>(std::min(1.0, std::exp2(largest) / all.d)),
                          prediction == label};
  }
}

}  // namespace

void temperature_sweep(const SweepInput& in, const SweepOutput& out,
                       const std::vector<Histogram>& histograms, int threads) {
  const int64_t K = in.scales.size();
  Results results(in.rows, K);
  if (in.ids) {
    if (in.rows * in.options * in.spellings * K < WORTH_THREADS) threads = 1;
    parallel_for(in.rows, threads, [&](int64_t row) {
      static thread_local Options scratch;
      finish_options(in, row, scratch, results);
    });
  } else {
    sweep_columns(in, threads, results);
  }
  *out.count = std::count(results.counted.begin(), results.counted.end(), 1);
  for (int64_t k = 0; k < K; ++k) {
    const bool bad = std::isnan(in.scales[k]);
    double nll = bad ? NOT_A_NUMBER : 0.0, grad = nll, hess = nll;
    for (int64_t row = 0; row < in.rows; ++row) {
      const bool counted = results.counted[row] && !bad;
      const Term& term = results.at(row, k);
      if (counted) {
        nll += term.nll;
        grad += term.grad;
        hess += term.hess;
      }
      if (!histograms.empty() && label_of(in, row) != in.ignore_index)
        add_row(histograms[k], counted ? term.confidence : NOT_A_NUMBER, term.correct);
    }
    out.nll[k] = nll;
    if (out.grad) out.grad[k] = grad;
    if (out.hess) out.hess[k] = hess;
  }
}

}  // namespace calib
