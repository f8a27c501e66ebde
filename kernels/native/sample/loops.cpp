// Compiled once per instruction set (see simd.hpp for what that forbids).
#include "sample/loops.hpp"

#include "simd/lanes.hpp"

namespace calib::CALIB_VARIANT {
namespace {

struct Weigher {
  Floats scale, ref, t, low;
  CALIB_INLINE Weigher(float c, float ref_, float t_)
      : scale(Floats::all(c)),
        ref(Floats::all(ref_)),
        t(Floats::all(t_)),
        low(Floats::all(-126.0f)) {}
  CALIB_INLINE Floats operator()(Floats x) const {
    const Floats z = (x - ref) * scale;
    return where_greater(x, t, where_greater(z, low, exp2(max(low, z))));
  }
};

template <class X>
float largest(const void* data, int64_t n) {
  return largest_of<X>(static_cast<const typename X::Scalar*>(data), n);
}

template <class X>
CALIB_INLINE void add_above(const typename X::Scalar* x, int64_t groups, const Weigher& weigh,
                            int64_t* count, double* mass) {
  alignas(64) float e[LANES], ones[LANES];
  for (int r = 0; r < REGISTERS; ++r) {
    Floats sum = Floats::all(0.0f), number = Floats::all(0.0f);
    const typename X::Scalar* p = x + r * Floats::W;
    for (int64_t i = 0; i < groups; ++i, p += LANES) {
      const Floats v = X::load(p);
      sum = sum + weigh(v);
      number = number + where_greater(v, weigh.t, Floats::all(1.0f));
    }
    sum.store(e + r * Floats::W);
    number.store(ones + r * Floats::W);
  }
  *mass += fold(e);
  *count += static_cast<int64_t>(fold(ones));
}

template <class X>
void above(const void* data, int64_t n, float c, float ref, float t, int64_t* count, double* mass) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  const Weigher weigh(c, ref, t);
  *count = 0;
  *mass = 0.0;
  add_above<X>(x, n / LANES, weigh, count, mass);
  if (n % LANES == 0) return;
  const Tail<X> tail(x + n / LANES * LANES, n % LANES);
  add_above<X>(tail.x, 1, weigh, count, mass);
}

template <class X>
void around(const void* data, int64_t n, float t, float* most, float* least) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  const Floats at = Floats::all(t), one = Floats::all(1.0f), none = Floats::all(MINUS_INF);
  Floats low = none, high = none;  // the second of numbers turned about
  for (int64_t start = 0; start < n; start += LANES) {
    const bool whole = start + LANES <= n;
    for (int r = 0; r < LANES; r += Floats::W) {
      const Floats v = X::load(whole ? x + start + r : Tail<X>(x + start, n - start).x + r);
      const Floats is_above = where_greater(v, at, one);
      low = max(select_equal(is_above, one, none, v), low);
      high = max(select_equal(is_above, one, Floats::all(0.0f) - v, none), high);
    }
  }
  alignas(64) float lows[Floats::W], highs[Floats::W];
  low.store(lows);
  high.store(highs);
  for (int l = 0; l < Floats::W; ++l) {
    *most = lows[l] > *most ? lows[l] : *most;
    *least = -highs[l] < *least ? -highs[l] : *least;
  }
}

template <class X>
int64_t within(const void* data, int64_t n, float low, float high, int32_t* places) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  const Floats floor = Floats::all(low), top = Floats::all(high), one = Floats::all(1.0f);
  int64_t found = 0;
  for (int64_t start = 0; start < n; start += LANES) {
    const bool whole = start + LANES <= n;
    for (int r = 0; r < LANES; r += Floats::W) {
      const Floats v = X::load(whole ? x + start + r : Tail<X>(x + start, n - start).x + r);
      if (!any_greater(where_greater(v, floor, one), where_greater(v, top, one))) continue;
      alignas(64) float lanes[Floats::W];
      v.store(lanes);
      for (int l = 0; l < Floats::W; ++l)
        if (low < lanes[l] && lanes[l] <= high)
          places[found++] = static_cast<int32_t>(start + r + l);
    }
  }
  return found;
}

template <class X>
CALIB_INLINE double weigh_group(const typename X::Scalar* x, const Weigher& weigh, float* out) {
  for (int r = 0; r < REGISTERS; ++r) weigh(X::load(x + r * Floats::W)).store(out + r * Floats::W);
  return fold(out);
}

template <class X>
void weights(const void* data, int64_t n, float c, float ref, float t, float* out, double* sums) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  const Weigher weigh(c, ref, t);
  int64_t group = 0;
  for (; (group + 1) * LANES <= n; ++group)
    sums[group] = weigh_group<X>(x + group * LANES, weigh, out + group * LANES);
  if (n % LANES == 0) return;
  const Tail<X> tail(x + group * LANES, n % LANES);
  sums[group] = weigh_group<X>(tail.x, weigh, out + group * LANES);
}

}  // namespace

extern const SampleKernels sample_kernels = {
    {largest<F32>, largest<BF16>, largest<F16>}, {above<F32>, above<BF16>, above<F16>},
    {around<F32>, around<BF16>, around<F16>},    {within<F32>, within<BF16>, within<F16>},
    {weights<F32>, weights<BF16>, weights<F16>},
};

}  // namespace calib::CALIB_VARIANT
