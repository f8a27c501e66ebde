// The power sums of a row of logits: its chunks in order, each about a reference of its own.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "rows/statistics.hpp"
#include "simd/variant.hpp"
#include "temperature_sweep/temperature_sweep.hpp"

namespace calib {

// What the loops compute, and where the sums of a temperature are found.
struct SweepPlan {
  // Outside of these, sums in float could leave its range: such temperatures are summed in double.
  static constexpr double LEAST = 1.4e-6, MOST = 1.4e6;

  std::vector<SweepGroup> groups;  // what is left to the loops
  std::vector<double> slots;       // c of each sum
  std::vector<int> slot;           // of each temperature, or -1
  std::vector<double> scale;       // c of each temperature as the loops use it
  std::vector<float> loose;        // c of those of no grid
  int derivatives;
  float most = 0.0f;  // the largest c
  float low = -1.0f;  // y below it is 0 at every temperature

  explicit SweepPlan(const SweepInput& in)
      : slot(in.scales.size(), -1), scale(in.scales), derivatives(in.derivatives) {
    double least = MOST;
    for (const SweepGroup& group : in.groups) {
      const float base = group.base;
      SweepGroup kept = {base, {}, {}};
      const int start = static_cast<int>(slots.size());
      for (size_t i = 0; i < group.places.size(); ++i) {
        const int place = group.places[i];
        const int multiple = base > 0.0f ? group.multiples[i] : 1;
        const float c = base > 0.0f ? base : static_cast<float>(in.scales[place]);
        if (!(c >= LEAST && static_cast<double>(c) * multiple <= MOST)) continue;
        slot[place] = start + (base > 0.0f ? multiple - 1 : static_cast<int>(kept.places.size()));
        scale[place] = static_cast<double>(c) * multiple;
        kept.places.push_back(place);
        least = std::min<double>(least, c);
        most = std::max(most, static_cast<float>(scale[place]));
      }
      if (kept.places.empty()) continue;
      if (base > 0.0f)
        for (int k = 1; k <= GRID; ++k) slots.push_back(static_cast<double>(base) * k);
      else
        for (const int place : kept.places) {
          slots.push_back(scale[place]);
          loose.push_back(static_cast<float>(scale[place]));
        }
      groups.push_back(std::move(kept));
    }
    low = static_cast<float>(-127.0 / least);
  }
};

struct SweepChunk {
  float max;          // -inf if nothing is larger; NaNs are passed over
  int64_t max_block;  // offset in the chunk of the block that holds max first
  bool seen;          // whether any logit is larger than -inf: else there are no sums
  bool odd;           // a NaN or a +inf: nothing else may be used
  float ref;
};

inline PowerSums& operator+=(PowerSums& sums, const PowerSums& more) {
  sums.d += more.d;
  sums.w += more.w;
  sums.s += more.s;
  return sums;
}

// Sums about a reference that is `shift` higher.
inline PowerSums moved(const PowerSums& p, double c, double shift) {
  const double a = std::exp2(-c * shift);
  if (a == 0.0) return {0.0, 0.0, 0.0};
  return {a * p.d, a * (p.w - shift * p.d), a * (p.s - shift * (2.0 * p.w - shift * p.d))};
}

// What blocks have added, which starts anew.
inline PowerSums taken(WideSums& wide) {
  const auto folded = [](const double* p) {
    return ((p[0] + p[1]) + (p[2] + p[3])) + ((p[4] + p[5]) + (p[6] + p[7]));
  };
  const PowerSums sums = {folded(wide.d), folded(wide.w), folded(wide.s)};
  wide = {};
  return sums;
}

// Adds to sums (slots) those of n <= BLOCK logits about ref. Meanwhile `ahead` bytes behind them
// are fetched.
inline void sum_sweep_block(const SweepKernels& kernels, const SweepPlan& plan, const void* x,
                            DType type, int64_t n, float ref, int64_t ahead, WideSums* sums) {
  const int t = static_cast<int>(type), derivatives = plan.derivatives;
  const int64_t share = ahead / std::max<int64_t>(1, plan.groups.size());
  SweepAhead next = {reinterpret_cast<uintptr_t>(offset(x, type, n)), share};
  for (const SweepGroup& group : plan.groups) {
    if (group.base > 0.0f) {
      kernels.grid[derivatives][t](x, n, ref, plan.low, group.base, next, sums);
      sums += GRID;
    } else {
      const int count = static_cast<int>(plan.loose.size());
      kernels.each[derivatives][t](x, n, ref, plan.low, plan.loose.data(), count, next, sums);
      sums += count;
    }
    next.at += static_cast<uintptr_t>(share);
  }
}

// Whether any of n <= BLOCK logits is NaN.
inline bool holds_nan(const SweepKernels& kernels, const void* x, DType type, int64_t n) {
  const float one = 1.0f;
  WideSums sums = {};
  kernels.each[0][static_cast<int>(type)](x, n, 0.0f, -1.0f, &one, 1, {}, &sums);
  return std::isnan(taken(sums).d);
}

inline void sum_sweep_chunk(const SweepKernels& kernels, const SweepPlan& plan, const void* x,
                            DType type, int64_t n, SweepChunk* out, PowerSums* sums) {
  // A block whose maximum exceeds the reference by more bits becomes the reference: what dominates
  // the sums keeps an exact exponential, and no power can overflow.
  constexpr double HEADROOM = 1.0;
  constexpr int64_t SHORT = 8 * LANES;
  const size_t slots = plan.slots.size();
  std::vector<WideSums> since(slots);  // the reference was chosen
  const int t = static_cast<int>(type);
  *out = {-std::numeric_limits<float>::infinity(), 0, false, false, 0.0f};
  std::fill(sums, sums + slots, PowerSums{0.0, 0.0, 0.0});
  const auto settle = [&] {
    for (size_t i = 0; i < slots; ++i) sums[i] += taken(since[i]);
  };
  for (int64_t start = 0, length; start < n; start += length) {
    const void* from = offset(x, type, start);
    // Sums of equal terms in float all round one way, so few are added before they are folded. What
    // masks leave weighs nothing.
    const float least = std::max(out->max + plan.low, std::numeric_limits<float>::lowest());
    length = std::min(BLOCK, n - start);
    if (repetitive(from, type, length, least)) length = std::min(SHORT, length);
    const float own = kernels.largest[t](from, length);
    if (own > out->max) {
      out->max = own;
      out->max_block = start;
    }
    if (std::isinf(own)) {  // nothing but -inf, unless NaN are among them
      out->odd = own > 0.0f || holds_nan(kernels, from, type, length);
      if (out->odd) return;
      continue;
    }
    const double shift = static_cast<double>(own) - out->ref;
    if (!out->seen || shift * plan.most > HEADROOM) {
      if (out->seen) {
        settle();
        out->odd = slots && std::isnan(sums->d);
        if (out->odd) return;  // sums that are moved far enough are 0, whatever they were
        for (size_t i = 0; i < slots; ++i) sums[i] = moved(sums[i], plan.slots[i], shift);
      }
      out->seen = true;
      out->ref = own;
    }
    sum_sweep_block(kernels, plan, from, type, length, out->ref, length * size_of(type),
                    since.data());
  }
  settle();
  // Without a temperature that is one there are no sums to tell: the row is looked at once more.
  if (!slots || std::isnan(sums->d)) out->odd = true;
}

// Over the row, in terms of y = x - ref.
struct SweepRow {
  float max;
  int64_t token;  // where max stands first
  bool lost;      // NaN, two +inf or nothing but -inf: nothing can be said
  bool certain;   // one +inf: its probability is 1
  float ref;
};

// A row of NaN or +inf.
inline SweepRow odd_sweep_row(const void* x, DType type, int64_t n) {
  const RowStats s = odd_row(x, type, n, 1.0f);
  return {s.max, s.token, s.lost, s.certain, 0.0f};
}

// Adds the chunks to sums (slots), about one reference.
inline SweepRow join_chunks(const SweepPlan& plan, const void* x, DType type, int64_t n,
                            const SweepChunk* chunks, const PowerSums* parts, PowerSums* sums) {
  const int64_t count = chunks_of(n);
  const size_t slots = plan.slots.size();
  SweepRow row = {-std::numeric_limits<float>::infinity(), 0, false, false, 0.0f};
  int64_t best = 0;
  bool odd = false, seen = false;
  for (int64_t k = 0; k < count; ++k) {
    odd = odd || chunks[k].odd;
    if (chunks[k].max > chunks[best].max) best = k;
    if (chunks[k].seen && (!seen || chunks[k].ref > row.ref)) row.ref = chunks[k].ref;
    seen = seen || chunks[k].seen;
  }
  row.max = chunks[best].max;
  if (odd) return odd_sweep_row(x, type, n);
  row.lost = !seen;
  if (row.lost) return row;
  const int64_t start = best * CHUNK + chunks[best].max_block;
  row.token = start + variant().rows->find[static_cast<int>(type)](
                          offset(x, type, start), std::min(BLOCK, n - start), row.max);
  std::fill(sums, sums + slots, PowerSums{0.0, 0.0, 0.0});
  for (int64_t k = 0; k < count; ++k) {
    if (!chunks[k].seen) continue;
    const double shift = static_cast<double>(row.ref) - chunks[k].ref;
    for (size_t i = 0; i < slots; ++i) sums[i] += moved(parts[k * slots + i], plan.slots[i], shift);
  }
  return row;
}

// The sums at any c, in double, about the row's maximum.
inline PowerSums sums_in_double(const void* x, DType type, int64_t n, double c, float ref) {
  PowerSums sums = {0.0, 0.0, 0.0};
  for (int64_t i = 0; i < n; ++i) {
    const double y = static_cast<double>(logit(x, type, i)) - ref;
    const double e = std::exp2(c * y);
    if (e == 0.0) continue;
    sums.d += e;
    sums.w += e * y;
    sums.s += e * y * y;
  }
  return sums;
}

}  // namespace calib
