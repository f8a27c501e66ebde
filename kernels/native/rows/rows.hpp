// What one read of a piece of a logits row leaves behind, and the functions that read.
//
// A row is cut into chunks of CHUNK logits, a chunk into blocks of BLOCK: a fixed partition, so a
// row's bits depend on the row alone, not on threads or on other rows. Inside a block, 64 lanes sum
// in float; lanes are folded and blocks added in double.
#pragma once

#include <cstdint>

namespace calib {

enum class DType : int { f32 = 0, bf16 = 1, f16 = 2 };

constexpr int64_t LANES = 64;
constexpr int64_t BLOCK = 4096;
constexpr int64_t CHUNK = 8 * BLOCK;

constexpr double LN2 = 0.693147180559945309417232121458;

// With g = fl(c * ref), z = fma(c, x, -g), e = 2^z over the chunk's logits x: d = sum e,
// w = sum e * z and, where squares are asked for, q = sum e^2, else 0. Where odd is set (NaN, or
// c * x beyond 2^27), nothing else may be used.
struct Chunk {
  float max;          // -inf if nothing is larger; NaNs are passed over
  int64_t max_block;  // offset in the chunk of the block that holds max first
  bool seen;          // whether c * x >= -2^27 for any logit: else g, d, w and q are 0
  bool odd;
  float g;
  double d;
  double w;
  double q;
};

// Of one block: sum 2^(c * x - g), or 0 where the chunk has not seen it.
struct BlockSum {
  float g;
  double d;
};

struct RowKernels {
  // n <= CHUNK. Without and with squares, then by dtype; g, d and w have the same bits either way.
  void (*chunk[2][3])(const void* x, int64_t n, float c, Chunk* out);
  // The same without squares, and the sum of each block besides.
  void (*blocks[3])(const void* x, int64_t n, float c, Chunk* out, BlockSum* blocks);
  // Index of the first logit equal to value, or n. By dtype.
  int64_t (*find[3])(const void* x, int64_t n, float value);
};

inline int64_t chunks_of(int64_t columns) { return (columns + CHUNK - 1) / CHUNK; }
inline int64_t blocks_of(int64_t columns) { return (columns + BLOCK - 1) / BLOCK; }

inline int64_t size_of(DType type) { return type == DType::f32 ? 4 : 2; }

inline const void* offset(const void* x, DType type, int64_t i) {
  return static_cast<const char*>(x) + i * size_of(type);
}

}  // namespace calib
