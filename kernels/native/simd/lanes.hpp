// What the loops over logits share: loads by dtype, 2^z, lanes and how they are folded.
//
// In the variant's own namespace and inlined, as simd.hpp is.
#pragma once

#include "rows/rows.hpp"
#include "simd/simd.hpp"

namespace calib::CALIB_VARIANT {

constexpr float MINUS_INF = -__builtin_inff();

// Bytes read ahead: hardware prefetchers stop at page borders, each of which would cost a wait.
constexpr int64_t AHEAD = 4096;

constexpr int REGISTERS = static_cast<int>(LANES) / Floats::W;

struct F32 {
  typedef float Scalar;
  static constexpr uint32_t minus_inf = 0xff800000;
  static CALIB_INLINE Floats load(const float* p) { return Floats::load(p); }
  static CALIB_INLINE void store(Floats v, float* p) { v.store(p); }
};
struct BF16 {
  typedef uint16_t Scalar;
  static constexpr uint16_t minus_inf = 0xff80;
  static CALIB_INLINE Floats load(const uint16_t* p) { return Floats::load_bf16(p); }
  static CALIB_INLINE void store(Floats v, uint16_t* p) { v.store_bf16(p); }
};
struct F16 {
  typedef uint16_t Scalar;
  static constexpr uint16_t minus_inf = 0xfc00;
  static CALIB_INLINE Floats load(const uint16_t* p) { return Floats::load_f16(p); }
  static CALIB_INLINE void store(Floats v, uint16_t* p) { v.store_f16(p); }
};

// 2^f for f in [0, 1), to 1.8e-7 relative, and exactly for f = 0.
CALIB_INLINE Floats mantissa(Floats f) {
  Floats p = Floats::all(0x1.ea597cp-10f);
  p = madd(p, f, Floats::all(0x1.27498cp-7f));
  p = madd(p, f, Floats::all(0x1.c920c4p-5f));
  p = madd(p, f, Floats::all(0x1.ebdb90p-3f));
  p = madd(p, f, Floats::all(0x1.62e4b8p-1f));
  p = madd(p, f, Floats::all(1.0f));
  return p;
}

// 2^z for z in [-126, 127], to 1.8e-7 relative and exactly where z is an integer.
CALIB_INLINE Floats exp2(Floats z) {
  const Floats n = floor(z);
  return times_2_to(mantissa(z - n), n);
}

// 2^z for z <= 127, and 0 below -126 where subnormal numbers are flushed.
CALIB_INLINE Floats power_of_2(Floats z) {
  z = within_reach(z);
  return times_2_to_floor(mantissa(fraction(z)), z);
}

template <class X>
CALIB_INLINE void max_lanes(const typename X::Scalar* x, int64_t groups, float* out) {
  Floats m[REGISTERS];
  for (int r = 0; r < REGISTERS; ++r) m[r] = Floats::all(MINUS_INF);
  for (int64_t i = 0; i < groups; ++i, x += LANES)
    for (int r = 0; r < REGISTERS; ++r) m[r] = max(X::load(x + r * Floats::W), m[r]);
  for (int r = 0; r < REGISTERS; ++r) m[r].store(out + r * Floats::W);
}

// Of lanes without NaN: halves are compared, so that no comparison waits for the one before.
CALIB_INLINE float largest(const float* lanes) {
  Floats m[REGISTERS];
  for (int r = 0; r < REGISTERS; ++r) m[r] = Floats::load(lanes + r * Floats::W);
  for (int half = REGISTERS / 2; half; half /= 2)
    for (int r = 0; r < half; ++r) m[r] = max(m[r], m[r + half]);
  alignas(64) float last[Floats::W];
  m[0].store(last);
  for (int half = Floats::W / 2; half; half /= 2)
    for (int l = 0; l < half; ++l) last[l] = last[l] > last[l + half] ? last[l] : last[l + half];
  return last[0];
}

CALIB_INLINE double fold(const float* lanes) {
  double s[8];
  for (int j = 0; j < 8; ++j) s[j] = lanes[j];
  for (int r = 1; r < 8; ++r)
    for (int j = 0; j < 8; ++j) s[j] += lanes[8 * r + j];
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

// Adds sixteen floats to eight sums, two to each.
CALIB_INLINE void add_few(const float* few, double* sums) {
  typedef float Eight __attribute__((vector_size(32)));
  typedef double Wide __attribute__((vector_size(64)));
  Eight a, b;
  Wide sum;
  std::memcpy(&a, few, sizeof a);
  std::memcpy(&b, few + 8, sizeof b);
  std::memcpy(&sum, sums, sizeof sum);
  sum += __builtin_convertvector(a, Wide) + __builtin_convertvector(b, Wide);
  std::memcpy(sums, &sum, sizeof sum);
}

// Up to 64 logits that do not fill a group, and -inf in place of the others.
template <class X>
struct Tail {
  typename X::Scalar x[LANES];
  CALIB_INLINE Tail(const typename X::Scalar* from, int64_t n) {
    typename X::Scalar absent;
    const auto bits = X::minus_inf;
    std::memcpy(&absent, &bits, sizeof absent);
    for (int64_t i = 0; i < LANES; ++i) x[i] = i < n ? from[i] : absent;
  }
};

// The largest of n logits; NaNs are passed over.
template <class X>
CALIB_INLINE float largest_of(const typename X::Scalar* x, int64_t n) {
  alignas(64) float lanes[LANES];
  max_lanes<X>(x, n / LANES, lanes);
  float m = largest(lanes);
  if (n % LANES) {
    const Tail<X> tail(x + n / LANES * LANES, n % LANES);
    max_lanes<X>(tail.x, 1, lanes);
    const float rest = largest(lanes);
    m = rest > m ? rest : m;
  }
  return m;
}

}  // namespace calib::CALIB_VARIANT
