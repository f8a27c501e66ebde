// Sums over a row at several temperatures; compiled once per instruction set (see simd.hpp).
#include "sweep_loops.hpp"

#include "lanes.hpp"

namespace calib::CALIB_VARIANT {
namespace {

constexpr int AT_ONCE = Floats::W == 16 ? 4 : 2;
// Multiples summed at a time: as many as leave no accumulator in memory.
constexpr int TERMS = Floats::W == 16 ? 8 : 4;

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
  for (; i + LANES <= n; i += LANES) {
    for (int line = 0; line < LANES * static_cast<int>(sizeof *x); line += 64)
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(x + i) + AHEAD + line));
    put(x + i, y + i);
  }
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

template <int DERIVATIVES>
CALIB_INLINE void add(Floats e, Floats y, Floats yy, Floats& d, Floats& w, Floats& s) {
  d = d + e;
  if (DERIVATIVES > 0) w = madd(e, y, w);
  if (DERIVATIVES > 1) s = madd(e, yy, s);
}

template <int DERIVATIVES>
void each(const float* y, int64_t groups, float c, PowerSums* out) {
  Lanes lanes;
  const Floats scale = Floats::all(c), zero = Floats::all(0.0f);
  for (int first = 0; first < REGISTERS; first += AT_ONCE) {
    Floats d[AT_ONCE], w[AT_ONCE], s[AT_ONCE];
    for (int r = 0; r < AT_ONCE; ++r) d[r] = w[r] = s[r] = zero;
    const float* p = y + first * Floats::W;
    for (int64_t i = 0; i < groups; ++i, p += LANES) {
#pragma GCC unroll 4
      for (int r = 0; r < AT_ONCE; ++r) {
        const Floats v = Floats::load(p + r * Floats::W);
        add<DERIVATIVES>(power_of_2(scale * v), v, v * v, d[r], w[r], s[r]);
      }
    }
    for (int r = 0; r < AT_ONCE; ++r) {
      const int lane = (first + r) * Floats::W;
      d[r].store(lanes.d + lane);
      w[r].store(lanes.w + lane);
      s[r].store(lanes.s + lane);
    }
  }
  *out = folded<DERIVATIVES>(lanes);
}

template <int DERIVATIVES, int FIRST>
CALIB_INLINE void sum_powers(const float* y, const float* e, int64_t groups, PowerSums* out) {
  Lanes lanes[TERMS];
  for (int r = 0; r < REGISTERS; ++r) {
    Floats d[TERMS], w[TERMS], s[TERMS];
    for (int k = 0; k < TERMS; ++k) d[k] = w[k] = s[k] = Floats::all(0.0f);
    for (int64_t i = r * Floats::W; i < groups * LANES; i += LANES) {
      const Floats v = Floats::load(y + i), e1 = Floats::load(e + i), vv = v * v;
      const Floats e2 = e1 * e1, e3 = e2 * e1, e4 = e2 * e2;
      const Floats power[GRID] = {e1, e2, e3, e4, e4 * e1, e4 * e2, e4 * e3, e4 * e4};
#pragma GCC unroll 8
      for (int k = 0; k < TERMS; ++k)
        add<DERIVATIVES>(power[FIRST + k], v, vv, d[k], w[k], s[k]);
    }
    for (int k = 0; k < TERMS; ++k) {
      d[k].store(lanes[k].d + r * Floats::W);
      w[k].store(lanes[k].w + r * Floats::W);
      s[k].store(lanes[k].s + r * Floats::W);
    }
  }
  for (int k = 0; k < TERMS; ++k) out[FIRST + k] = folded<DERIVATIVES>(lanes[k]);
}

template <int DERIVATIVES>
void grid(const float* y, int64_t groups, float c, float* e, PowerSums* out) {
  const Floats scale = Floats::all(c);
  for (int64_t i = 0; i < groups * LANES; i += Floats::W)
    power_of_2(scale * Floats::load(y + i)).store(e + i);
  sum_powers<DERIVATIVES, 0>(y, e, groups, out);
  if constexpr (TERMS < GRID) sum_powers<DERIVATIVES, TERMS>(y, e, groups, out);
}

}  // namespace

extern const SweepKernels sweep_kernels = {
    {centre<F32>, centre<BF16>, centre<F16>},
    {each<0>, each<1>, each<2>},
    {grid<0>, grid<1>, grid<2>},
};

}  // namespace calib::CALIB_VARIANT
