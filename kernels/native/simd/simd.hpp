// A vector of W floats for the instruction set this file is compiled for.
//
// Everything is in the variant's own namespace and inlined: the same source is compiled several
// times with different flags, and the linker must never take one variant's function for another's.
//
// Stores of sixteen bits round to nearest even.
//
// max(a, b) returns b where either is NaN. fma rounds once; madd may round twice where there is no
// hardware fma (the baseline), so the baseline's bits differ from the others'. v3 and v4 agree.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "counting/cells.hpp"

#define CALIB_INLINE inline __attribute__((always_inline))

namespace calib::CALIB_VARIANT {

#if defined(__AVX512F__)

struct Floats {
  __m512 v;
  static constexpr int W = 16;
  static CALIB_INLINE Floats all(float x) { return {_mm512_set1_ps(x)}; }
  static CALIB_INLINE Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static CALIB_INLINE Floats load_bf16(const uint16_t* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
  }
  static CALIB_INLINE Floats load_f16(const uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  CALIB_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  CALIB_INLINE void store_bf16(uint16_t* p) const { store_half(p, bf16()); }
  CALIB_INLINE void store_f16(uint16_t* p) const { store_half(p, f16()); }

 private:
  CALIB_INLINE __m256i bf16() const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_add_epi32(bits, up), 16));
  }
  CALIB_INLINE __m256i f16() const {
    return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static CALIB_INLINE void store_half(uint16_t* p, __m256i half) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), half);
  }
};
CALIB_INLINE Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
CALIB_INLINE Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
CALIB_INLINE Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
CALIB_INLINE Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
CALIB_INLINE Floats max(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
CALIB_INLINE Floats fma(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
CALIB_INLINE Floats madd(Floats a, Floats b, Floats c) { return fma(a, b, c); }
CALIB_INLINE Floats floor(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
// p * 2^n for an integer n, where that is a normal number; NaN stays NaN.
CALIB_INLINE Floats times_2_to(Floats p, Floats n) { return {_mm512_scalef_ps(p.v, n.v)}; }
// Lanes of yes where a and b are equal, of no elsewhere.
CALIB_INLINE Floats select_equal(Floats a, Floats b, Floats yes, Floats no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ), no.v, yes.v)};
}
// z - floor(z) for z <= 127, rounded down, as the instruction does it: v3 must follow.
CALIB_INLINE Floats fraction(Floats z) {
  return {_mm512_reduce_ps(z.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
// z as far as times_2_to_floor can use it.
CALIB_INLINE Floats within_reach(Floats z) { return z; }
// p * 2^floor(z) for p in [1, 2] and z within reach; subnormal or 0 below z = -126.
CALIB_INLINE Floats times_2_to_floor(Floats p, Floats z) { return {_mm512_scalef_ps(p.v, z.v)}; }
CALIB_INLINE bool any_equal(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ) != 0;
}
CALIB_INLINE bool any_greater(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ) != 0;
}
// x where a > b, else 0.
CALIB_INLINE Floats where_greater(Floats a, Floats b, Floats x) {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), x.v)};
}
// What each z adds to its cell (counting/cells.hpp), in any order.
CALIB_INLINE void store_entries(Floats z, uint64_t* entries) {
  const __m512i at = _mm512_cvtps_epi32(z.v);  // INT_MIN where no integer is near
  const __m512i place = _mm512_and_si512(at, _mm512_set1_epi32(0xffff));
  const __m512i away = _mm512_xor_si512(place, _mm512_set1_epi32(0x8000));
  const __m512i square = _mm512_srli_epi32(_mm512_madd_epi16(away, away), CELL_SQUARE_SHIFT);
  const __m512i high = _mm512_or_si512(square, _mm512_set1_epi32(CELL_ONE));
  _mm512_storeu_si512(entries, _mm512_unpacklo_epi32(at, high));
  _mm512_storeu_si512(entries + 8, _mm512_unpackhi_epi32(at, high));
}

#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

