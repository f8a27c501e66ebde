// The power sums of a row of sixteen-bit logits: its values are counted, then summed.
//
// Sixteen bits tell 65,536 values apart, and a row of bfloat16 logits holds a few thousand of them,
// many times each. Once they are counted, further temperatures cost next to nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "sweep_rows.hpp"

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

  // Calls take(keys, times, n) for n <= BLOCK keys at a time until every key that occurs was given.
  // Behind them, times is 0 up to a whole group of LANES.
  template <class Take>
  void for_each(const Take& take) const {
    uint16_t keys[BLOCK + 1];
    float times[BLOCK + LANES];
    int64_t n = 0;
    const auto give = [&] {
      std::fill_n(times + n, (LANES - n % LANES) % LANES, 0.0f);
      take(keys, times, n);
      n = 0;
    };
    for (int sign = 0; sign < 2; ++sign)
      for (int key = ranges_.from[sign]; key < ranges_.to[sign]; ++key) {
        const uint32_t count = at(key);
        keys[n] = static_cast<uint16_t>(key);
        times[n] = static_cast<float>(count);
        n += count > 0;
        if (n == BLOCK) give();
      }
    if (n) give();
  }

  void clear() {
    for (int sign = 0; sign < 2; ++sign)
      for (int t = 0; t < TABLES && ranges_.from[sign] < ranges_.to[sign]; ++t)
        std::fill(counts_.data() + t * KEYS + ranges_.from[sign],
                  counts_.data() + t * KEYS + ranges_.to[sign], 0u);
    ranges_ = NOWHERE;
  }

  const KeyRanges& ranges() const { return ranges_; }

 private:
  static constexpr KeyRanges NOWHERE = {{KEYS, KEYS}, {0, 0}};
  uint32_t at(int key) const {
    uint32_t count = 0;
    for (int t = 0; t < TABLES; ++t) count += counts_[t * KEYS + key];
    return count;
  }

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

// What sum_sweep_chunk and join_chunks tell of a row, at temperatures of no grid.
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
  if (std::isnan(max) || max == inf) {
    row = odd_sweep_row(x, type, n);
  } else if (max == -inf) {
    row.lost = true;
  } else {
    row.ref = max;
    row.token = best + variant().rows->find[t](x + best, std::min(BLOCK, n - best), max);
    std::fill(sums, sums + plan.loose.size(), PowerSums{0.0, 0.0, 0.0});
    std::vector<PowerSums> block(plan.loose.size());
    tally.for_each([&](const uint16_t* keys, const float* times, int64_t values) {
      alignas(64) float y[BLOCK];
      kernels.centre[t](keys, values, max, plan.low, y);
      kernels.each_times[plan.derivatives](y, times, (values + LANES - 1) / LANES,
                                           plan.loose.data(), static_cast<int>(block.size()),
                                           block.data());
      for (size_t i = 0; i < block.size(); ++i) sums[i] += block[i];
    });
  }
  tally.clear();
  return row;
}

}  // namespace calib
