#include "sample/sample.hpp"

#include <cmath>
#include <vector>

#include "sample/philox.hpp"

namespace calib {
namespace {

// The first of n weights whose sum up to it exceeds *target, else the last that is not 0; *target
// becomes what is left of it there. One weight at least is not 0.
template <class Weight>
int64_t choose(const Weight* weights, int64_t n, double* target) {
  double sum = 0.0, before = 0.0;
  int64_t last = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(weights[i] > 0)) continue;
    last = i;
    before = sum;
    sum += weights[i];
    if (sum > *target) break;
  }
  *target -= before;
  return last;
}

template <class Weight>
double total(const Weight* weights, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) sum += weights[i];
  return sum;
}

int64_t draw(const WeighedRow& row, const Cut& cut, const std::vector<double>& masses, double mass,
             double u0, double u1) {
  double target = u0 * mass;
  const int64_t block = choose(masses.data(), masses.size(), &target);
  const int64_t start = block * BLOCK;
  // Relative to the block's own maximum, however little the block weighs.
  const float ref = row.kernels.largest[static_cast<int>(row.type)](
      offset(row.x, row.type, start), std::min(BLOCK, row.columns - start));
  alignas(64) float weights[BLOCK];
  double sums[GROUPS];
  const int64_t groups = weigh_block(row, cut, block, ref, weights, sums);
  target = u1 * total(sums, groups);
  const int64_t group = choose(sums, groups, &target);
  return start + group * LANES + choose(weights + group * LANES, LANES, &target);
}

// Masses of the blocks, relative to the row's maximum, and what the filters leave of the row.
Cut weigh_row(const WeighedRow& row, const RowStats& s, const Filters& filters,
              const BlockSum* blocks, std::vector<double>& masses) {
  Cut cut;
  if (filters.any()) cut = cut_of(row, filters);
  for (size_t b = 0; b < masses.size(); ++b) {
    if (s.reread || filters.any())
      masses[b] = block_mass(row, cut, b);
    else
      masses[b] = blocks[b].d > 0.0 ? blocks[b].d * std::exp2(blocks[b].g - s.g) : 0.0;
  }
  return cut;
}

void finish_row(const SampleInput& in, const SampleOutput& out, int64_t row, float c,
                bool bad_scale, const RowStats& s, const BlockSum* blocks) {
  const bool lost = s.lost || bad_scale;
  const bool weighed = !lost && !s.certain;
  const WeighedRow weights = {*variant().sample, row_of(in, row), in.type, in.columns, c, s.max};
  Filters filters = in.filters;
  if (in.temperatures && !std::isinf(filters.gap))
    filters.gap *= in.temperatures[in.shared_temperature ? 0 : row];
  const bool filtered = weighed && filters.any();
  static thread_local std::vector<double> masses;
  Cut cut;
  double mass = 1.0;
  if (weighed && (filtered || !in.greedy)) {
    masses.resize(blocks_of(in.columns));
    cut = weigh_row(weights, s, filters, blocks, masses);
    mass = total(masses.data(), masses.size());
  }
  for (int64_t i = row * in.draws; i < (row + 1) * in.draws; ++i) {
    int64_t token = s.token;
    if (weighed && !in.greedy) {
      double u[2];
      for (uint32_t stage = 0; stage < 2; ++stage)
        u[stage] = in.uniforms ? in.uniforms[2 * i + stage]
                               : uniform(in.seed, in.item[in.shared_item ? 0 : row], in.sample[i],
                                         in.step[in.shared_step ? 0 : row], stage);
      token = draw(weights, cut, masses, mass, u[0], u[1]);
    }
    const float x = logit(weights.x, in.type, token);
    const double unfiltered = lost ? NOT_A_NUMBER : logprob_of(s, c, x);
    const double gap_to_max = static_cast<double>(c) * (static_cast<double>(x) - s.max);
    out.token[i] = token;
    out.logprob[i] = static_cast<float>(
        filtered ? std::fmin(0.0, gap_to_max - std::log2(mass)) * LN2 : unfiltered);
    out.logprob_unfiltered[i] = static_cast<float>(unfiltered);
    out.entropy[i] = lost ? NOT_A_NUMBER : static_cast<float>(s.entropy);
    out.valid[i] = !lost;
  }
}

}  // namespace

void sample(const SampleInput& in, const SampleOutput& out, int threads) {
  const int64_t per_row = blocks_of(in.columns);
  std::vector<BlockSum> blocks(in.rows * per_row);
  for_each_row(
      in, false, threads,
      [&](int64_t row, float c, bool bad, const RowStats& s) {
        finish_row(in, out, row, c, bad, s, &blocks[row * per_row]);
      },
      blocks.data());
}

}  // namespace calib
