// Sums over a row at several temperatures; compiled once per instruction set (see simd.hpp).
#include "temperature_sweep/loops.hpp"

#include "counting/cell_loops.hpp"
#include "simd/lanes.hpp"

namespace calib::CALIB_VARIANT {
namespace {

constexpr bool MANY_REGISTERS = Floats::W == 16;
// Temperatures, and multiples, summed at a time: as many as leave no accumulator in memory.
constexpr int TEMPERATURES = MANY_REGISTERS ? 4 : 1;
constexpr int TERMS = MANY_REGISTERS ? GRID : 4;

template <class X>
float largest(const void* x, int64_t n) {
  return largest_of<X>(static_cast<const typename X::Scalar*>(x), n);
}

// y = max(low, x - ref); NaN stays NaN.
struct Centred {
  Floats ref, low;
  CALIB_INLINE Centred(float ref, float low) : ref(Floats::all(ref)), low(Floats::all(low)) {}
  CALIB_INLINE Floats operator()(Floats x) const { return max(low, x - ref); }
};

// Calls put(the logits of one register of a group, i) for every group i of n logits.
template <class X, class Put>
CALIB_INLINE void for_groups(const void* data, int64_t n, int lane, const Put& put) {
  constexpr int AT_ONCE = 4;  // a logit waits for every step of its polynomial
  const auto* x = static_cast<const typename X::Scalar*>(data);
  const int64_t whole = n / LANES;
  int64_t i = 0;
  for (; i + AT_ONCE <= whole; i += AT_ONCE)
#pragma GCC unroll 4
    for (int64_t j = i; j < i + AT_ONCE; ++j) put(X::load(x + j * LANES + lane), j);
  for (; i < whole; ++i) put(X::load(x + i * LANES + lane), i);
  if (n % LANES) put(X::load(Tail<X>(x + i * LANES, n - i * LANES).x + lane), i);
}

struct Lanes {
  alignas(64) float d[LANES], w[LANES], s[LANES];
};

// Adds the lanes: eight by eight in float, what is left in double.
CALIB_INLINE void add_lanes(const float* lanes, double* parts) {
  constexpr int FEW = 2 * WideSums::PARTS;
  alignas(64) float few[FEW];
  for (int l = 0; l < FEW; l += Floats::W) {
    const auto at = [&](int quarter) { return Floats::load(lanes + l + quarter * FEW); };
    ((at(0) + at(1)) + (at(2) + at(3))).store(few + l);
  }
  add_few(few, parts);
}

template <int DERIVATIVES>
CALIB_INLINE void add_lanes(const Lanes& lanes, WideSums& sums) {
  add_lanes(lanes.d, sums.d);
  if (DERIVATIVES > 0) add_lanes(lanes.w, sums.w);
  if (DERIVATIVES > 1) add_lanes(lanes.s, sums.s);
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

// y holds the first register of each of `groups` groups, then the second, and so on.
template <int DERIVATIVES, int N>
CALIB_INLINE void sum_each(const float* y, int64_t groups, const float* c, Fetch& fetch,
                           WideSums* to) {
  Lanes lanes[N];
  for (int lane = 0; lane < LANES; lane += Floats::W) {
    Sums<DERIVATIVES, N> sums;
    for (int64_t i = 0; i < groups; ++i) {
      const Floats v = Floats::load(y + lane * groups + i * Floats::W), vv = v * v;
      fetch.next();
#pragma GCC unroll 4
      for (int k = 0; k < N; ++k) {
        const Floats e = power_of_2(Floats::all(c[k]) * v);
        sums.d[k] = sums.d[k] + e;
        if (DERIVATIVES > 0) sums.w[k] = madd(e, v, sums.w[k]);
        if (DERIVATIVES > 1) sums.s[k] = madd(e, vv, sums.s[k]);
      }
    }
    sums.store(lanes, lane);
  }
  for (int k = 0; k < N; ++k) add_lanes<DERIVATIVES>(lanes[k], to[k]);
}

template <int DERIVATIVES, class X>
void each(const void* x, int64_t n, float ref, float low, const float* c, int count,
          SweepAhead ahead, WideSums* to) {
  alignas(64) float y[BLOCK];
  const int64_t groups = (n + LANES - 1) / LANES;
  const Centred centred(ref, low);
  for (int lane = 0; lane < LANES; lane += Floats::W)
    for_groups<X>(x, n, lane, [&](Floats logits, int64_t i) {
      centred(logits).store(y + lane * groups + i * Floats::W);
    });
  const int calls = count / TEMPERATURES + count % TEMPERATURES;
  Fetch fetch(ahead, groups * REGISTERS * calls);
  int k = 0;
  for (; k + TEMPERATURES <= count; k += TEMPERATURES)
    sum_each<DERIVATIVES, TEMPERATURES>(y, groups, c + k, fetch, to + k);
  for (; k < count; ++k) sum_each<DERIVATIVES, 1>(y, groups, c + k, fetch, to + k);
}

// With p = e^a y^m and q = e^b y^n, p q belongs to multiple a + b: every multiple up to 8 is a sum
// of two of 0, 1, 3 and 4, so that these powers are all that is computed. The other products are
// part of a multiply-add.
constexpr int SUMMANDS[GRID][2] = {{0, 1}, {1, 1}, {0, 3}, {0, 4}, {1, 4}, {3, 3}, {3, 4}, {4, 4}};

// y and e = 2^(c y) of the logits that one register of each group holds.
struct Powers {
  static constexpr int64_t MOST = BLOCK / LANES * Floats::W;
  alignas(64) float y[MOST], e[MOST];
};

// N multiples from FIRST + 1.
template <int DERIVATIVES, int FIRST, int N>
CALIB_INLINE void sum_multiples(const Powers& powers, int64_t groups, int lane, Fetch& fetch,
                                Lanes* lanes) {
  Sums<DERIVATIVES, N> sums;
  for (int64_t i = 0; i < groups; ++i) {
    const Floats v = Floats::load(powers.y + i * Floats::W);
    const Floats e1 = Floats::load(powers.e + i * Floats::W);
    fetch.next();
    const Floats e2 = e1 * e1, e3 = e2 * e1, e4 = e2 * e2;
    const Floats one = Floats::all(1.0f);
    const Floats power[] = {one, e1, e2, e3, e4};
    const Floats moment[] = {v, e1 * v, e2 * v, e3 * v, e4 * v};
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) {
      const int a = SUMMANDS[FIRST + k][0], b = SUMMANDS[FIRST + k][1];
      Floats &d = sums.d[k], &w = sums.w[k], &s = sums.s[k];
      const Floats p = power[b], m = moment[b];
      d = a ? madd(power[a], p, d) : d + p;
      if (DERIVATIVES > 0) w = a ? madd(power[a], m, w) : w + m;
      if (DERIVATIVES > 1) s = madd(moment[a], m, s);
    }
  }
  sums.store(lanes + FIRST, lane);
}

template <int DERIVATIVES, class X>
void grid(const void* x, int64_t n, float ref, float low, float c, SweepAhead ahead, WideSums* to) {
  const int64_t groups = (n + LANES - 1) / LANES;
  const Centred centred(ref, low);
  const Floats scale = Floats::all(c);
  Fetch fetch(ahead, groups * REGISTERS * (GRID / TERMS));
  Lanes lanes[GRID];
  for (int lane = 0; lane < LANES; lane += Floats::W) {
    Powers powers;
    for_groups<X>(x, n, lane, [&](Floats logits, int64_t i) {
      const Floats y = centred(logits);
      y.store(powers.y + i * Floats::W);
      power_of_2(scale * y).store(powers.e + i * Floats::W);
    });
    sum_multiples<DERIVATIVES, 0, TERMS>(powers, groups, lane, fetch, lanes);
    if constexpr (TERMS < GRID)
      sum_multiples<DERIVATIVES, TERMS, TERMS>(powers, groups, lane, fetch, lanes);
  }
  for (int k = 0; k < GRID; ++k) add_lanes<DERIVATIVES>(lanes[k], to[k]);
}

}  // namespace

extern const SweepKernels sweep_kernels = {
    {largest<F32>, largest<BF16>, largest<F16>},
    {{each<0, F32>, each<0, BF16>, each<0, F16>},
     {each<1, F32>, each<1, BF16>, each<1, F16>},
     {each<2, F32>, each<2, BF16>, each<2, F16>}},
    {{grid<0, F32>, grid<0, BF16>, grid<0, F16>},
     {grid<1, F32>, grid<1, BF16>, grid<1, F16>},
     {grid<2, F32>, grid<2, BF16>, grid<2, F16>}},
    {add_to_cells<F32>, add_to_cells<BF16>, add_to_cells<F16>},
    drain_cells,
    {sum_cells<0>, sum_cells<1>, sum_cells<2>},
};

}  // namespace calib::CALIB_VARIANT
