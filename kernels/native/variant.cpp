// The table of this instruction set's loops; compiled once for each.
#include "variant.hpp"

namespace calib::CALIB_VARIANT {

extern const RowKernels row_kernels;
extern const LossKernels loss_kernels;

#define CALIB_NAME_OF(variant) #variant
#define CALIB_NAME(variant) CALIB_NAME_OF(variant)

extern const Variant variant = {CALIB_NAME(CALIB_VARIANT), &row_kernels, &loss_kernels};

}  // namespace calib::CALIB_VARIANT
