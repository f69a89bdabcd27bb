// 16 output channels per vector, VPOPCNTD.
#include <immintrin.h>
#include <stdint.h>

namespace aoie {
namespace {
constexpr int kLanes = 16, kPixels = 4;
using Vi = __m512i;
using Vf = __m512;
inline Vi vi_load(const void* p) { return _mm512_loadu_si512(p); }
inline Vf vf_load(const float* p) { return _mm512_loadu_ps(p); }
inline Vf vf_all(float x) { return _mm512_set1_ps(x); }
inline Vf vf_add(Vf x, Vf y) { return _mm512_add_ps(x, y); }
inline Vf vf_mul(Vf x, Vf y) { return _mm512_mul_ps(x, y); }
inline Vf vf_scaled(float scale, Vi count) { return _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_cvtepi32_ps(count)); }
inline void vf_store(float* to, Vf v, int64_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
}

template <int kN>
struct Count {
  Vi total[kN];
  Count() {
    for (int i = 0; i < kN; ++i) total[i] = _mm512_setzero_si512();
  }
  inline void add(int i, Vi taps, const uint32_t* bits) {
    const Vi both = _mm512_and_si512(taps, _mm512_set1_epi32(static_cast<int>(*bits)));
    total[i] = _mm512_add_epi32(total[i], _mm512_popcnt_epi32(both));
  }
  inline void next() {}
  inline void finish() {}
};
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/avx512.inl"
#include "ops/conv_bits/lanes.inl"

namespace aoie {
void conv_bits_avx512(const OpArgs& args) { conv_bits(args); }
}  // namespace aoie
