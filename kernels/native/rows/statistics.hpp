// A row's statistics from its chunks: combined in order, in double, special rows told apart.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "rows/rows.hpp"

namespace calib {

inline float bf16_to_float(uint16_t h) {
  const uint32_t bits = static_cast<uint32_t>(h) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline float f16_to_float(uint16_t h) {
  const uint32_t rest = h & 0x7fff, sign = static_cast<uint32_t>(h & 0x8000) << 16;
  uint32_t bits = rest << 13;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  x *= 0x1p112f;
  std::memcpy(&bits, &x, sizeof bits);
  bits |= sign | (rest >= 0x7c00 ? 0x7f800000u : 0u);
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline float half_to_float(uint16_t h, DType type) {
  return type == DType::bf16 ? bf16_to_float(h) : f16_to_float(h);
}

inline float logit(const void* x, DType type, int64_t i) {
  if (type == DType::f32) return static_cast<const float*>(x)[i];
  return half_to_float(static_cast<const uint16_t*>(x)[i], type);
}

// Whether many of n logits are at least `least` and repeat the one before, by a few of them.
inline bool repetitive(const void* x, DType type, int64_t n, float least) {
  const int64_t step = std::max<int64_t>(1, n / LANES);
  int64_t repeats = 0, pairs = 0;
  for (int64_t i = 1; i < n; i += step, ++pairs) {
    const float own = logit(x, type, i);
    repeats += own == logit(x, type, i - 1) && own >= least;
  }
  return repeats > pairs / 8;
}

// Over the row's vocabulary at inverse temperature c (base 2): log2 p_i = (c * x_i - g) - log2_d.
struct RowStats {
  float max;      // NaN if the row holds one
  int64_t token;  // where max stands first
  bool lost;      // NaN, two +inf or nothing but -inf: only max and token mean anything
  bool certain;   // one +inf: its probability is 1, entropy 0
  bool reread;    // by odd_row: the sums of blocks mean nothing
  double g;
  double log2_d;
  double mean_z;   // E[c * x_i - g]
  double entropy;  // nats
  double sum_p2;   // sum p_i^2, where squares were asked for
};

// In nats, of logit x in a row that is not lost.
inline double logprob_of(const RowStats& s, float c, float x) {
  if (s.certain) return std::isinf(x) && x > 0 ? 0.0 : -std::numeric_limits<double>::infinity();
  return std::fmin(0.0, (static_cast<double>(c) * x - s.g) - s.log2_d) * LN2;
}

// The row read again, slowly: for NaN, +inf, and rows whose logits are too large for float sums.
inline RowStats odd_row(const void* x, DType type, int64_t n, float c) {
  RowStats s = {};
  s.reread = true;
  int64_t infinite = 0;
  s.max = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i) {
    const float v = logit(x, type, i);
    if (std::isnan(v)) {
      s.max = v;
      s.token = i;
      s.lost = true;
      return s;
    }
    infinite += std::isinf(v) && v > 0;
    if (v > s.max) {
      s.max = v;
      s.token = i;
    }
  }
  s.lost = infinite > 1;
  s.certain = infinite == 1;
  s.sum_p2 = 1.0;
  if (infinite) return s;
  s.g = static_cast<double>(c) * s.max;
  double d = 0.0, w = 0.0, q = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    const double z = static_cast<double>(c) * logit(x, type, i) - s.g;
    const double e = std::exp2(z);
    d += e;
    w += e == 0.0 ? 0.0 : e * z;
    q += e * e;
  }
  s.sum_p2 = q / (d * d);
  s.log2_d = std::log2(d);
  s.mean_z = w / d;
  s.entropy = (s.log2_d - s.mean_z) * LN2;
  return s;
}

// log2 of the sum of 2^(c * (x_i - max)).
inline double log2_d_above(const RowStats& s, float c) {
  return s.certain ? 0.0 : s.log2_d + (s.g - static_cast<double>(c) * s.max);
}

inline RowStats combine(const RowKernels& kernels, const void* x, DType type, int64_t n, float c,
                        const Chunk* chunks) {
  const int64_t count = chunks_of(n);
  int64_t best = 0;
  bool odd = false, seen = false;
  double g = -std::numeric_limits<double>::infinity();
  for (int64_t k = 0; k < count; ++k) {
    odd = odd || chunks[k].odd;
    if (chunks[k].max > chunks[best].max) best = k;
    if (chunks[k].seen) {
      seen = true;
      g = std::fmax(g, chunks[k].g);
    }
  }
  RowStats s = {};
  s.max = chunks[best].max;
  if (!odd && !seen && std::isinf(s.max)) {
    s.lost = true;
    return s;
  }
  // Below -2^26, logits that no chunk has seen may weigh as much as those seen.
  if (odd || !seen || g < -0x1p26) return odd_row(x, type, n, c);
  const int64_t start = best * CHUNK + chunks[best].max_block;
  const int64_t length = n - start < BLOCK ? n - start : BLOCK;
  s.token = start + kernels.find[static_cast<int>(type)](offset(x, type, start), length, s.max);
  double d = 0.0, w = 0.0, q = 0.0;
  for (int64_t k = 0; k < count; ++k) {
    if (!chunks[k].seen) continue;
    const double shift = chunks[k].g - g;
    const double a = std::exp2(shift);
    if (a == 0.0) continue;
    d += a * chunks[k].d;
    w += a * (chunks[k].w + shift * chunks[k].d);
    q += a * a * chunks[k].q;
  }
  s.sum_p2 = q / (d * d);
  s.g = g;
  s.log2_d = std::log2(d);
  s.mean_z = w / d;
  s.entropy = (s.log2_d - s.mean_z) * LN2;
  return s;
}

inline void read_chunk(const RowKernels& kernels, const void* x, DType type, int64_t n, float c,
                       bool squares, Chunk* out, BlockSum* blocks) {
  const int at = static_cast<int>(type);
  if (blocks)
    kernels.blocks[at](x, n, c, out, blocks);
  else
    kernels.chunk[squares][at](x, n, c, out);
}

// With blocks, one for each block of the row, their sums are kept and squares are not.
inline RowStats read_row(const RowKernels& kernels, const void* x, DType type, int64_t n, float c,
                         bool squares, BlockSum* blocks = nullptr) {
  Chunk chunks[32];
  const int64_t count = chunks_of(n);
  Chunk* found = count <= 32 ? chunks : new Chunk[count];
  for (int64_t k = 0; k < count; ++k) {
    const int64_t length = n - k * CHUNK < CHUNK ? n - k * CHUNK : CHUNK;
    read_chunk(kernels, offset(x, type, k * CHUNK), type, length, c, squares, found + k,
               blocks ? blocks + k * (CHUNK / BLOCK) : nullptr);
  }
  const RowStats s = combine(kernels, x, type, n, c, found);
  if (found != chunks) delete[] found;
  return s;
}

}  // namespace calib
