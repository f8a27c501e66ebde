#include "histogram_delta/histogram_delta.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <vector>

#include "rows/pool.hpp"

namespace calib {

namespace {

// Fewer rows are not worth a thread.
constexpr int64_t LEAST_PER_TASK = 16'384;
// Sums kept apart and added up at the end: rows of one bin do not wait for each other's stores.
constexpr int COPIES = 2;

struct Sums {
  int64_t count = 0, correct = 0, confidence = 0;
};

bool in_range(float confidence) { return confidence >= 0.0f && confidence <= 1.0f; }

int64_t fixed(float confidence) {  // exact before truncation
  return static_cast<int64_t>(confidence * 0x1p32f);
}

// The product is off by less than one bin: the table has the last word.
int64_t bin_of(const float* bounds, int64_t bins, float confidence) {
  int64_t b = static_cast<int64_t>(confidence * static_cast<float>(bins));
  b = std::min(b, bins - 1);
  b -= confidence < bounds[b];
  b += confidence >= bounds[b + 1];
  return b;
}

}  // namespace

Histogram::Histogram(const float* edges, int64_t count, int64_t* seen) : bins(count), sums(seen) {
  if (bins == 0) return;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  bounds.reserve(bins + 1);
  bounds.push_back(-infinity);
  bounds.insert(bounds.end(), edges, edges + bins - 1);
  bounds.push_back(infinity);
}

void add_row(const Histogram& h, float confidence, bool correct) {
  if (!in_range(confidence)) {
    ++h.sums[3 * h.bins];
    return;
  }
  const int64_t b = bin_of(h.bounds.data(), h.bins, confidence);
  ++h.sums[b];
  h.sums[h.bins + b] += correct;
  h.sums[2 * h.bins + b] += fixed(confidence);
}

void add_rows(const Histogram& h, const float* confidence, const bool* correct, const bool* valid,
              int64_t n, int threads) {
  const int64_t tasks = std::clamp<int64_t>(n / LEAST_PER_TASK, 1, threads);
  const int64_t bins = h.bins;  // outside of ``h``, which the compiler must take sums to overlap
  const float* bounds = h.bounds.data();
  std::mutex adding;
  parallel_for(tasks, threads, [&](int64_t task) {
    std::vector<Sums> own(COPIES * (bins + 1));  // the last of each copy: rows in no bin
    const int64_t end = n * (task + 1) / tasks;
    for (int64_t i = n * task / tasks; i < end; ++i) {
      const bool counts = in_range(confidence[i]) && (!valid || valid[i]);
      const float c = counts ? confidence[i] : 0.0f;
      const int64_t b = counts ? bin_of(bounds, bins, c) : bins;
      Sums& sums = own[(i % COPIES) * (bins + 1) + b];
      ++sums.count;
      sums.correct += correct[i];
      sums.confidence += fixed(c);
    }
    const std::lock_guard<std::mutex> lock(adding);
    for (int64_t k = 0; k < COPIES; ++k) {
      const Sums* copy = own.data() + k * (bins + 1);
      for (int64_t b = 0; b < bins; ++b) {
        h.sums[b] += copy[b].count;
        h.sums[bins + b] += copy[b].correct;
        h.sums[2 * bins + b] += copy[b].confidence;
      }
      h.sums[3 * bins] += copy[bins].count;
    }
  });
}

}  // namespace calib
