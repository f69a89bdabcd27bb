// 16 floats in an AVX-512 register, one float32 operation each; nothing is fused (-ffp-contract=off).
#include <immintrin.h>
#include <stdint.h>

namespace aoie {
namespace {
constexpr int kLanes = 16;
using Vf = __m512;
inline Vf vf_load(const float* p) { return _mm512_loadu_ps(p); }
inline Vf vf_all(float x) { return _mm512_set1_ps(x); }
inline Vf vf_add(Vf x, Vf y) { return _mm512_add_ps(x, y); }
inline Vf vf_mul(Vf x, Vf y) { return _mm512_mul_ps(x, y); }
inline void vf_store(float* to, Vf v, int64_t count) {
  if (count == kLanes) return _mm512_storeu_ps(to, v);  // a store with a mask takes longer
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
}
}  // namespace
}  // namespace aoie
