// 8 channels per compare; a rest of fewer than 8 channels one by one.
#include <immintrin.h>
#include <stdint.h>

namespace aoie {
namespace {
constexpr int kLanes = 8;
inline void compare(const float* x, const float* t, int64_t count, int64_t shift, uint64_t* at_least,
                    uint64_t* at_most) {
  if (count == kLanes) {
    const __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(t);
    *at_least |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ))))
                 << shift;
    *at_most |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ))))
                << shift;
    return;
  }
  for (int64_t c = 0; c < count; ++c) {
    *at_least |= static_cast<uint64_t>(x[c] >= t[c]) << (shift + c);
    *at_most |= static_cast<uint64_t>(x[c] <= t[c]) << (shift + c);
  }
}
}  // namespace
}  // namespace aoie

#include "ops/binarize/lanes.inl"

namespace aoie {
void binarize_avx2(const OpArgs& args) { binarize(args); }
}  // namespace aoie
