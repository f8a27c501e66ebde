// The table of this instruction set's loops; compiled once for each.
#include "simd/variant.hpp"

namespace calib::CALIB_VARIANT {

extern const RowKernels row_kernels;
extern const LossKernels loss_kernels;
extern const SweepKernels sweep_kernels;
extern const SampleKernels sample_kernels;

#define CALIB_NAME_OF(variant) #variant
#define CALIB_NAME(variant) CALIB_NAME_OF(variant)

extern const Variant variant = {CALIB_NAME(CALIB_VARIANT), &row_kernels, &loss_kernels,
                                &sweep_kernels, &sample_kernels};

}  // namespace calib::CALIB_VARIANT
