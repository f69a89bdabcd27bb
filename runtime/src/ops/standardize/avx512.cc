#include "ops/tail/avx512_floats.inl"

namespace aoie {
namespace {

using Vi = __m512i;

inline Vi vi_load(const uint32_t* at) { return _mm512_loadu_si512(at); }
inline void vi_store(uint32_t* to, Vi x) { _mm512_storeu_si512(to, x); }
inline Vi vi_all(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
inline Vi vi_add(Vi x, Vi y) { return _mm512_add_epi32(x, y); }
inline Vi vi_sub(Vi x, Vi y) { return _mm512_sub_epi32(x, y); }
inline Vi vi_mul(Vi x, Vi y) { return _mm512_mullo_epi32(x, y); }
inline Vi vi_mul_16(Vi x, Vi y) { return _mm512_madd_epi16(x, y); }
inline Vi vi_least(Vi x, Vi y) { return _mm512_min_epi32(x, y); }
inline Vi vi_most(Vi x, Vi y) { return _mm512_max_epi32(x, y); }
inline Vi vi_widen(const uint8_t* at) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}
inline Vi vi_last(Vi x) { return _mm512_permutexvar_epi32(_mm512_set1_epi32(15), x); }
inline Vi vi_scan(Vi x) {
  const Vi zero = _mm512_setzero_si512();
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 15));
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 14));
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 12));
  return _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 8));
}
inline Vf vf_sub(Vf x, Vf y) { return _mm512_sub_ps(x, y); }
inline Vf vf_min(Vf x, Vf y) { return _mm512_min_ps(x, y); }
inline Vf vf_max(Vf x, Vf y) { return _mm512_max_ps(x, y); }
inline Vf vf_from(Vi x) { return _mm512_cvtepi32_ps(x); }
inline Vf spread_of(Vi n, Vi sum, Vi squares) {
  const auto half = [](Vi count, Vi s, Vi q) {
    return _mm512_cvtepi64_ps(_mm512_sub_epi64(_mm512_mul_epu32(count, q), _mm512_mul_epu32(s, s)));
  };
  const auto upper = [](Vi v) { return _mm512_srli_epi64(v, 32); };
  const Vf even = _mm512_castps256_ps512(half(n, sum, squares));
  const Vf odd = _mm512_castps256_ps512(half(upper(n), upper(sum), upper(squares)));
  const Vi places = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return _mm512_permutex2var_ps(even, places, odd);
}
inline Vf root_guess(Vf x) { return _mm512_rsqrt14_ps(x); }
inline uint32_t store_rounded(int8_t* to, Vf v, float decided) {
  const Vf whole = _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(whole)));
  return _mm512_cmp_ps_mask(_mm512_abs_ps(_mm512_sub_ps(v, whole)), _mm512_set1_ps(decided), _CMP_NLT_UQ);
}

}  // namespace
}  // namespace aoie

#include "ops/standardize/windows.inl"

namespace aoie {
void standardize_avx512(const OpArgs& args) { standardize_windows(args); }
}  // namespace aoie
