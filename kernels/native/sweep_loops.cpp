// Sums over a row at several temperatures; compiled once per instruction set (see simd.hpp).
#include "sweep_loops.hpp"

#include "lanes.hpp"

namespace calib::CALIB_VARIANT {
namespace {

constexpr bool MANY_REGISTERS = Floats::W == 16;
// Temperatures, and multiples, summed at a time: as many as leave no accumulator in memory.
constexpr int TEMPERATURES = MANY_REGISTERS ? 4 : 1;
constexpr int TERMS = MANY_REGISTERS ? GRID : 4;

template <class X>
float centre(const void* data, int64_t n, float ref, float low, float* y) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  const Floats minus = Floats::all(ref), least = Floats::all(low);
  Floats m[REGISTERS];
  for (int r = 0; r < REGISTERS; ++r) m[r] = Floats::all(MINUS_INF);
  const auto put = [&](const typename X::Scalar* p, float* to) {
    for (int r = 0; r < REGISTERS; ++r) {
      const Floats v = X::load(p + r * Floats::W);
      m[r] = max(v, m[r]);
      max(least, v - minus).store(to + r * Floats::W);
    }
  };
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) put(x + i, y + i);
  if (i < n) {
    const Tail<X> tail(x + i, n - i);
    put(tail.x, y + i);
  }
  alignas(64) float lanes[LANES];
  for (int r = 0; r < REGISTERS; ++r) m[r].store(lanes + r * Floats::W);
  return largest(lanes);
}

// 2^z for z <= 127, and 0 below -126 where subnormal numbers are flushed.
CALIB_INLINE Floats power_of_2(Floats z) {
  z = within_reach(z);
  return times_2_to_floor(mantissa(fraction(z)), z);
}

struct Lanes {
  alignas(64) float d[LANES], w[LANES], s[LANES];
};

