// A cell holds the logits of an interval as a count and two moments, in one word.
//
// A logit becomes an integer of 32 bits, z = (x - ref) * scale: the upper half names its
// cell, the lower is its place in it. Adding CELL_ONE << 32 | square << 32 | z to a word counts it
// and sums places and their squares. From the top, 12 bits are the count, 20 the sum of square =
// (place - 2^15)^2 >> CELL_SQUARE_SHIFT, and 32 that of z, whose upper half a cell's logits share.
// Integers are added, so their order is of no account.
//
// No field reaches the next while a cell holds no more than CELL_MOST = 2^20 / 257 logits: a square
// is at most 2^8, and the sum below carries one more. With more, up to 4,095, its count is above
// CELL_MOST or 0, and from 4,096 on it is at least 3,068 too low, as a row has at most CELL_LOGITS.
// So if no count is above CELL_MOST and together they are the row's logits, every one is right.
#pragma once

#include <cstdint>

namespace calib {

constexpr int64_t CELL_LOGITS = 1 << 22;
constexpr int CELLS = 1 << 16;
constexpr int CELL_PLACES = 1 << 16;
constexpr int CELL_NOWHERE = 0x8000;  // of what has no such integer: NaN, +inf, or too large
constexpr float CELL_LOWEST = -2147418112.0f;  // z of the lowest cell but that one
constexpr uint32_t CELL_ONE = 1u << 20;
constexpr int CELL_SQUARE_SHIFT = 22;
constexpr int32_t CELL_MOST = CELL_ONE / 257;

// What a logit adds to its cell. Static, as files of several instruction sets include this.
static inline uint64_t cell_entry(int32_t z) {
  const int32_t away = (z & (CELL_PLACES - 1)) - CELL_PLACES / 2;
  const uint32_t square = static_cast<uint32_t>(away * away) >> CELL_SQUARE_SHIFT;
  return static_cast<uint64_t>(square | CELL_ONE) << 32 | static_cast<uint32_t>(z);
}

// All cells, and the entries that are about to be added to them.
struct CellWords {
  static constexpr int WAITING = 64;
  uint64_t cells[CELLS];
  alignas(64) uint64_t entries[2][WAITING];
};

}  // namespace calib
