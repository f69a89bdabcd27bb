// 8 output channels per vector, pmaddwd.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

namespace aoie {
namespace {
constexpr int kLanes = 8;
using Vi = __m256i;
using Vf = __m256;
inline Vf vf_load(const float* p) { return _mm256_loadu_ps(p); }
inline Vf vf_add(Vf x, Vf y) { return _mm256_add_ps(x, y); }
inline Vf vf_mul(Vf x, Vf y) { return _mm256_mul_ps(x, y); }
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
inline void vf_store(float* to, Vf v, int64_t count) {
  if (count == kLanes) {
    _mm256_storeu_ps(to, v);
    return;
  }
  float all[kLanes];
  _mm256_storeu_ps(all, v);
  for (int64_t i = 0; i < count; ++i) to[i] = all[i];
}
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/avx2.inl"
#include "ops/conv_int/lanes.inl"

namespace aoie {
void conv_int_avx2(const OpArgs& args) { conv_int(args); }
}  // namespace aoie
