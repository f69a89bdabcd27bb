#include "ops/tail/avx2_floats.inl"

namespace aoie {
namespace {

using Vi = __m256i;

inline Vi vi_load(const uint32_t* at) { return _mm256_loadu_si256(reinterpret_cast<const Vi*>(at)); }
inline void vi_store(uint32_t* to, Vi x) { _mm256_storeu_si256(reinterpret_cast<Vi*>(to), x); }
inline Vi vi_all(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
inline Vi vi_add(Vi x, Vi y) { return _mm256_add_epi32(x, y); }
inline Vi vi_sub(Vi x, Vi y) { return _mm256_sub_epi32(x, y); }
inline Vi vi_mul(Vi x, Vi y) { return _mm256_mullo_epi32(x, y); }
inline Vi vi_mul_16(Vi x, Vi y) { return _mm256_madd_epi16(x, y); }
inline Vi vi_least(Vi x, Vi y) { return _mm256_min_epi32(x, y); }
inline Vi vi_most(Vi x, Vi y) { return _mm256_max_epi32(x, y); }
inline Vi vi_widen(const uint8_t* at) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
}
inline Vi vi_last(Vi x) { return _mm256_permutevar8x32_epi32(x, _mm256_set1_epi32(7)); }
inline Vi vi_scan(Vi x) {
  x = _mm256_add_epi32(x, _mm256_slli_si256(x, 4));
  x = _mm256_add_epi32(x, _mm256_slli_si256(x, 8));
  const Vi low = _mm256_permute2x128_si256(x, x, 0x08);  // to the upper half
  return _mm256_add_epi32(x, _mm256_shuffle_epi32(low, 0xFF));
}
inline Vf vf_sub(Vf x, Vf y) { return _mm256_sub_ps(x, y); }
inline Vf vf_min(Vf x, Vf y) { return _mm256_min_ps(x, y); }
inline Vf vf_max(Vf x, Vf y) { return _mm256_max_ps(x, y); }
inline Vf vf_from(Vi x) { return _mm256_cvtepi32_ps(x); }
inline Vf spread_of(Vi n, Vi sum, Vi squares) {
  // below 2^52, so the bits of 2^52 + x less 2^52 are x as a double
  const __m256d one = _mm256_set1_pd(4503599627370496.0);
  const auto half = [&](Vi count, Vi s, Vi q) {
    const Vi x = _mm256_sub_epi64(_mm256_mul_epu32(count, q), _mm256_mul_epu32(s, s));
    return _mm256_cvtpd_ps(_mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(x, _mm256_castpd_si256(one))), one));
  };
  const auto upper = [](Vi v) { return _mm256_srli_epi64(v, 32); };
  const __m128 even = half(n, sum, squares), odd = half(upper(n), upper(sum), upper(squares));
  return _mm256_set_m128(_mm_unpackhi_ps(even, odd), _mm_unpacklo_ps(even, odd));
}
inline Vf root_guess(Vf x) { return _mm256_rsqrt_ps(x); }  // within 1.5 * 2^-12
inline uint32_t store_rounded(int8_t* to, Vf v, float decided) {
  const Vf whole = _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const Vi i = _mm256_cvtps_epi32(whole);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
  const Vf away = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_sub_ps(v, whole));
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(away, _mm256_set1_ps(decided), _CMP_NLT_UQ)));
}

}  // namespace
}  // namespace aoie

#include "ops/standardize/windows.inl"

namespace aoie {
void standardize_avx2(const OpArgs& args) { standardize_windows(args); }
}  // namespace aoie
