// Philox4x32-10 at an address: the bits that calib_kernels/philox.py defines.
#pragma once

#include <cstdint>

namespace calib {

constexpr int STEP_BITS = 28;

struct Words {
  uint32_t w[4];
};

inline Words philox(uint64_t seed, Words c) {
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p = 0xd2511f53ull * c.w[0], q = 0xcd9e8d57ull * c.w[2];
    c = {{static_cast<uint32_t>(q >> 32) ^ c.w[1] ^ k0, static_cast<uint32_t>(q),
          static_cast<uint32_t>(p >> 32) ^ c.w[3] ^ k1, static_cast<uint32_t>(p)}};
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return c;
}

// In [0, 1): the upper 53 of a block's first 64 bits.
inline double uniform(uint64_t seed, int64_t item, int64_t sample, int64_t step, uint32_t stage) {
  const uint64_t i = static_cast<uint64_t>(item);
  const Words words = philox(seed, {{static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32),
                                     static_cast<uint32_t>(sample),
                                     static_cast<uint32_t>(step) << (32 - STEP_BITS) | stage}});
  const uint64_t bits = static_cast<uint64_t>(words.w[1]) << 32 | words.w[0];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace calib
