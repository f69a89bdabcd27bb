#include <immintrin.h>
#include <stdint.h>

namespace aoie {
namespace {
using Bits = uint8_t;
using Mask = __m256;
inline __m256 vf_load_part(const float* p, int64_t count) {
  if (count == kLanes) return _mm256_loadu_ps(p);
  float all[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) all[i] = p[i];
  return _mm256_loadu_ps(all);
}
inline Mask vf_above(__m256 x, __m256 y) { return _mm256_cmp_ps(x, y, _CMP_GT_OQ); }
inline Bits vf_at_least(__m256 x, __m256 y) {
  return static_cast<Bits>(_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_GE_OQ)));
}
inline Bits vf_at_most(__m256 x, __m256 y) {
  return static_cast<Bits>(_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_LE_OQ)));
}
inline __m256 vf_choose(Mask mask, __m256 yes, __m256 no) { return _mm256_blendv_ps(no, yes, mask); }
}  // namespace
}  // namespace aoie

#include "ops/tail/body.inl"