struct Floats {
  __m256 v;
  static constexpr int W = 8;
  static CALIB_INLINE Floats all(float x) { return {_mm256_set1_ps(x)}; }
  static CALIB_INLINE Floats load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static CALIB_INLINE Floats load_bf16(const uint16_t* p) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))};
  }
  static CALIB_INLINE Floats load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  CALIB_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  CALIB_INLINE void store_bf16(uint16_t* p) const { store_half(p, bf16()); }
  CALIB_INLINE void store_f16(uint16_t* p) const { store_half(p, f16()); }

 private:
  CALIB_INLINE __m128i bf16() const {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i up = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    const __m256i high = _mm256_srli_epi32(_mm256_add_epi32(bits, up), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
  }
  CALIB_INLINE __m128i f16() const {
    return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static CALIB_INLINE void store_half(uint16_t* p, __m128i half) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), half);
  }
};
CALIB_INLINE Floats operator+(Floats a, Floats b) { return {_mm256_add_ps(a.v, b.v)}; }
CALIB_INLINE Floats operator-(Floats a, Floats b) { return {_mm256_sub_ps(a.v, b.v)}; }
CALIB_INLINE Floats operator*(Floats a, Floats b) { return {_mm256_mul_ps(a.v, b.v)}; }
CALIB_INLINE Floats operator/(Floats a, Floats b) { return {_mm256_div_ps(a.v, b.v)}; }
CALIB_INLINE Floats max(Floats a, Floats b) { return {_mm256_max_ps(a.v, b.v)}; }
CALIB_INLINE Floats fma(Floats a, Floats b, Floats c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
CALIB_INLINE Floats madd(Floats a, Floats b, Floats c) { return fma(a, b, c); }
CALIB_INLINE Floats floor(Floats a) { return {_mm256_floor_ps(a.v)}; }
CALIB_INLINE Floats times_2_to(Floats p, Floats n) {
  const __m256i bits = _mm256_slli_epi32(_mm256_cvtps_epi32(n.v), 23);
  return {_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p.v), bits))};
}
CALIB_INLINE Floats select_equal(Floats a, Floats b, Floats yes, Floats no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ))};
}
CALIB_INLINE bool any_equal(Floats a, Floats b) {
  return _mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)) != 0;
}
CALIB_INLINE bool any_greater(Floats a, Floats b) {
  return _mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)) != 0;
}
CALIB_INLINE Floats where_greater(Floats a, Floats b, Floats x) {
  return {_mm256_and_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ), x.v)};
}
CALIB_INLINE void store_entries(Floats z, uint64_t* entries) {
  const __m256i at = _mm256_cvtps_epi32(z.v);
  const __m256i place = _mm256_and_si256(at, _mm256_set1_epi32(0xffff));
  const __m256i away = _mm256_xor_si256(place, _mm256_set1_epi32(0x8000));
  const __m256i square = _mm256_srli_epi32(_mm256_madd_epi16(away, away), CELL_SQUARE_SHIFT);
  const __m256i high = _mm256_or_si256(square, _mm256_set1_epi32(CELL_ONE));
  auto* to = reinterpret_cast<__m256i*>(entries);
  _mm256_storeu_si256(to, _mm256_unpacklo_epi32(at, high));
  _mm256_storeu_si256(to + 1, _mm256_unpackhi_epi32(at, high));
}

#else

typedef float Quad __attribute__((vector_size(16)));
typedef int32_t QuadInts __attribute__((vector_size(16)));
typedef uint32_t QuadBits __attribute__((vector_size(16)));  // wraps; signed integers must not

