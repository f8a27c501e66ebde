#include <cmath>
#include <cstring>

#include "cross_entropy/cross_entropy.hpp"
#include "cross_entropy/loops.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace calib {
namespace {

constexpr int64_t HUGE_PAGE = int64_t{1} << 21;

struct RowWeights {
  Weights lanes;
  double all, surprise, everywhere;  // those of the lanes before they are rounded
  double label;                      // subtracted in the label's column
  int64_t columns[2];                // the label's and that of a certain row's +inf, or -1
  bool silent;                       // nothing is sent back
};

float capped(float x, float cap) {
  if (cap != 0.0f) variant().loss->capped[0](&x, 1, cap, &x);
  return x;
}

// For the columns start..start + n - 1 of a row.
RowWeights weights_of(const RowInput& in, const GradientInput& given, int64_t row, int64_t start,
                      int64_t n) {
  const LossTerms& shape = given.shape;
  const Upstream& up = given.upstream;
  bool bad;
  const float c = scale_of(in, row, &bad);
  const double one_over_t = c * LN2;
  RowWeights w = {};
  w.lanes = {c, capped(given.top[row], shape.cap), given.log2_d[row], 0.0f, 0.0f, 0.0f, shape.cap};
  w.columns[0] = w.columns[1] = -1;
  const double lse = (static_cast<double>(c) * w.lanes.top + w.lanes.log2_d) * LN2;
  double all = up.lse ? up.lse[row] : 0.0, surprise = 0.0, everywhere = 0.0;
  if (up.entropy && up.entropy[row] != 0.0f) {
    all -= static_cast<double>(up.entropy[row]) * given.entropy[row];
    surprise = -up.entropy[row] * LN2;
  }
  if (up.loss && in.labels) {
    const int64_t label = label_of(in, row);
    const double loss = up.loss[row * up.loss_stride];
    if (label != in.ignore_index && label >= 0 && label < in.columns && loss != 0.0) {
      all += loss;
      if (shape.z_loss > 0.0) all += loss * 2.0 * shape.z_loss * lse;
      everywhere = -loss * shape.smoothing / in.columns;
      w.label = loss * (1.0 - shape.smoothing) * one_over_t;
      w.columns[0] = label;
    }
  }
  w.silent = all == 0.0 && surprise == 0.0 && w.columns[0] < 0;
  w.all = all * one_over_t;
  w.surprise = surprise * one_over_t;
  w.everywhere = everywhere * one_over_t;
  w.lanes.all = static_cast<float>(w.all);
  w.lanes.surprise = static_cast<float>(w.surprise);
  w.lanes.everywhere = static_cast<float>(w.everywhere);
  if (std::isinf(w.lanes.top) && w.lanes.top > 0 && !w.silent) {
    // A certain row: everything finite is infinitely far below its one +inf, wherever that is.
    const int64_t at = variant().rows->find[static_cast<int>(in.type)](
        offset(row_of(in, row), in.type, start), n, w.lanes.top);
    if (at < n) w.columns[1] = start + at;
    w.lanes.c = 1.0f;
    w.lanes.log2_d = 200.0f;  // below the smallest float even where a logit is the largest
    w.lanes.top = std::numeric_limits<float>::max();
  }
  return w;
}

// The gradient in one column, where the loops leave something out.
double gradient_at(const RowInput& in, const RowWeights& w, int64_t row, int64_t column) {
  const float x = logit(row_of(in, row), in.type, column), cap = w.lanes.cap;
  const double gap = static_cast<double>(capped(x, cap)) - w.lanes.top;
  const double u = column == w.columns[1] ? 0.0 : w.lanes.c * gap - w.lanes.log2_d;
  const double p = std::exp2(u);
  double sent = p * w.all + w.everywhere;
  if (p > 0.0) sent += p * w.surprise * u;
  if (column == w.columns[0]) sent -= w.label;
  const double t = cap == 0.0f ? 0.0 : std::tanh(static_cast<double>(x) / cap);
  return sent * (1.0 - t * t);
}

// Fresh memory costs a page fault for each page, most of the time of a gradient.
void want_huge_pages(void* begin, int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (bytes < 2 * HUGE_PAGE) return;
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + page - 1) & ~(page - 1);
  const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + bytes) & ~(page - 1);
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);  // advice: may be refused
#else
  (void)begin, (void)bytes;
#endif
}

}  // namespace

void logits_gradient(const RowInput& in, const GradientInput& given, const GradientOutput& out,
                     int threads) {
  const LossKernels& kernels = *variant().loss;
  const int type = static_cast<int>(in.type);
  const int64_t V = in.columns;
  char* first = static_cast<char*>(out.logits);
  want_huge_pages(first, in.rows * out.stride * size_of(in.type));
  if (in.rows * V < WORTH_THREADS) threads = 1;
  // Few rows: threads share the pieces of a row.
  const int64_t length = threads == 1 || in.rows >= 4 * threads ? V : CHUNK;
  const int64_t pieces = (V + length - 1) / length;
  parallel_for(in.rows * pieces, threads, [&](int64_t task) {
    const int64_t row = task / pieces, start = task % pieces * length;
    const int64_t n = std::min(length, V - start);
    const RowWeights w = weights_of(in, given, row, start, n);
    char* to = first + row * out.stride * size_of(in.type);
    char* piece = to + start * size_of(in.type);
    if (w.silent) {
      std::memset(piece, 0, n * size_of(in.type));
      return;
    }
    // The gradient may be written over the logits: what needs one of them comes first.
    float apart[2] = {};
    const auto here = [&](int64_t column) { return column >= start && column < start + n; };
    for (int i = 0; i < 2; ++i)
      if (here(w.columns[i])) apart[i] = static_cast<float>(gradient_at(in, w, row, w.columns[i]));
    kernels.gradient[w.lanes.cap != 0.0f][type](offset(row_of(in, row), in.type, start), n, w.lanes,
                                                piece);
    for (int i = 0; i < 2; ++i)
      if (here(w.columns[i])) kernels.store[type](apart[i], to + w.columns[i] * size_of(in.type));
  });
  if (!out.variance) return;
  parallel_for(in.rows, threads, [&](int64_t row) {
    bool bad;
    const Weights w = {scale_of(in, row, &bad), given.top[row], given.log2_d[row], 0, 0, 0, 0};
    out.variance[row] =
        static_cast<float>(kernels.variance[type](row_of(in, row), V, w, given.entropy[row]));
  });
}

}  // namespace calib
