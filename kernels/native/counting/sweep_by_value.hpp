// The power sums of a row of sixteen-bit logits: its values are counted, then summed.
//
// Sixteen bits tell 65,536 values apart, and a row of bfloat16 logits holds a few thousand of them,
// many times each. Once they are counted, further temperatures cost next to nothing. float16 logits
// are counted so where cells (sweep_cells.hpp) do not tell them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "temperature_sweep/chunks.hpp"

namespace calib {

// How often each key occurs; nothing between rows.
class Tally {
 public:
  // Returns where the keys of these n logits lie.
  KeyRanges add(const SweepKernels& kernels, const uint16_t* x, int64_t n) {
    const KeyRanges found = kernels.count(x, n, counts_.data());
    for (int sign = 0; sign < 2; ++sign) {
      ranges_.from[sign] = std::min(ranges_.from[sign], found.from[sign]);
      ranges_.to[sign] = std::max(ranges_.to[sign], found.to[sign]);
    }
    return found;
  }

  // Calls take(keys, times, n) for n <= BLOCK keys at a time until every key that occurs was given,
  // among others of no times that lie between them: n is a multiple of LANES. Nothing is left.
  template <class Take>
  void drain(const SweepKernels& kernels, const Take& take) {
    constexpr int WIDE = static_cast<int>(LANES);
    uint16_t keys[BLOCK];
    float times[BLOCK];
    int64_t n = 0;
    for (int sign = 0; sign < 2; ++sign) {
      const int from = ranges_.from[sign], to = ranges_.to[sign];
      for (int key = from / WIDE * WIDE; key < to; key += WIDE) {
        if (!kernels.drain(counts_.data() + key, times + n)) continue;
        for (int i = 0; i < WIDE; ++i) keys[n + i] = static_cast<uint16_t>(key + i);
        // What lies beyond the range may be NaN.
        for (int i = 0; key + i < from; ++i) keys[n + i] = static_cast<uint16_t>(from);
        for (int i = WIDE - 1; key + i >= to; --i) keys[n + i] = static_cast<uint16_t>(to - 1);
        n += WIDE;
        if (n < BLOCK) continue;
        take(keys, times, n);
        n = 0;
      }
    }
    if (n) take(keys, times, n);
    ranges_ = NOWHERE;
  }

  const KeyRanges& ranges() const { return ranges_; }

 private:
  static constexpr KeyRanges NOWHERE = {{KEYS, KEYS}, {0, 0}};
  std::vector<uint32_t> counts_ = std::vector<uint32_t>(TABLES * KEYS);
  KeyRanges ranges_ = NOWHERE;
};

// The largest number whose key is in these ranges, -inf if there is none; NaN if one is.
inline float largest_in(const KeyRanges& ranges, DType type) {
  const float inf = std::numeric_limits<float>::infinity();
  float largest = -inf;
  for (int sign = 0; sign < 2; ++sign) {
    if (ranges.from[sign] >= ranges.to[sign]) continue;
    const float near_0 = half_to_float(static_cast<uint16_t>(ranges.from[sign]), type);
    const float far = half_to_float(static_cast<uint16_t>(ranges.to[sign] - 1), type);
    if (std::isnan(far)) return far;
    largest = std::max({largest, near_0, far});
  }
  return largest;
}

// What sum_sweep_chunk and join_chunks tell of a row.
inline SweepRow sum_tallied_row(const SweepKernels& kernels, const SweepPlan& plan,
                                const uint16_t* x, DType type, int64_t n, Tally& tally,
                                PowerSums* sums) {
  const float inf = std::numeric_limits<float>::infinity();
  const int t = static_cast<int>(type);
  SweepRow row = {-inf, 0, false, false, 0.0f};
  int64_t best = 0;
  for (int64_t start = 0; start < n; start += BLOCK) {
    const KeyRanges found = tally.add(kernels, x + start, std::min(BLOCK, n - start));
    const float own = largest_in(found, type);
    if (own > row.max) {
      row.max = own;
      best = start;
    }
  }
  const float max = largest_in(tally.ranges(), type);
  const bool odd = std::isnan(max) || max == inf;
  row.lost = max == -inf;
  row.ref = odd || row.lost ? 0.0f : max;
  std::vector<WideSums> wide(plan.slots.size());
  tally.drain(kernels, [&](const uint16_t* keys, const float* times, int64_t values) {
    if (odd || row.lost) return;
    sum_sweep_block(kernels, plan, keys, times, type, values, row.ref, 0, wide.data());
  });
  if (odd) return odd_sweep_row(x, type, n);
  if (row.lost) return row;
  row.token = best + variant().rows->find[t](x + best, std::min(BLOCK, n - best), max);
  for (size_t i = 0; i < wide.size(); ++i) sums[i] = taken(wide[i]);
  return row;
}

}  // namespace calib
