#include <immintrin.h>
#include <stdint.h>

namespace aoie {
namespace {
using Bits = uint16_t;
using Mask = __mmask16;
inline __m512 vf_load_part(const float* p, int64_t count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
}
inline Mask vf_above(__m512 x, __m512 y) { return _mm512_cmp_ps_mask(x, y, _CMP_GT_OQ); }
inline Bits vf_at_least(__m512 x, __m512 y) { return _mm512_cmp_ps_mask(x, y, _CMP_GE_OQ); }
inline Bits vf_at_most(__m512 x, __m512 y) { return _mm512_cmp_ps_mask(x, y, _CMP_LE_OQ); }
inline __m512 vf_choose(Mask mask, __m512 yes, __m512 no) { return _mm512_mask_blend_ps(mask, no, yes); }
}  // namespace
}  // namespace aoie

#include "ops/tail/body.inl"
