// Which variant of the loops runs: chosen once, when first asked for.
#include <cstdlib>
#include <cstring>

#include "simd/variant.hpp"

namespace calib {
namespace {

struct Choice {
  const Variant* variant;
  const char* error;
};

Choice choose() {
  const char* wanted = std::getenv("CALIB_KERNELS_SIMD");
  if (wanted && !*wanted) wanted = nullptr;
#if defined(__x86_64__) && defined(CALIB_HAS_X86_VARIANTS)
  __builtin_cpu_init();
  const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi2");
  const bool has_v4 = has_v3 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_v4 && (!wanted || !std::strcmp(wanted, "v4"))) return {&v4::variant, nullptr};
  if (has_v3 && (!wanted || !std::strcmp(wanted, "v3"))) return {&v3::variant, nullptr};
#endif
  if (!wanted || !std::strcmp(wanted, "baseline")) return {&baseline::variant, nullptr};
  return {&baseline::variant,
          "CALIB_KERNELS_SIMD must be baseline, v3 or v4, and one this processor can run"};
}

}  // namespace

const Variant& variant(const char** error) {
  static const Choice choice = choose();
  *error = choice.error;
  return *choice.variant;
}

const Variant& variant() {
  const char* error;
  return variant(&error);
}

}  // namespace calib
