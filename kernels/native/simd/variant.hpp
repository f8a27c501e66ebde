// The loops over logits, compiled once per instruction set: one table of them for each.
#pragma once

#include "cross_entropy/loops.hpp"
#include "rows/rows.hpp"
#include "sample/loops.hpp"
#include "temperature_sweep/loops.hpp"

namespace calib {

struct Variant {
  const char* name;
  const RowKernels* rows;
  const LossKernels* loss;
  const SweepKernels* sweep;
  const SampleKernels* sample;
};

namespace baseline {
extern const Variant variant;
}
namespace v3 {
extern const Variant variant;
}
namespace v4 {
extern const Variant variant;
}

// The best variant this processor runs, or the one CALIB_KERNELS_SIMD names.
const Variant& variant();
// Sets error to what is wrong with CALIB_KERNELS_SIMD, or to null.
const Variant& variant(const char** error);

}  // namespace calib
