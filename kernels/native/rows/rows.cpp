// Sums over a row; compiled once per instruction set (see simd.hpp for what that forbids).
#include "rows/rows.hpp"

#include "simd/lanes.hpp"

namespace calib::CALIB_VARIANT {
namespace {

// A block whose maximum exceeds the reference by more is summed again from its own maximum: sums
// stay far from overflow, and what dominates them keeps an exact exponent.
constexpr float HEADROOM = 8.0f;
// An exponent this large would take more than the rounding of g can carry: such rows are `odd`.
constexpr float FAR = 0x1p27f;
constexpr int64_t PROBE = 512;  // logits that the first reference is taken from

// Registers that are summed at a time: as many as leave no accumulator in memory. But of float32
// with AVX2 all: a pass that reads one line of four waits for memory longer than accumulators take.
template <class X>
constexpr int AT_ONCE =
    Floats::W == 4 || (Floats::W == 8 && sizeof(typename X::Scalar) == 2) ? 2 : REGISTERS;

struct Lanes {
  alignas(64) float max[LANES];
  alignas(64) float d[LANES];
  alignas(64) float w[LANES];
  alignas(64) float q[LANES];
};

// Lane l of out gets the sums over x[l], x[l + 64], ... of `groups` groups of 64; q with SQUARES.
template <class X, bool SQUARES>
CALIB_INLINE void sum_lanes(const typename X::Scalar* x, int64_t groups, float c, float g,
                            Lanes& out) {
  const Floats scale = Floats::all(c), minus_g = Floats::all(-g), low = Floats::all(-126.0f);
  constexpr int N = AT_ONCE<X>;
  for (int first = 0; first < REGISTERS; first += N) {
    Floats max_[N], d[N], w[N], q[N];
    for (int r = 0; r < N; ++r) {
      max_[r] = Floats::all(MINUS_INF);
      d[r] = w[r] = q[r] = Floats::all(0.0f);
    }
    const typename X::Scalar* p = x + first * Floats::W;
    for (int64_t i = 0; i < groups; ++i, p += LANES) {
      if (first == 0)
        for (int line = 0; line < LANES * static_cast<int>(sizeof *p); line += 64)
          __builtin_prefetch(
              reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(p) + AHEAD + line));
#pragma GCC unroll 8
      for (int r = 0; r < N; ++r) {
        const Floats v = X::load(p + r * Floats::W);
        max_[r] = max(v, max_[r]);
        const Floats z = fma(scale, v, minus_g);
        // Keeps NaN. What lies lower adds 2^-126, which a sum of at least 1 does not feel.
        const Floats clamped = max(low, z);
        const Floats e = exp2(clamped);
        d[r] = d[r] + e;
        w[r] = madd(e, clamped, w[r]);
        if (SQUARES) q[r] = madd(e, e, q[r]);
      }
    }
    for (int r = 0; r < N; ++r) {
      const int lane = (first + r) * Floats::W;
      max_[r].store(out.max + lane);
      d[r].store(out.d + lane);
      w[r].store(out.w + lane);
      if (SQUARES) q[r].store(out.q + lane);
    }
  }
}

struct Block {
  float max;
  double d, w, q;
};

template <class X, bool SQUARES>
CALIB_INLINE Block sum_block(const typename X::Scalar* x, int64_t n, float c, float g) {
  Lanes lanes;
  sum_lanes<X, SQUARES>(x, n / LANES, c, g, lanes);
  Block block = {largest(lanes.max), fold(lanes.d), fold(lanes.w), SQUARES ? fold(lanes.q) : 0.0};
  if (n % LANES) {
    const Tail<X> tail(x + n / LANES * LANES, n % LANES);
    sum_lanes<X, SQUARES>(tail.x, 1, c, g, lanes);
    const float rest = largest(lanes.max);
    block.max = rest > block.max ? rest : block.max;
    block.d += fold(lanes.d);
    block.w += fold(lanes.w);
    if (SQUARES) block.q += fold(lanes.q);
  }
  return block;
}

template <class X, bool SQUARES>
CALIB_INLINE void sum_blocks(const void* data, int64_t n, float c, Chunk* out, BlockSum* blocks) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  *out = {MINUS_INF, 0, false, false, 0.0f, 0.0, 0.0, 0.0};
  for (int64_t start = 0; start < n; start += BLOCK) {
    const int64_t length = n - start < BLOCK ? n - start : BLOCK;
    float g = out->g;
    if (!out->seen) {
      g = c * largest_of<X>(x + start, length < PROBE ? length : PROBE);
      if (g < -FAR) g = c * largest_of<X>(x + start, length);
      if (g < -FAR) g = 0.0f;
    }
    Block block = sum_block<X, SQUARES>(x + start, length, c, g);
    if (blocks) blocks[start / BLOCK] = {0.0f, 0.0};
    if (block.max > out->max) {
      out->max = block.max;
      out->max_block = start;
    }
    const float own = c * block.max;
    if (own > FAR) {
      out->odd = true;
      return;
    }
    if (own < -FAR) {  // nothing but -inf, or what masks are often filled with: d is 0 or NaN
      out->odd = out->odd || block.d != block.d;
      continue;
    }
    if (own - g > HEADROOM) {
      block = sum_block<X, SQUARES>(x + start, length, c, own);
      if (out->seen) {
        const double shift = static_cast<double>(out->g) - static_cast<double>(own);
        const double a = __builtin_exp2(shift);
        out->w = a == 0.0 ? 0.0 : a * (out->w + shift * out->d);
        out->d *= a;
        out->q *= a * a;
      }
      g = own;
    }
    out->seen = true;
    out->g = g;
    out->d += block.d;
    out->w += block.w;
    out->q += block.q;
    if (blocks) blocks[start / BLOCK] = {g, block.d};
  }
  // A NaN logit: the sums say nothing.
  if (!(out->d - out->d == 0.0)) out->odd = true;
}

template <class X, bool SQUARES>
void sum_chunk(const void* data, int64_t n, float c, Chunk* out) {
  sum_blocks<X, SQUARES>(data, n, c, out, nullptr);
}

template <class X>
void sum_chunk_and_blocks(const void* data, int64_t n, float c, Chunk* out, BlockSum* blocks) {
  sum_blocks<X, false>(data, n, c, out, blocks);
}

template <class X>
int64_t find(const void* data, int64_t n, float value) {
  const auto* x = static_cast<const typename X::Scalar*>(data);
  const Floats wanted = Floats::all(value);
  for (int64_t start = 0; start < n; start += LANES) {
    const int64_t length = n - start < LANES ? n - start : LANES;
    const Tail<X> group(x + start, length);
    for (int r = 0; r < REGISTERS; ++r) {
      if (!any_equal(X::load(group.x + r * Floats::W), wanted)) continue;
      alignas(64) float lanes[Floats::W];
      X::load(group.x + r * Floats::W).store(lanes);
      for (int l = 0; l < Floats::W; ++l)
        if (lanes[l] == value) return start + r * Floats::W + l;
    }
  }
  return n;
}

}  // namespace

extern const RowKernels row_kernels = {
    {{sum_chunk<F32, false>, sum_chunk<BF16, false>, sum_chunk<F16, false>},
     {sum_chunk<F32, true>, sum_chunk<BF16, true>, sum_chunk<F16, true>}},
    {sum_chunk_and_blocks<F32>, sum_chunk_and_blocks<BF16>, sum_chunk_and_blocks<F16>},
    {find<F32>, find<BF16>, find<F16>},
};

}  // namespace calib::CALIB_VARIANT
