// Loops that count logits instead of summing them; compiled once per instruction set.
#pragma once

#include "lanes.hpp"
#include "sweep_loops.hpp"

namespace calib::CALIB_VARIANT {
namespace {

KeyRanges ranges_of(const uint16_t* x, int64_t n) {
  // As signed numbers, keys with the sign are the negative ones.
  int16_t above = INT16_MIN, below = INT16_MAX;
  uint16_t most = 0, least = UINT16_MAX;
  for (int64_t i = 0; i < n; ++i) {
    const auto key = static_cast<int16_t>(x[i]);
    above = key > above ? key : above;
    below = key < below ? key : below;
    most = x[i] > most ? x[i] : most;
    least = x[i] < least ? x[i] : least;
  }
  KeyRanges ranges = {{KEYS, KEYS}, {0, 0}};
  if (n && above >= 0) {
    ranges.from[0] = least;
    ranges.to[0] = above + 1;
  }
  if (n && below < 0) {
    ranges.from[1] = below + KEYS;
    ranges.to[1] = most + 1;
  }
  return ranges;
}

KeyRanges count(const uint16_t* x, int64_t n, uint32_t* tally) {
  constexpr int LINE = 32;
  int64_t i = 0;
  for (; i + LINE <= n; i += LINE) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(x + i) + AHEAD));
#pragma GCC unroll 16
    for (int j = 0; j < LINE; j += 2) {  // one load for two
      uint32_t pair;
      std::memcpy(&pair, x + i + j, sizeof pair);
      static_assert(TABLES == 2, "one for each of a pair");
      ++tally[pair & 0xffff];
      ++tally[KEYS + (pair >> 16)];
    }
  }
  for (; i < n; ++i) ++tally[x[i]];
  // Only now: a vector that is read between the stores would wait for those its address resembles.
  return ranges_of(x, n);
}

bool drain(uint32_t* tally, float* times) {
  uint32_t any = 0;
  for (int i = 0; i < LANES; ++i) {
    uint32_t count = 0;
    for (int t = 0; t < TABLES; ++t) {
      count += tally[t * KEYS + i];
      tally[t * KEYS + i] = 0;
    }
    any |= count;
    times[i] = static_cast<float>(static_cast<int32_t>(count));
  }
  return any != 0;
}

// Entries are worked out ENTRIES at a time, WAITING before they are added: a load from where a vector
// was just stored has to wait.
constexpr int ENTRIES = 32, WAITING = 2 * ENTRIES;

struct CellScale {
  Floats ref, scale, low;
};

template <class X>
CALIB_INLINE void enter(const typename X::Scalar* x, const CellScale& to, Floats* most,
                        uint64_t* entries) {
  const auto next = reinterpret_cast<uintptr_t>(x) + AHEAD;
  for (int line = 0; line < ENTRIES * static_cast<int>(sizeof *x); line += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(next + line));
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
                   uint64_t* cells) {
  const auto* x = static_cast<const typename X::Scalar*>(logits);
  const CellScale to = {Floats::all(ref), Floats::all(scale), Floats::all(low)};
  Floats most[ENTRIES / Floats::W];
  for (Floats& m : most) m = Floats::all(MINUS_INF);
  alignas(64) uint64_t entries[2 * WAITING];
  uint64_t *now = entries, *next = entries + WAITING;
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

int32_t drain_cells(uint64_t* __restrict cells, int first, int32_t top, float unit,
                    float* __restrict y, float* __restrict times) {
  uint64_t any = 0;
  for (int i = 0; i < LANES; ++i) any |= cells[i];
  if (!any) return 0;
  constexpr float SQUARE = 1 << CELL_SQUARE_SHIFT, PLACES = CELL_PLACES;
  constexpr int32_t MIDDLE = CELL_PLACES / 2;
  const int32_t away = first - (top >> 16), up = MIDDLE - (top & (CELL_PLACES - 1));
  int32_t held = 0, most = 0;
  for (int i = 0; i < LANES; ++i) {
    const auto sum = static_cast<uint32_t>(cells[i]), high = static_cast<uint32_t>(cells[i] >> 32);
    cells[i] = 0;
    const uint32_t n = high / CELL_ONE, name = static_cast<uint32_t>(first + i) & 0xffff;
    const uint32_t places = sum - (n * name << 16);
    const uint32_t carried = (n * name + (places >> 16)) >> 16;
    const auto squares = static_cast<int32_t>(high % CELL_ONE - carried);
    const auto count = static_cast<int32_t>(n), shift = static_cast<int32_t>(places - n * MIDDLE);
    held += count;
    most = count > most ? count : most;
    // Nothing is conditional, so that it is done for many at once.
    const float share = 1.0f / (static_cast<float>(count) + static_cast<float>(count == 0));
    const float mean = static_cast<float>(shift) * share;
    const float square = (static_cast<float>(squares) * share + 0.5f) * SQUARE;  // rounded down
    const float variance = square - mean * mean;
    const auto some = static_cast<float>((count > 1) & (variance > 0.0f));
    const float apart = __builtin_sqrtf(variance * some);
    const float cell = static_cast<float>(away + i) * PLACES, place = static_cast<float>(up) + mean;
    y[i] = (cell + (place - apart)) * unit;
    y[i + LANES] = (cell + (place + apart)) * unit;
    times[i] = times[i + LANES] = 0.5f * static_cast<float>(count);
  }
  return most > CELL_MOST ? -1 : held;
}

}  // namespace
}  // namespace calib::CALIB_VARIANT
