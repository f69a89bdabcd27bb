// 16 output channels per vector, VPOPCNTD. A word of the picture is broadcast, combined with the words of 16 output
// channels and counted; accumulators of kVecs vectors x kCount positions stay in registers. Of the forms (rows.inl),
//   kSeparate  takes 3 operations per word and plane,
//   kTied      3 operations per word for both planes,
//   kParity    5 operations per two words: S_k, the parity of the first k words, is one XOR of two parities that were
//              made before, the carry of (S_k, a, a') is S_k == a ? a : ~S_k+2, and only carries are counted
#include "ops/tail/avx512_floats.inl"

namespace aoie {
namespace {
using Vi = __m512i;
inline Vi vi_load(const uint32_t* p) { return _mm512_loadu_si512(p); }
inline Vf vi_float(Vi x) { return _mm512_cvtepi32_ps(x); }
inline Vi vi_all(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
// In place by force: GCC 12 gives the new sum a register of its own, moves it back, and spills for want of registers.
inline void vi_accumulate(Vi& sum, Vi x) { asm("vpaddd %1, %0, %0" : "+v"(sum) : "v"(x)); }
// A load that stays one: folded into each of its uses it would be made again for every position.
inline Vi vi_keep(const uint32_t* p) {
  Vi v = _mm512_loadu_si512(p);
  asm("" : "+v"(v));
  return v;
}
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/avx512.inl"
#include "ops/conv_bits/rows.inl"

namespace aoie {
namespace {

inline __mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>(n < kLanes ? (1u << n) - 1 : 0xFFFF); }

void write_tied_words(const uint64_t* first, const uint64_t* second, int64_t count, int64_t p64, int64_t words,
                      uint32_t* to) {
  const Vi low_half = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const Vi high_half = _mm512_add_epi32(low_half, _mm512_set1_epi32(8));
  const bool whole = words == 2 * p64;  // else position by position
  const int64_t step = whole ? count * p64 : p64, kept = whole ? count * words : words;
  for (int64_t at = 0; at < count * p64; at += step, to += 2 * kept)
    for (int64_t word = 0; word < step; word += 8) {
      const auto valid = static_cast<__mmask8>(first_lanes(step - word));
      const Vi p1 = _mm512_maskz_loadu_epi64(valid, first + at + word);
      const Vi p2 = _mm512_maskz_loadu_epi64(valid, second + at + word);
      const Vi alike = _mm512_ternarylogic_epi64(p1, p2, p2, 0xC3);  // ~(p1 ^ p2)
      const Vi low = _mm512_permutex2var_epi32(p1, low_half, alike);
      const Vi high_words = _mm512_permutex2var_epi32(p1, high_half, alike);
      const int64_t left = 2 * (kept - 2 * word);  // 32-bit words to write
      _mm512_mask_storeu_epi32(to + 4 * word, first_lanes(left), low);
      if (left > kLanes) _mm512_mask_storeu_epi32(to + 4 * word + kLanes, first_lanes(left - kLanes), high_words);
    }
}

template <>
inline void write_words<kParity>(const uint64_t* from, int64_t count, int64_t p64, int64_t, uint32_t* to) {
  const Vi last = _mm512_set1_epi32(kLanes - 1), zero = _mm512_setzero_si512();
  Vi before = zero;
  for (int64_t word = 0; word < 2 * count * p64; word += kLanes) {
    const __mmask16 valid = first_lanes(2 * count * p64 - word);
    const Vi bits = _mm512_maskz_loadu_epi32(valid, reinterpret_cast<const uint32_t*>(from) + word);
    Vi sums = _mm512_xor_si512(bits, _mm512_alignr_epi32(bits, zero, 15));  // of 2, 4, 8, 16 words up to each
    sums = _mm512_xor_si512(sums, _mm512_alignr_epi32(sums, zero, 14));
    sums = _mm512_xor_si512(sums, _mm512_alignr_epi32(sums, zero, 12));
    sums = _mm512_xor_si512(sums, _mm512_alignr_epi32(sums, zero, 8));
    _mm512_mask_storeu_epi32(to + word, valid, _mm512_mask_xor_epi32(bits, 0x5555, sums, before));
    before = _mm512_xor_si512(before, _mm512_permutexvar_epi32(last, sums));
  }
}

// Popcounts of kCount windows whose first words are at rows[ky] + i * step, run * kUnit words per kernel row.
template <bool kTiedPlanes, int kVecs, int kCount>
inline void count_rows(const uint32_t* const* rows, int64_t k, int64_t run, int64_t step, const uint32_t* weight,
                       Vi (&total)[kVecs][kCount]) {
  constexpr int kUnit = kTiedPlanes ? 2 : 1;
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) total[v][i] =
      _mm512_setzero_si512();
  for (int64_t ky = 0; ky < k; ++ky) {
    const uint32_t* at = rows[ky];
    for (int64_t word = 0; word < run; ++word, weight += kVecs * kLanes, at += kUnit) {
      Vi taps[kVecs];
      AOIE_UNROLL for (int v = 0; v < kVecs; ++v) taps[v] = vi_load(weight + v * kLanes);
      AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
        const Vi bits = vi_all(at[i * step]);
        AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
          const Vi hits = kTiedPlanes ? _mm512_ternarylogic_epi32(vi_all(at[i * step + kUnit - 1]), bits, taps[v], 0x60)
                                      : _mm512_and_si512(taps[v], bits);
          vi_accumulate(total[v][i], _mm512_popcnt_epi32(hits));
        }
      }
    }
  }
}

// The windows of count positions from ox on as kParity wants them: every even word is the parity of the words of the
// window up to it. In the row it goes on from the row's beginning, so a kernel row changes by one word. What is written
// behind its end is written again by the next one.
template <>
inline void prepare_windows<kParity>(const Line& b, int64_t ox, int64_t count) {
  const int64_t planes = b.args.j, k = b.args.k, step = b.args.s * b.rows.words, run = b.args.kw * b.rows.words;
  uint32_t* to = b.rows.windows;
  for (int64_t left = ox * step; left < (ox + count) * step; left += step)
    for (int64_t j = 0; j < planes; ++j) {
      uint32_t change = 0;
      for (int64_t ky = 0; ky < k; ++ky, to += run) {
        const uint32_t* row = b.at[j][ky] + left;
        if (left > 0) change ^= row[-2] ^ row[-1];  // the parity of what is left of the window
        const Vi changes = _mm512_maskz_set1_epi32(0x5555, static_cast<int>(change));
        for (int64_t word = 0; word < run; word += kLanes)
          _mm512_storeu_si512(to + word, _mm512_xor_si512(vi_load(row + word), changes));
        change ^= row[run - 2] ^ row[run - 1];
      }
    }
}

// A full adder of two words: carries of (sum, a, a') are counted, next is the new sum. The carry takes the register of
// a.
inline void count_carry(Vi sum, Vi a, Vi next, Vi& total) {
  asm("vpternlogd $0xD4, %2, %1, %0" : "+v"(a) : "v"(sum), "v"(next));
  vi_accumulate(total, _mm512_popcnt_epi32(a));
}

// Sums of popcount(a_i) over kCount windows of `run` words each, run even; the windows are step words apart.
template <int kVecs, int kCount>
inline void count_parity(const uint32_t* windows, int64_t run, int64_t step, const uint32_t* weight,
                         Vi (&total)[kVecs][kCount]) {
  Vi sum[kVecs][kCount];
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
    sum[v][i] = _mm512_xor_si512(vi_load(weight + v * kLanes), vi_all(windows[i * step]));
    total[v][i] = _mm512_setzero_si512();
  }
  int64_t word = 1;
  for (; word + 3 < run; word += 4) {  // two pairs a turn: the sums come back to their registers without a move
    const uint32_t* at = weight + word * kVecs * kLanes;
    Vi taps[4][kVecs];
    AOIE_UNROLL for (int k = 0; k < 4; ++k) AOIE_UNROLL for (int v = 0; v < kVecs; ++v) taps[k][v] =
        vi_keep(at + (k * kVecs + v) * kLanes);
    AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
      const uint32_t* bits = windows + i * step + word;
      AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
        const Vi next = _mm512_xor_si512(taps[1][v], vi_all(bits[1]));
        count_carry(sum[v][i], _mm512_xor_si512(taps[0][v], vi_all(bits[0])), next, total[v][i]);
        sum[v][i] = _mm512_xor_si512(taps[3][v], vi_all(bits[3]));
        count_carry(next, _mm512_xor_si512(taps[2][v], vi_all(bits[2])), sum[v][i], total[v][i]);
      }
    }
  }
  if (word + 1 < run) {
    const uint32_t* at = weight + word * kVecs * kLanes;
    AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
      const uint32_t* bits = windows + i * step + word;
      AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
        const Vi next = _mm512_xor_si512(vi_load(at + (kVecs + v) * kLanes), vi_all(bits[1]));
        count_carry(sum[v][i], _mm512_xor_si512(vi_load(at + v * kLanes), vi_all(bits[0])), next, total[v][i]);
        sum[v][i] = next;
      }
    }
  }
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
    const uint32_t* at = weight + ((run - 1) * kVecs + v) * kLanes;
    const Vi last = _mm512_xor_si512(vi_load(at), vi_all(windows[i * step + run - 1]));
    const Vi ones = _mm512_add_epi32(_mm512_popcnt_epi32(sum[v][i]), _mm512_popcnt_epi32(last));
    total[v][i] = _mm512_add_epi32(_mm512_add_epi32(total[v][i], total[v][i]), ones);
  }
}

