// 16 output channels per vector, vpmaddwd.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

namespace aoie {
namespace {
constexpr int kLanes = 16;
using Vi = __m512i;
using Vf = __m512;
inline Vf vf_load(const float* p) { return _mm512_loadu_ps(p); }
inline Vf vf_add(Vf x, Vf y) { return _mm512_add_ps(x, y); }
inline Vf vf_mul(Vf x, Vf y) { return _mm512_mul_ps(x, y); }
inline Vi vi_zero() { return _mm512_setzero_si512(); }
inline Vi vi_load(const void* p) { return _mm512_loadu_si512(p); }
inline Vi vi_madd(Vi sum, Vi weight, const int16_t* x) {
  int32_t both;
  memcpy(&both, x, 4);
  return _mm512_add_epi32(sum, _mm512_madd_epi16(weight, _mm512_set1_epi32(both)));
}
inline Vf vf_affine(Vi sum, const float* scale, const float* bias) {
  return _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(scale)), _mm512_loadu_ps(bias));
}
inline void vf_store(float* to, Vf v, int64_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
}
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/avx512.inl"
#include "ops/conv_int/lanes.inl"

namespace aoie {
void conv_int_avx512(const OpArgs& args) { conv_int(args); }
}  // namespace aoie
