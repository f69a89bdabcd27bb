// 8 floats in an AVX2 register, one float32 operation each; nothing is fused (-ffp-contract=off).
#include <immintrin.h>
#include <stdint.h>

namespace aoie {
namespace {
constexpr int kLanes = 8;
using Vf = __m256;
inline Vf vf_load(const float* p) { return _mm256_loadu_ps(p); }
inline Vf vf_all(float x) { return _mm256_set1_ps(x); }
inline Vf vf_add(Vf x, Vf y) { return _mm256_add_ps(x, y); }
inline Vf vf_mul(Vf x, Vf y) { return _mm256_mul_ps(x, y); }
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