// The sum of the lanes: four by four in float, what is left in double. With many temperatures a
// block is folded as many times, so this is in vectors, too.
CALIB_INLINE double sum_of(const float* lanes) {
  typedef float Eight __attribute__((vector_size(32)));
  typedef double Wide __attribute__((vector_size(64)));
  alignas(64) float few[LANES / 4];
  for (int l = 0; l < LANES / 4; l += Floats::W) {
    const auto at = [&](int quarter) { return Floats::load(lanes + l + quarter * LANES / 4); };
    ((at(0) + at(1)) + (at(2) + at(3))).store(few + l);
  }
  Eight a, b;
  std::memcpy(&a, few, sizeof a);
  std::memcpy(&b, few + 8, sizeof b);
  const Wide s = __builtin_convertvector(a, Wide) + __builtin_convertvector(b, Wide);
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

template <int DERIVATIVES>
CALIB_INLINE PowerSums folded(const Lanes& lanes) {
  return {sum_of(lanes.d), DERIVATIVES > 0 ? sum_of(lanes.w) : 0.0,
          DERIVATIVES > 1 ? sum_of(lanes.s) : 0.0};
}

// Fetches what is read next a little at a time: loops that compute leave memory idle.
struct Fetch {
  uintptr_t at;
  uintptr_t step;
  CALIB_INLINE Fetch(const SweepAhead& ahead, int64_t vectors)
      : at(ahead.at), step(static_cast<uintptr_t>(ahead.bytes / vectors)) {}
  CALIB_INLINE void next() {
    __builtin_prefetch(reinterpret_cast<const void*>(at));
    at += step;
  }
};

// The sums of N terms in one register of a group.
template <int DERIVATIVES, int N>
struct Sums {
  Floats d[N], w[N], s[N];
  CALIB_INLINE Sums() {
    for (int k = 0; k < N; ++k) d[k] = w[k] = s[k] = Floats::all(0.0f);
  }
  CALIB_INLINE void store(Lanes* lanes, int lane) const {
    for (int k = 0; k < N; ++k) {
      d[k].store(lanes[k].d + lane);
      if (DERIVATIVES > 0) w[k].store(lanes[k].w + lane);
      if (DERIVATIVES > 1) s[k].store(lanes[k].s + lane);
    }
  }
};

// Without times, every y counts once.
template <int DERIVATIVES, int N>
CALIB_INLINE void sum_each(const float* y, const float* times, int64_t groups, const float* c,
                           Fetch* fetch, PowerSums* out) {
  Lanes lanes[N];
  for (int r = 0; r < REGISTERS; ++r) {
    Sums<DERIVATIVES, N> sums;
    for (int64_t i = r * Floats::W; i < groups * LANES; i += LANES) {
      const Floats v = Floats::load(y + i), vv = v * v;
      if (fetch) fetch->next();
#pragma GCC unroll 4
      for (int k = 0; k < N; ++k) {
        Floats e = power_of_2(Floats::all(c[k]) * v);
        if (times) e = e * Floats::load(times + i);
        sums.d[k] = sums.d[k] + e;
        if (DERIVATIVES > 0) sums.w[k] = madd(e, v, sums.w[k]);
        if (DERIVATIVES > 1) sums.s[k] = madd(e, vv, sums.s[k]);
      }
    }
    sums.store(lanes, r * Floats::W);
  }
  for (int k = 0; k < N; ++k) out[k] = folded<DERIVATIVES>(lanes[k]);
}

template <int DERIVATIVES>
CALIB_INLINE void sum_all(const float* y, const float* times, int64_t groups, const float* c,
                          int count, Fetch* fetch, PowerSums* out) {
  int k = 0;
  for (; k + TEMPERATURES <= count; k += TEMPERATURES)
    sum_each<DERIVATIVES, TEMPERATURES>(y, times, groups, c + k, fetch, out + k);
  for (; k < count; ++k) sum_each<DERIVATIVES, 1>(y, times, groups, c + k, fetch, out + k);
}

template <int DERIVATIVES>
void each(const float* y, int64_t groups, const float* c, int count, SweepAhead ahead,
          PowerSums* out) {
  const int calls = count / TEMPERATURES + count % TEMPERATURES;
  Fetch fetch(ahead, groups * REGISTERS * calls);
  sum_all<DERIVATIVES>(y, nullptr, groups, c, count, &fetch, out);
}

template <int DERIVATIVES>
void each_times(const float* y, const float* times, int64_t groups, const float* c, int count,
                PowerSums* out) {
  sum_all<DERIVATIVES>(y, times, groups, c, count, nullptr, out);
}

// With p = e^a y^m and q = e^b y^n, p q belongs to multiple a + b: every multiple up to 8 is a sum
// of two of 0, 1, 3 and 4, so that these powers are all that is computed. The other products are
// part of a multiply-add.
constexpr int SUMMANDS[GRID][2] = {{0, 1}, {1, 1}, {0, 3}, {0, 4}, {1, 4}, {3, 3}, {3, 4}, {4, 4}};

template <int DERIVATIVES, int FIRST>
CALIB_INLINE void sum_powers(const float* y, const float* e, int64_t groups, Fetch& fetch,
                             PowerSums* out) {
  Lanes lanes[TERMS];
  for (int r = 0; r < REGISTERS; ++r) {
    Sums<DERIVATIVES, TERMS> sums;
    for (int64_t i = r * Floats::W; i < groups * LANES; i += LANES) {
      const Floats v = Floats::load(y + i), e1 = Floats::load(e + i);
      fetch.next();
      const Floats e2 = e1 * e1, e3 = e2 * e1, e4 = e2 * e2;
      const Floats power[] = {v, e1, e2, e3, e4};
      const Floats moment[] = {v, e1 * v, e2, e3 * v, e4 * v};
#pragma GCC unroll 8
      for (int k = 0; k < TERMS; ++k) {
        const int a = SUMMANDS[FIRST + k][0], b = SUMMANDS[FIRST + k][1];
        Floats &d = sums.d[k], &w = sums.w[k], &s = sums.s[k];
        d = a ? madd(power[a], power[b], d) : d + power[b];
        if (DERIVATIVES > 0) w = a ? madd(power[a], moment[b], w) : w + moment[b];
        if (DERIVATIVES > 1) s = madd(moment[a], moment[b], s);
      }
    }
    sums.store(lanes, r * Floats::W);
  }
  for (int k = 0; k < TERMS; ++k) out[FIRST + k] = folded<DERIVATIVES>(lanes[k]);
}

template <int DERIVATIVES>
void grid(const float* y, int64_t groups, float c, float* e, SweepAhead ahead, PowerSums* out) {
  const Floats scale = Floats::all(c);
  for (int64_t i = 0; i < groups * LANES; i += Floats::W)
    power_of_2(scale * Floats::load(y + i)).store(e + i);
  Fetch fetch(ahead, groups * REGISTERS * (GRID / TERMS));
  sum_powers<DERIVATIVES, 0>(y, e, groups, fetch, out);
  if constexpr (TERMS < GRID) sum_powers<DERIVATIVES, TERMS>(y, e, groups, fetch, out);
}

KeyRanges ranges_of(const uint16_t* x, int64_t n) {
  // As signed numbers, keys with the sign are the negative ones.
  int16_t above = INT16_MIN, below = INT16_MAX;
  uint16_t most = 0, least = UINT16_MAX;
  for (int64_t i = 0; i < n; ++i) {
    const auto key = static_cast<int16_t>(x[i]);
    above = key > above ? key : above;
    below = key < below ? key : below;
    most = x[i] > most ? x[i] : most;
    least = x[i] < least ? x[i] : least;
  }
  KeyRanges ranges = {{KEYS, KEYS}, {0, 0}};
  if (n && above >= 0) {
    ranges.from[0] = least;
    ranges.to[0] = above + 1;
  }
  if (n && below < 0) {
    ranges.from[1] = below + KEYS;
    ranges.to[1] = most + 1;
  }
  return ranges;
}

KeyRanges count(const uint16_t* x, int64_t n, uint32_t* tally) {
  constexpr int LINE = 32;
  int64_t i = 0;
  for (; i + LINE <= n; i += LINE) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(x + i) + AHEAD));
#pragma GCC unroll 32
    for (int j = 0; j < LINE; ++j) ++tally[j % TABLES * KEYS + x[i + j]];
  }
  for (; i < n; ++i) ++tally[x[i]];
  // Only now: a vector that is read between the stores would wait for those its address resembles.
  return ranges_of(x, n);
}

}  // namespace

extern const SweepKernels sweep_kernels = {
    {centre<F32>, centre<BF16>, centre<F16>},
    {each<0>, each<1>, each<2>},
    {each_times<0>, each_times<1>, each_times<2>},
    {grid<0>, grid<1>, grid<2>},
    count,
};

}  // namespace calib::CALIB_VARIANT
