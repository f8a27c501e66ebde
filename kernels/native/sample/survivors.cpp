#include "sample/survivors.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "counting/cell_table.hpp"
#include "simd/variant.hpp"

namespace calib {
namespace {

constexpr float INF = std::numeric_limits<float>::infinity();
// So few candidates are sorted instead of being halved once more.
constexpr int64_t FEW = 512;
constexpr int HALVINGS = 24;
constexpr float COLDEST = 0x1p100f;  // cells have a scale below

// A beginning of the row in the order of falling logits.
struct Prefix {
  int64_t count = 0;
  double mass = 0.0;
  // Whether a limit of this size ends it here or earlier.
  bool reaches(const Prefix& limit) const { return count >= limit.count || mass >= limit.mass; }
};

int64_t length_of(const WeighedRow& row, int64_t block) {
  return std::min(BLOCK, row.columns - block * BLOCK);
}

const void* block_of(const WeighedRow& row, int64_t block) {
  return offset(row.x, row.type, block * BLOCK);
}

Prefix above_in(const WeighedRow& row, int64_t block, float t) {
  Prefix p;
  row.kernels.above[static_cast<int>(row.type)](block_of(row, block), length_of(row, block), row.c,
                                                row.max, t, &p.count, &p.mass);
  return p;
}

Prefix above(const WeighedRow& row, float t) {
  Prefix all;
  for (int64_t block = 0; block < blocks_of(row.columns); ++block) {
    const Prefix p = above_in(row, block, t);
    all.count += p.count;
    all.mass += p.mass;
  }
  return all;
}

float just_below(float x) { return std::nextafter(x, -INF); }

// Two logits that the limit lies between, as far as the row's cells tell.
std::array<float, 2> about(const WeighedRow& row, const Prefix& limit) {
  const SweepKernels& kernels = *variant().sweep;
  Cells& cells = Cells::own();
  const CellPlan plan(row.c, -127.0 / row.c, row.max);
  const float width = CELL_PLACES / plan.scale;
  const double b = row.c * LN2;
  for (int64_t block = 0; block < blocks_of(row.columns); ++block)
    cells.add(kernels, plan, block_of(row, block), row.type, length_of(row, block));
  Prefix p = {1, 1.0};
  float found = row.max;
  cells.drain(kernels, plan, 0, row.columns, [&](const CellGroups& groups, int64_t n) {
    constexpr int64_t WIDE = CellGroups::AT_ONCE;
    for (int64_t first = 0; first < n; first += WIDE)
      for (int64_t i = first + WIDE - 1; i >= first && !p.reaches(limit); --i) {
        const double count = groups.moment[0][i];
        double mass = 0.0;
        for (int m = CellGroups::MOMENTS; m-- > 0;) mass = mass * b + groups.moment[m][i];
        mass *= std::exp2(row.c * groups.y[i]);
        // As far down the group as it takes.
        const double part = std::min({1.0, static_cast<double>(limit.count - p.count) / count,
                                      (limit.mass - p.mass) / mass});
        const auto below = static_cast<float>(CellGroups::SIZE * (0.5 - part));
        found = row.max + (groups.y[i] + below * width);
        p.count += static_cast<int64_t>(count);
        p.mass += mass;
      }
  });
  return {found - 1.5f * width, found + 1.5f * width};
}

// The id of the number-th logit that equals value, where `below` is the next smaller float.
int64_t place_of(const WeighedRow& row, float value, float below, int64_t number) {
  int32_t places[BLOCK];
  for (int64_t block = 0;; ++block) {
    const int64_t equal = above_in(row, block, below).count - above_in(row, block, value).count;
    if (equal < number) {
      number -= equal;
      continue;
    }
    row.kernels.within[static_cast<int>(row.type)](block_of(row, block), length_of(row, block),
                                                   below, value, places);
    return block * BLOCK + places[number - 1];
  }
}

// The cut before the first token at which the limit is reached, but after the first of all. `low`
// is a logit, and at_low, what stands above it, reaches the limit. *mass is of what is left.
Cut search(const WeighedRow& row, const Prefix& limit, float low, Prefix at_low, double* mass) {
  float high = row.max;
  Prefix kept;
  // Halves what is left at middle. Returns whether that is within it.
  const auto narrow = [&](float middle) {
    if (!(low < middle && middle < high)) return false;
    const Prefix p = above(row, middle);
    if (p.reaches(limit)) {
      low = middle;
      at_low = p;
    } else {
      high = middle;
      kept = p;
    }
    return true;
  };
  // Additions to one cell wait for each other, and what masks leave is soon halved.
  if (at_low.count > std::max(FEW, row.columns / 4) && row.columns <= CELL_LOGITS &&
      row.c < COLDEST && !repetitive(row.x, row.type, std::min(LANES, row.columns), low))
    for (const float x : about(row, limit)) narrow(x);
  for (int i = 0; i < HALVINGS && at_low.count - kept.count > FEW && low < just_below(high); ++i) {
    const auto middle = static_cast<float>(0.5 * (static_cast<double>(low) + high));
    if (!narrow(middle)) break;
    // On to logits that exist, so that of many equal ones nothing but them is left.
    float most = -INF, least = INF;
    for (int64_t block = 0; block < blocks_of(row.columns); ++block)
      row.kernels.around[static_cast<int>(row.type)](block_of(row, block), length_of(row, block),
                                                     middle, &most, &least);
    if (low == middle)
      low = just_below(least);
    else
      high = most;
  }
  if (low >= just_below(high)) {
    const double e = std::exp2(static_cast<double>(row.c) * (static_cast<double>(high) - row.max));
    const double ties = std::min({static_cast<double>(at_low.count - kept.count),
                                  static_cast<double>(limit.count - kept.count),
                                  std::ceil((limit.mass - kept.mass) / e)});
    const auto number = static_cast<int64_t>(std::max(ties, 1.0));
    *mass = kept.mass + static_cast<double>(number) * e;
    return {high, place_of(row, high, low, number)};
  }
  struct Token {
    float x;
    int64_t id;
  };
  std::vector<Token> tokens;
  tokens.reserve(at_low.count - kept.count);
  for (int64_t block = 0; block < blocks_of(row.columns); ++block) {
    int32_t places[BLOCK];
    const int64_t found = row.kernels.within[static_cast<int>(row.type)](
        block_of(row, block), length_of(row, block), low, high, places);
    for (int64_t i = 0; i < found; ++i) {
      const int64_t id = block * BLOCK + places[i];
      tokens.push_back({logit(row.x, row.type, id), id});
    }
  }
  std::stable_sort(tokens.begin(), tokens.end(), [](Token a, Token b) { return a.x > b.x; });
  Cut cut = {high, row.columns};
  for (const Token& token : tokens) {
    if (kept.reaches(limit) && kept.count > 0) break;
    cut = {token.x, token.id};
    ++kept.count;
    kept.mass += std::exp2(static_cast<double>(row.c) * (static_cast<double>(token.x) - row.max));
  }
  *mass = kept.mass;
  return cut;
}

// Floats in their order as integers, and back.
int32_t ordinal(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits < 0 ? static_cast<int32_t>(0x80000000u - static_cast<uint32_t>(bits)) : bits;
}

float at_ordinal(int32_t i) {
  const int32_t bits = i < 0 ? static_cast<int32_t>(0x80000000u - static_cast<uint32_t>(i)) : i;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// x - max >= gap grows with x: halve the floats below max for where it begins.
Cut cut_at_gap(float max, float gap) {
  int32_t out = ordinal(-INF), in = ordinal(max);
  while (static_cast<int64_t>(in) - out > 1) {
    const int32_t middle = static_cast<int32_t>((static_cast<int64_t>(in) + out) >> 1);
    (at_ordinal(middle) - max >= gap ? in : out) = middle;
  }
  return {at_ordinal(out), -1};
}

}  // namespace

Cut cut_of(const WeighedRow& row, const Filters& filters) {
  Cut cut;
  if (filters.top_k > 0 || filters.top_p < 1.0) {
    // What lies lower weighs nothing, whether it stays or not.
    const double floor = static_cast<double>(row.max) - 127.0 / row.c;
    const float low =
        std::min(static_cast<float>(std::max(floor, -0x1.fffffep127)), just_below(row.max));
    const Prefix all = above(row, low);
    Prefix limit = {std::numeric_limits<int64_t>::max(), std::numeric_limits<double>::infinity()};
    double mass = all.mass;
    if (filters.top_k > 0 && filters.top_k <= all.count) {
      limit.count = filters.top_k;
      cut = search(row, limit, low, all, &mass);
    }
    if (filters.top_p < 1.0) {
      limit.mass = filters.top_p * mass;
      cut = search(row, limit, low, all, &mass);
    }
  }
  if (!std::isinf(filters.gap)) {
    const Cut near = cut_at_gap(row.max, filters.gap);
    if (near.value >= cut.value) cut = near;
  }
  return cut;
}

int64_t weigh_block(const WeighedRow& row, const Cut& cut, int64_t block, float ref, float* weights,
                    double* sums) {
  const int64_t start = block * BLOCK, length = length_of(row, block);
  const int64_t groups = (length + LANES - 1) / LANES;
  // Before its last id, a cut leaves its own value.
  const float t = cut.last >= start ? just_below(cut.value) : cut.value;
  row.kernels.weights[static_cast<int>(row.type)](block_of(row, block), length, row.c, ref, t,
                                                  weights, sums);
  if (cut.last < start || cut.last >= start + length - 1) return groups;
  for (int64_t i = cut.last + 1 - start; i < length; ++i)
    if (logit(row.x, row.type, start + i) == cut.value) weights[i] = 0.0f;
  for (int64_t group = 0; group < groups; ++group) {
    sums[group] = 0.0;
    for (int64_t i = group * LANES; i < (group + 1) * LANES; ++i) sums[group] += weights[i];
  }
  return groups;
}

double block_mass(const WeighedRow& row, const Cut& cut, int64_t block) {
  const int64_t start = block * BLOCK, end = start + length_of(row, block) - 1;
  if (cut.last < start) return above_in(row, block, cut.value).mass;
  if (cut.last >= end) return above_in(row, block, just_below(cut.value)).mass;
  alignas(64) float weights[BLOCK];
  double sums[GROUPS], mass = 0.0;
  const int64_t groups = weigh_block(row, cut, block, row.max, weights, sums);
  for (int64_t group = 0; group < groups; ++group) mass += sums[group];
  return mass;
}

}  // namespace calib