template <Form kForm, int kPlanes, int kVecs, int kCount>
inline void counts_of(const Line& b, int64_t j, int64_t ox, int64_t o, Vi (&total)[kVecs][kCount]) {
  const OpArgs& args = b.args;
  const uint32_t* weight = b.weights + o * b.size;
  const int64_t run = args.kw * b.rows.words;
  if (kForm == kParity) {
    const int64_t all = args.k * run, step = kPlanes * all;
    count_parity<kVecs, kCount>(b.rows.windows + j * all, all, step, weight, total);
  } else {
    const uint32_t* rows[3];
    const int64_t step = args.s * b.rows.unit;
    for (int ky = 0; ky < 3; ++ky) rows[ky] = b.at[j][ky] + ox * step;  // a 1-row kernel reads the first
    count_rows<kForm == kTied, kVecs, kCount>(rows, args.k, run, step, weight, total);
  }
  if (kForm == kSeparate) return;
  const int32_t* rho = b.rows.rho + (kForm == kTied ? 1 : j) * args.ow + ox;
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
    const Vi base = _mm512_add_epi32(vi_load(b.ones + o + v * kLanes), _mm512_set1_epi32(rho[i]));
    total[v][i] = _mm512_sub_epi32(base, total[v][i]);
    if (kForm == kParity) total[v][i] = _mm512_srli_epi32(total[v][i], 1);
  }
}

}  // namespace

void conv_bits_avx512(const OpArgs& args) {
  const uint32_t form = *static_cast<const uint32_t*>(args.packed);
  if (form == kTied)
    conv_bits_as<kTied, 2>(args);
  else if (form == kParity)
    args.j == 1 ? conv_bits_as<kParity, 1>(args) : conv_bits_as<kParity, 2>(args);
  else
    args.j == 1 ? conv_bits_as<kSeparate, 1>(args) : conv_bits_as<kSeparate, 2>(args);
}
}  // namespace aoie
