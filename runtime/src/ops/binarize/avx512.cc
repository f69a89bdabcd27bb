// 16 channels per compare; a rest of fewer than 16 through a load mask.
#include <immintrin.h>
#include <stdint.h>

namespace aoie {
namespace {
constexpr int kLanes = 16;
inline void compare(const float* x, const float* t, int64_t count, int64_t shift, uint64_t* at_least,
                    uint64_t* at_most) {
  const __mmask16 valid = static_cast<__mmask16>((1u << count) - 1);
  const __m512 a = _mm512_maskz_loadu_ps(valid, x), b = _mm512_maskz_loadu_ps(valid, t);
  *at_least |= static_cast<uint64_t>(_mm512_mask_cmp_ps_mask(valid, a, b, _CMP_GE_OQ)) << shift;
  *at_most |= static_cast<uint64_t>(_mm512_mask_cmp_ps_mask(valid, a, b, _CMP_LE_OQ)) << shift;
}
}  // namespace
}  // namespace aoie

#include "ops/binarize/lanes.inl"

namespace aoie {
void binarize_avx512(const OpArgs& args) { binarize(args); }
}  // namespace aoie
