// Loops over cells (cells.hpp): what adds logits to them, and what sums over them. Compiled once
// per instruction set.
#pragma once

#include "simd/lanes.hpp"
#include "temperature_sweep/loops.hpp"

namespace calib::CALIB_VARIANT {
namespace {

// Entries are worked out ENTRIES at a time, WAITING before they are added: a load from where a
// vector was just stored has to wait.
constexpr int ENTRIES = 32, WAITING = CellWords::WAITING;

// Logits are fetched less far ahead than elsewhere, and past the second cache, which is to keep
// cells.
constexpr int64_t A_LITTLE = 2560;

struct CellScale {
  Floats ref, scale, low;
};

template <class X>
CALIB_INLINE void enter(const typename X::Scalar* x, const CellScale& to, Floats* most,
                        uint64_t* entries) {
  const auto next = reinterpret_cast<uintptr_t>(x) + A_LITTLE;
  for (int line = 0; line < ENTRIES * static_cast<int>(sizeof *x); line += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(next + line), 0, 0);
#pragma GCC unroll 8
  for (int i = 0; i < ENTRIES; i += Floats::W) {
    const Floats v = X::load(x + i);
    most[i / Floats::W] = max(v, most[i / Floats::W]);
    store_entries(max(to.low, (v - to.ref) * to.scale), entries + i);
  }
}

CALIB_INLINE void add_entries(const uint64_t* entries, uint64_t* cells) {
#pragma GCC unroll 32
  for (int i = 0; i < ENTRIES; ++i) {
    const uint64_t entry = entries[i];
    cells[static_cast<uint32_t>(entry) >> 16] += entry;
  }
}

template <class X>
float add_to_cells(const void* logits, int64_t n, float ref, float scale, float low,
                   CellWords* words) {
  const auto* x = static_cast<const typename X::Scalar*>(logits);
  const CellScale to = {Floats::all(ref), Floats::all(scale), Floats::all(low)};
  Floats most[ENTRIES / Floats::W];
  for (Floats& m : most) m = Floats::all(MINUS_INF);
  uint64_t *cells = words->cells, *now = words->entries[0], *next = words->entries[1];
  const int64_t whole = n / WAITING * WAITING;
  if (whole)
    for (int j = 0; j < WAITING; j += ENTRIES) enter<X>(x + j, to, most, now + j);
  for (int64_t i = WAITING; i < whole; i += WAITING) {
#pragma GCC unroll 2
    for (int j = 0; j < WAITING; j += ENTRIES) {
      enter<X>(x + i + j, to, most, next + j);
      add_entries(now + j, cells);
    }
    uint64_t* was = now;
    now = next;
    next = was;
  }
  if (whole)
    for (int j = 0; j < WAITING; j += ENTRIES) add_entries(now + j, cells);
  // The rest with copies of the last logit, which are then taken out again.
  for (int64_t i = whole; i < n; i += ENTRIES) {
    const int64_t left = n - i < ENTRIES ? n - i : ENTRIES;
    typename X::Scalar rest[ENTRIES], last[ENTRIES];
    for (int64_t j = 0; j < ENTRIES; ++j) {
      rest[j] = x[i + (j < left ? j : left - 1)];
      last[j] = x[i + left - 1];
    }
    enter<X>(rest, to, most, now);
    add_entries(now, cells);
    enter<X>(last, to, most, now);
    cells[static_cast<uint32_t>(*now) >> 16] -= static_cast<uint64_t>(ENTRIES - left) * *now;
  }
  alignas(64) float lanes[LANES];
  for (int i = 0; i < LANES; i += Floats::W) most[i % ENTRIES / Floats::W].store(lanes + i);
  return largest(lanes);
}

int32_t drain_cells(uint64_t* __restrict cells, int first, int32_t top, float unit, int64_t at,
                    CellGroups* __restrict to) {
  uint64_t any = 0;
  for (int i = 0; i < LANES; ++i) any |= cells[i];
  if (!any) return 0;
  constexpr int SIZE = CellGroups::SIZE, MOMENTS = CellGroups::MOMENTS;
  constexpr int AT_ONCE = CellGroups::AT_ONCE;
  constexpr float PLACES = CELL_PLACES, SQUARE = (1 << CELL_SQUARE_SHIFT) / (PLACES * PLACES);
  alignas(64) float sums[MOMENTS * LANES];
  int32_t held = 0, most = 0;
  for (int i = 0; i < LANES; ++i) {
    const auto sum = static_cast<uint32_t>(cells[i]), high = static_cast<uint32_t>(cells[i] >> 32);
    cells[i] = 0;
    const uint32_t n = high / CELL_ONE, name = static_cast<uint32_t>(first + i) & 0xffff;
    const uint32_t places = sum - (n * name << 16);
    const uint32_t carried = (n * name + (places >> 16)) >> 16;
    const auto squares = static_cast<int32_t>(high % CELL_ONE - carried);
    const auto count = static_cast<int32_t>(n);
    const auto shift = static_cast<int32_t>(places - n * (CELL_PLACES / 2));
    held += count;
    most = count > most ? count : most;
    // Sums of d, d^2 and d^3 for distances d to the cell's middle, in cells. Nothing is
    // conditional, so that it is done for many at once.
    const auto times = static_cast<float>(count);
    const float share = 1.0f / (times + static_cast<float>(count == 0));
    const float d1 = static_cast<float>(shift) / PLACES, mean = d1 * share, same = d1 * mean;
    const float rest =
        (static_cast<float>(squares) + 0.5f * times) * SQUARE - same;  // rounded down
    const float spread = rest * static_cast<float>((count > 1) & (rest > 0.0f));
    const float d2 = same + spread, d3 = mean * (same + 3.0f * spread);
    // The same of distances to the group's middle, which is o away.
    const float o = static_cast<float>(i % SIZE) - 0.5f * (SIZE - 1), on = o * times;
    sums[i] = times;
    sums[LANES + i] = d1 + on;
    sums[2 * LANES + i] = d2 + o * (2.0f * d1 + on);
    sums[3 * LANES + i] = d3 + o * (3.0f * d2 + o * (3.0f * d1 + on));
    sums[4 * LANES + i] = o * (4.0f * d3 + o * (6.0f * d2 + o * (4.0f * d1 + on)));
  }
  // A group's cells are neighbours: two by two.
  alignas(64) float pairs[MOMENTS * LANES / 2], groups[MOMENTS * LANES / SIZE];
  for (int i = 0; i < MOMENTS * LANES / 2; ++i) pairs[i] = sums[2 * i] + sums[2 * i + 1];
  for (int i = 0; i < MOMENTS * LANES / SIZE; ++i) groups[i] = pairs[2 * i] + pairs[2 * i + 1];
  const float width = unit * PLACES;
  float scale = 1.0f;
  for (int m = 0; m < MOMENTS; ++m) {
    for (int g = 0; g < AT_ONCE; ++g) to->moment[m][at + g] = groups[m * AT_ONCE + g] * scale;
    scale = scale * width / static_cast<float>(m + 1);
  }
  const int32_t away = first - (top >> 16) + SIZE / 2;
  const float part = static_cast<float>(top & (CELL_PLACES - 1)) / PLACES;
  for (int g = 0; g < AT_ONCE; ++g)
    to->y[at + g] = (static_cast<float>(away + g * SIZE) - part) * width;
  return most > CELL_MOST ? -1 : held;
}

template <int DERIVATIVES>
void sum_cells(const CellGroups& from, int64_t n, float c, int multiples, WideSums* to) {
  constexpr int WIDE = CellGroups::AT_ONCE;
  alignas(64) float once[CellGroups::MOST], power[CellGroups::MOST];
  for (int64_t i = 0; i < n; i += Floats::W) {
    const Floats e = power_of_2(Floats::all(c) * Floats::load(from.y + i));
    e.store(once + i);
    e.store(power + i);
  }
  for (int k = 1; k <= multiples; ++k) {
    const Floats b = Floats::all(static_cast<float>(static_cast<double>(c) * LN2 * k));
    alignas(64) float d[WIDE], w[WIDE], s[WIDE];
    for (int lane = 0; lane < WIDE; lane += Floats::W) {
      Floats all_d = Floats::all(0.0f), all_w = all_d, all_s = all_d;
      for (int64_t i = lane; i < n; i += WIDE) {
        const auto moment = [&](int m) { return Floats::load(from.moment[m] + i); };
        const Floats y = Floats::load(from.y + i), e = Floats::load(power + i);
        (e * Floats::load(once + i)).store(power + i);
        // Horner's scheme for a polynomial p of b, its derivative and half its second one.
        const Floats p4 = moment(4), p3 = madd(p4, b, moment(3)), p2 = madd(p3, b, moment(2));
        const Floats p1 = madd(p2, b, moment(1)), p = madd(p1, b, moment(0));
        all_d = madd(e, p, all_d);
        if (DERIVATIVES == 0) continue;
        const Floats q3 = madd(p4, b, p3), q2 = madd(q3, b, p2), q = madd(q2, b, p1);
        const Floats first = madd(y, p, q);
        all_w = madd(e, first, all_w);
        if (DERIVATIVES == 1) continue;
        const Floats half = madd(madd(p4, b, q3), b, q2);
        all_s = madd(e, madd(y, first + q, half + half), all_s);
      }
      all_d.store(d + lane);
      all_w.store(w + lane);
      all_s.store(s + lane);
    }
    WideSums& all = to[k - 1];
    add_few(d, all.d);
    if (DERIVATIVES > 0) add_few(w, all.w);
    if (DERIVATIVES > 1) add_few(s, all.s);
  }
}

}  // namespace
}  // namespace calib::CALIB_VARIANT
