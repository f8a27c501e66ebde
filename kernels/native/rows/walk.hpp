// N rows of logits with their labels and temperatures: read, shared among threads, counted.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "histogram_delta/histogram_delta.hpp"
#include "rows/pool.hpp"
#include "rows/rows.hpp"
#include "rows/statistics.hpp"
#include "simd/variant.hpp"

namespace calib {

struct RowInput {
  const void* logits;
  DType type;
  int64_t rows, columns, stride;  // stride in logits
  const void* labels;             // (rows), or null
  bool wide_labels;               // int64, else int32
  int64_t ignore_index;
  float scale;                // log2(e) / T where temperatures is null
  const float* temperatures;  // (1 or rows), or null
  bool shared_temperature;
};

constexpr float NOT_A_NUMBER = std::numeric_limits<float>::quiet_NaN();
// Below this inverse temperatures leave float's range.
constexpr float LEAST_TEMPERATURE = 1e-38f;
// Fewer logits than this are not worth waking a thread.
constexpr int64_t WORTH_THREADS = 4 * BLOCK;

inline int64_t label_of(const RowInput& in, int64_t row) {
  int32_t narrow;
  int64_t wide;
  if (in.wide_labels) {
    std::memcpy(&wide, static_cast<const char*>(in.labels) + row * 8, sizeof wide);
    return wide;
  }
  std::memcpy(&narrow, static_cast<const char*>(in.labels) + row * 4, sizeof narrow);
  return narrow;
}

inline float scale_of(const RowInput& in, int64_t row, bool* bad) {
  *bad = false;
  if (!in.temperatures) return in.scale;
  const float t = in.temperatures[in.shared_temperature ? 0 : row];
  *bad = !(t >= LEAST_TEMPERATURE && std::isfinite(t));
  return *bad ? 1.0f : 1.44269504f / t;
}

inline const void* row_of(const RowInput& in, int64_t row) {
  return offset(in.logits, in.type, row * in.stride);
}

// Calls finish(row, c, whether the temperature is bad, its RowStats) once for every row. With
// blocks (rows, blocks_of(columns)), the sums of blocks are kept there.
template <class Finish>
void for_each_row(const RowInput& in, bool squares, int threads, const Finish& finish,
                  BlockSum* blocks = nullptr) {
  const RowKernels& kernels = *variant().rows;
  const int64_t V = in.columns, pieces = chunks_of(V);
  const auto blocks_at = [&](int64_t row, int64_t start) {
    return blocks ? blocks + row * blocks_of(V) + start / BLOCK : nullptr;
  };
  if (in.rows * V < WORTH_THREADS) threads = 1;
  if (threads == 1 || pieces == 1 || in.rows >= 4 * threads) {
    parallel_for(in.rows, threads, [&](int64_t row) {
      bool bad;
      const float c = scale_of(in, row, &bad);
      finish(row, c, bad,
             read_row(kernels, row_of(in, row), in.type, V, c, squares, blocks_at(row, 0)));
    });
    return;
  }
  // Few rows: threads share the chunks of a row. The same chunks, so the same bits.
  std::vector<Chunk> chunks(in.rows * pieces);
  parallel_for(in.rows * pieces, threads, [&](int64_t task) {
    const int64_t row = task / pieces, start = task % pieces * CHUNK;
    bool bad;
    const float c = scale_of(in, row, &bad);
    read_chunk(kernels, offset(in.logits, in.type, row * in.stride + start), in.type,
               std::min(CHUNK, V - start), c, squares, &chunks[task], blocks_at(row, start));
  });
  parallel_for(in.rows, threads, [&](int64_t row) {
    bool bad;
    const float c = scale_of(in, row, &bad);
    finish(row, c, bad, combine(kernels, row_of(in, row), in.type, V, c, &chunks[row * pieces]));
  });
}

// Adds every row that is not ignored. The rows have labels.
inline void count_rows(const RowInput& in, const Histogram& histogram, const float* confidence,
                       const bool* correct) {
  for (int64_t row = 0; row < in.rows; ++row)
    if (label_of(in, row) != in.ignore_index) add_row(histogram, confidence[row], correct[row]);
}

}  // namespace calib
