// Gradients of a row, and what a loss needs beyond its sums; compiled once per instruction set.
#include "cross_entropy/loops.hpp"

#include "simd/lanes.hpp"

namespace calib::CALIB_VARIANT {
namespace {

constexpr float LOG2_E = 0x1.715476p+0f;
constexpr float LN2 = 0x1.62e43p-1f;

CALIB_INLINE Floats clamp(Floats x, float low, float high) {
  const Floats below = Floats::all(0.0f) - max(Floats::all(-high), Floats::all(0.0f) - x);
  return max(Floats::all(low), below);
}

// 1 - tanh(x / cap), with rate = 2 log2(e) / cap.
CALIB_INLINE Floats shortfall(Floats x, Floats rate) {
  const Floats e = exp2(clamp(rate * x, -126.0f, 126.0f));
  return Floats::all(2.0f) / (Floats::all(1.0f) + e);
}

// 2^u, and exactly 0 below 2^-126. Leaves the clamped u behind.
CALIB_INLINE Floats probability(Floats& u) {
  u = max(Floats::all(-126.0f), u);
  return exp2(u) - Floats::all(0x1p-126f);
}

template <class X, bool CAP>
struct Slopes {
  Floats c, top, minus_log2_d, all, surprise, everywhere, cap, rate;

  CALIB_INLINE explicit Slopes(const Weights& w)
      : c(Floats::all(w.c)),
        top(Floats::all(w.top)),
        minus_log2_d(Floats::all(-w.log2_d)),
        all(Floats::all(w.all)),
        surprise(Floats::all(w.surprise)),
        everywhere(Floats::all(w.everywhere)),
        cap(Floats::all(w.cap)),
        rate(Floats::all(CAP ? 2.0f * LOG2_E / w.cap : 0.0f)) {}

  CALIB_INLINE Floats at(const typename X::Scalar* p) const {
    const Floats x = X::load(p);
    if (!CAP) return of(x - top);
    const Floats r = shortfall(x, rate);
    const Floats y = select_equal(x, Floats::all(MINUS_INF), x, cap - cap * r);
    return of(y - top) * (r * (Floats::all(2.0f) - r));
  }

 private:
  CALIB_INLINE Floats of(Floats gap) const {
    Floats u = fma(c, gap, minus_log2_d);
    const Floats p = probability(u);
    return madd(p, madd(surprise, u, all), everywhere);
  }
};

template <class X, bool CAP>
void gradient(const void* data, int64_t n, const Weights& weights, void* result) {
  typedef typename X::Scalar Scalar;
  const auto* x = static_cast<const Scalar*>(data);
  auto* out = static_cast<Scalar*>(result);
  const Slopes<X, CAP> slopes(weights);
  for (; n >= LANES; n -= LANES, x += LANES, out += LANES) {
    for (int line = 0; line < LANES * static_cast<int>(sizeof *x); line += 64)
      __builtin_prefetch(
          reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(x) + AHEAD + line));
#pragma GCC unroll 4
    for (int r = 0; r < LANES; r += Floats::W) X::store(slopes.at(x + r), out + r);
  }
  if (!n) return;
  const Tail<X> tail(x, n);
  Scalar some[LANES];
  for (int r = 0; r < LANES; r += Floats::W) X::store(slopes.at(tail.x + r), some + r);
  std::memcpy(out, some, n * sizeof *out);
}

template <class X>
void store(float value, void* out) {
  typename X::Scalar some[Floats::W];
  X::store(Floats::all(value), some);
  std::memcpy(out, some, sizeof *some);
}

template <class X>
void capped(const void* data, int64_t n, float cap, float* out) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  const Floats rate = Floats::all(2.0f * LOG2_E / cap), wide = Floats::all(cap);
  const auto group = [&](const typename X::Scalar* from, float* to) {
    for (int r = 0; r < LANES; r += Floats::W) {
      const Floats v = X::load(from + r);
      const Floats y = wide - wide * shortfall(v, rate);
      // An infinity less itself is NaN, as is NaN less anything.
      select_equal(v - v, Floats::all(0.0f), y, v).store(to + r);
    }
  };
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) group(x + i, out + i);
  if (i == n) return;
  const Tail<X> tail(x + i, n - i);
  float some[LANES];
  group(tail.x, some);
  std::memcpy(out + i, some, (n - i) * sizeof *out);
}

// Logits whose terms are summed in float before they are folded in double: eight in each lane, so
// that a sum of terms of one sign is as exact as its result can be.
constexpr int64_t FOLDED = 8 * LANES;

// Sum over the logits of term(logit).
template <class X, class Term>
CALIB_INLINE double sum_of(const void* data, int64_t n, const Term& term) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  double sum = 0.0;
  for (int64_t start = 0; start < n; start += FOLDED) {
    const int64_t end = n - start < FOLDED ? n : start + FOLDED;
    alignas(64) float lanes[LANES] = {};
    const auto group = [&](const typename X::Scalar* from) {
      for (int r = 0; r < LANES; r += Floats::W)
        (Floats::load(lanes + r) + term(X::load(from + r))).store(lanes + r);
    };
    int64_t i = start;
    for (; i + LANES <= end; i += LANES) group(x + i);
    sum += fold(lanes);
    if (i == end) continue;
    // What is left over, by itself: the terms of absent logits do not count.
    const Tail<X> tail(x + i, end - i);
    for (float& lane : lanes) lane = 0.0f;
    group(tail.x);
    for (int64_t l = 0; l < end - i; ++l) sum += lanes[l];
  }
  return sum;
}

template <class X>
double gaps(const void* x, int64_t n, float top) {
  // Scaled, which is exact, so that differences and their sums stay in float.
  const Floats scale = Floats::all(0x1p-12f), largest = Floats::all(-top * 0x1p-12f);
  return 0x1p12 * sum_of<X>(x, n, [&](Floats v) { return fma(v, scale, largest); });
}

template <class X>
double variance(const void* x, int64_t n, const Weights& w, float entropy) {
  const Floats c = Floats::all(w.c), top = Floats::all(w.top), ln2 = Floats::all(LN2);
  const Floats minus_log2_d = Floats::all(-w.log2_d), mean = Floats::all(entropy);
  return sum_of<X>(x, n, [&](Floats v) {
    Floats u = fma(c, v - top, minus_log2_d);
    const Floats p = probability(u);
    const Floats surprise = madd(u, ln2, mean);
    return p * surprise * surprise;
  });
}

}  // namespace

extern const LossKernels loss_kernels = {
    {{gradient<F32, false>, gradient<BF16, false>, gradient<F16, false>},
     {gradient<F32, true>, gradient<BF16, true>, gradient<F16, true>}},
    {store<F32>, store<BF16>, store<F16>},
    {capped<F32>, capped<BF16>, capped<F16>},
    {gaps<F32>, gaps<BF16>, gaps<F16>},
    {variance<F32>, variance<BF16>, variance<F16>},
};

}  // namespace calib::CALIB_VARIANT
