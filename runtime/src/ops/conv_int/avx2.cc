// 8 output channels per vector, pmaddwd.
#include <string.h>

#include "ops/tail/avx2_floats.inl"

namespace aoie {
namespace {
using Vi = __m256i;
inline Vi vi_zero() { return _mm256_setzero_si256(); }
inline Vi vi_load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline Vi vi_madd(Vi sum, Vi weight, const int16_t* x) {
  int32_t both;
  memcpy(&both, x, 4);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(weight, _mm256_set1_epi32(both)));
}
inline Vf vf_affine(Vi sum, const float* scale, const float* bias) {
  return _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(scale)), _mm256_loadu_ps(bias));
}
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/avx2.inl"
#include "ops/conv_int/lanes.inl"

namespace aoie {
void conv_int_avx2(const OpArgs& args) { conv_int(args); }
}  // namespace aoie