struct Floats {
  Quad v;
  static constexpr int W = 4;
  static CALIB_INLINE Floats all(float x) { return {Quad{x, x, x, x}}; }
  static CALIB_INLINE Floats load(const float* p) {
    Quad v;
    std::memcpy(&v, p, sizeof v);
    return {v};
  }
  static CALIB_INLINE Floats load_bf16(const uint16_t* p) {
    const QuadBits bits = {p[0], p[1], p[2], p[3]};
    return {(Quad)(bits << 16)};
  }
  static CALIB_INLINE Floats load_f16(const uint16_t* p) {
    // Shift the fraction and exponent into place, then rescale: exact for subnormals, too.
    const QuadBits half = {p[0], p[1], p[2], p[3]};
    const QuadBits rest = half & 0x7fff;
    const Quad scaled = (Quad)(rest << 13) * 0x1p112f;
    const QuadBits special = (QuadBits)(rest >= 0x7c00) & 0x7f800000;
    return {(Quad)((QuadBits)scaled | special | ((half & 0x8000) << 16))};
  }
  CALIB_INLINE void store(float* p) const { std::memcpy(p, &v, sizeof v); }
  CALIB_INLINE void store_bf16(uint16_t* p) const {
    const QuadBits bits = (QuadBits)v;
    store_half(p, (bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
  CALIB_INLINE void store_f16(uint16_t* p) const {
    const QuadBits bits = (QuadBits)v;
    const QuadBits size = bits & 0x7fffffff;
    // Subnormal results: adding 1/2 leaves what remains of the fraction in the lowest bits.
    const QuadBits small = (QuadBits)((Quad)size + 0.5f) - 0x3f000000;
    const QuadBits normal = (size - 0x38000000 + 0xfff + ((size >> 13) & 1)) >> 13;
    const QuadBits above = size > 0x7f800000 ? QuadBits{} + 0x7e00 : QuadBits{} + 0x7c00;
    const QuadBits half = size < 0x38800000 ? small : size >= 0x47800000 ? above : normal;
    store_half(p, half | ((bits >> 16) & 0x8000));
  }

 private:
  static CALIB_INLINE void store_half(uint16_t* p, QuadBits half) {
    for (int i = 0; i < 4; ++i) p[i] = static_cast<uint16_t>(half[i]);
  }
};
CALIB_INLINE Floats operator+(Floats a, Floats b) { return {a.v + b.v}; }
CALIB_INLINE Floats operator-(Floats a, Floats b) { return {a.v - b.v}; }
CALIB_INLINE Floats operator*(Floats a, Floats b) { return {a.v * b.v}; }
CALIB_INLINE Floats operator/(Floats a, Floats b) { return {a.v / b.v}; }
CALIB_INLINE Floats max(Floats a, Floats b) { return {a.v > b.v ? a.v : b.v}; }
CALIB_INLINE Floats madd(Floats a, Floats b, Floats c) { return {a.v * b.v + c.v}; }
#if defined(__FP_FAST_FMAF)
CALIB_INLINE Floats fma(Floats a, Floats b, Floats c) {
  Quad r;
  for (int i = 0; i < 4; ++i) r[i] = __builtin_fmaf(a.v[i], b.v[i], c.v[i]);
  return {r};
}
#else
// The product is exact in double: one rounding to double, one to float.
CALIB_INLINE Floats fma(Floats a, Floats b, Floats c) {
  typedef double Wide __attribute__((vector_size(32)));
  const Wide r = __builtin_convertvector(a.v, Wide) * __builtin_convertvector(b.v, Wide) +
                 __builtin_convertvector(c.v, Wide);
  return {__builtin_convertvector(r, Quad)};
}
#endif
CALIB_INLINE Floats floor(Floats a) {
  const Quad toward_zero = __builtin_convertvector(__builtin_convertvector(a.v, QuadInts), Quad);
  return {toward_zero - (toward_zero > a.v ? Quad{1, 1, 1, 1} : Quad{})};
}
CALIB_INLINE Floats times_2_to(Floats p, Floats n) {
  const QuadBits exponent = (QuadBits) __builtin_convertvector(n.v, QuadInts) << 23;
  return {(Quad)((QuadBits)p.v + exponent)};
}
CALIB_INLINE Floats select_equal(Floats a, Floats b, Floats yes, Floats no) {
  return {a.v == b.v ? yes.v : no.v};
}
CALIB_INLINE bool any_equal(Floats a, Floats b) {
  const QuadInts same = a.v == b.v;
  return (same[0] | same[1] | same[2] | same[3]) != 0;
}
CALIB_INLINE bool any_greater(Floats a, Floats b) {
  const QuadInts greater = a.v > b.v;
  return (greater[0] | greater[1] | greater[2] | greater[3]) != 0;
}
CALIB_INLINE Floats where_greater(Floats a, Floats b, Floats x) {
  return {(Quad)((QuadBits)(a.v > b.v) & (QuadBits)x.v)};
}
CALIB_INLINE void store_entries(Floats z, uint64_t* entries) {
  for (int i = 0; i < Floats::W; ++i) {
    const bool near = z.v[i] >= -0x1p31f && z.v[i] < 0x1p31f;
    entries[i] = cell_entry(static_cast<int32_t>(near ? __builtin_rintf(z.v[i]) : -0x1p31f));
  }
}

#endif

#if !defined(__AVX512F__)
#if defined(__AVX2__)
CALIB_INLINE Floats fraction(Floats z) {
  const Floats n = floor(z), f = z - n;
  // f + n is exact, so the sign tells whether f was rounded up; -1 then takes one unit off it.
  const __m256 up = _mm256_cmp_ps((f + n).v, z.v, _CMP_GT_OQ);
  const __m256i bits = _mm256_add_epi32(_mm256_castps_si256(f.v), _mm256_castps_si256(up));
  return {_mm256_castsi256_ps(bits)};
}
#else
CALIB_INLINE Floats fraction(Floats z) { return z - floor(z); }
#endif
CALIB_INLINE Floats within_reach(Floats z) { return max(Floats::all(-127.0f), z); }
CALIB_INLINE Floats times_2_to_floor(Floats p, Floats z) { return times_2_to(p, floor(z)); }
#endif

}  // namespace calib::CALIB_VARIANT
