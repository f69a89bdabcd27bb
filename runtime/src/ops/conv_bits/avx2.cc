// 8 output channels per vector. Bits are counted per byte with a 16-entry table (vpshufb); byte counters hold 31 words
// (31 * 8 = 248 < 256) before they are widened.
#include "ops/tail/avx2_floats.inl"

namespace aoie {
namespace {
constexpr int kPixels = 2;
using Vi = __m256i;
inline Vi vi_load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline Vf vf_scaled(float scale, Vi count) { return _mm256_mul_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(count)); }

template <int kN>
struct Count {
  static constexpr int kFull = 31;
  Vi total[kN], bytes[kN];
  int filled = 0;
  Count() {
    for (int i = 0; i < kN; ++i) total[i] = bytes[i] = _mm256_setzero_si256();
  }
  inline void add(int i, Vi taps, const uint32_t* bits) {
    const Vi table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2,
                                      3, 2, 3, 3, 4);
    const Vi low = _mm256_set1_epi8(15);
    const Vi both = _mm256_and_si256(taps, _mm256_set1_epi32(static_cast<int>(*bits)));
    const Vi first = _mm256_shuffle_epi8(table, _mm256_and_si256(both, low));
    const Vi second = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(both, 4), low));
    bytes[i] = _mm256_add_epi8(bytes[i], _mm256_add_epi8(first, second));
  }
  inline void next() {
    if (++filled == kFull) finish();
  }
  inline void finish() {
    for (int i = 0; i < kN; ++i) {
      const Vi pairs = _mm256_maddubs_epi16(bytes[i], _mm256_set1_epi8(1));
      total[i] = _mm256_add_epi32(total[i], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
      bytes[i] = _mm256_setzero_si256();
    }
    filled = 0;
  }
};
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/avx2.inl"
#include "ops/conv_bits/lanes.inl"

namespace aoie {
void conv_bits_avx2(const OpArgs& args) { conv_bits(args); }
}  // namespace aoie
