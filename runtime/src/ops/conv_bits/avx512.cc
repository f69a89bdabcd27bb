// 16 output channels per vector, VPOPCNTD. A word of the picture is broadcast, combined with the words of 16 output
// channels and counted; accumulators of kVecs vectors x kCount positions stay in registers. With n = pc(B'), the bits
// of a channel's weights, each form gives the pc of docs/format.md from what is cheaper to count:
//   kSeparate  pc_j = sum of popcount(B' & b'_j): 3 operations per word and plane
//   kTied      pc_1 + pc_2 = n + popcount(b'_1 & b'_2) - sum of popcount(~(b'_1 ^ b'_2) & (b'_1 ^ B')), because
//              (p1 ^ w) + (p2 ^ w) = d + 2 (~d & (p1 ^ w)) with d = p1 ^ p2: 3 operations per word for both planes
//   kParity    2 pc_j = n + rho_j - sum of popcount(a_i), a_i = b'_j ^ B' word by word. A full adder takes two
//              words at a time: S_k, the parity of the first k words, is one XOR of two parities that were made before,
//              the carry of (S_k, a, a') is S_k == a ? a : ~S_k+2, and only carries are counted: 5 operations per two
//              words
#include "ops/tail/avx512_floats.inl"

namespace aoie {
namespace {
using Vi = __m512i;
inline Vi vi_load(const uint32_t* p) { return _mm512_loadu_si512(p); }
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
#include AOIE_TAIL

#define AOIE_UNROLL _Pragma("GCC unroll 16")

namespace aoie {
namespace {

inline __mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>(n < kLanes ? (1u << n) - 1 : 0xFFFF); }

// The sum of f(i) over the p64 words of each of count positions.
template <typename F>
inline void count_positions(int64_t count, int64_t p64, int32_t* counts, F f) {
  const auto all = [&](int64_t words) __attribute__((always_inline)) {
    for (int64_t x = 0; x < count; ++x) {
      int64_t sum = 0;
      for (int64_t i = x * words; i < (x + 1) * words; ++i) sum += f(i);
      counts[x] = static_cast<int32_t>(sum);
    }
  };
  p64 == 1 ? all(1) : p64 == 2 ? all(2) : p64 == 4 ? all(4) : all(p64);
}

void prepare_plane_row(const uint64_t* from, int64_t count, int64_t p64, int64_t words, uint32_t* to, int32_t* counts) {
  count_positions(count, p64, counts, [&](int64_t i) { return __builtin_popcountll(from[i]); });
  if (words == 2 * p64) {
    __builtin_memcpy(to, from, static_cast<uint64_t>(count * p64) * 8);
    return;
  }
  for (int64_t x = 0; x < count; ++x, from += p64, to += words) {  // the last word is half empty
    for (int64_t i = 0; i < p64 - 1; ++i) __builtin_memcpy(to + 2 * i, from + i, 8);
    to[words - 1] = static_cast<uint32_t>(from[p64 - 1]);
  }
}

// p_1 of a word, then where the planes agree, as do the pads of the last word.
void prepare_tied_row(const uint64_t* first, const uint64_t* second, int64_t count, int64_t p64, int64_t words,
                      uint32_t* to, int32_t* both, int32_t* high) {
  count_positions(count, p64, both,
                  [&](int64_t i) { return __builtin_popcountll(first[i]) + __builtin_popcountll(second[i]); });
  count_positions(count, p64, high, [&](int64_t i) { return __builtin_popcountll(first[i] & second[i]); });
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

// Returns the parity of all words.
uint32_t prepare_parity_row(const uint64_t* from, int64_t count, int64_t p64, uint32_t* to, int32_t* counts) {
  count_positions(count, p64, counts, [&](int64_t i) { return __builtin_popcountll(from[i]); });
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
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm512_castsi512_si128(before)));
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
void prepare_windows(const Rows& rows, int64_t top, int64_t ox, int64_t count) {
  const OpArgs& args = rows.args;
  const int64_t run = args.kw * rows.words;
  uint32_t* to = rows.windows;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < args.j; ++j) {
      const int64_t left = (ox + i) * args.s * rows.words;
      uint32_t change = 0;
      for (int64_t ky = 0; ky < args.k; ++ky, to += run) {
        const uint32_t* row = rows.row(top + ky, j) + left;
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

// What the positions of one output row have in common.
struct Line {
  const OpArgs& args;
  const Rows& rows;
  const Finish& finish;
  const float* h;  // of the row's border state
  const uint32_t *ones, *weights;
  int64_t size;              // words of one output channel
  const uint32_t* at[2][3];  // by plane: the input rows
};

// pc of plane j (kTied: of both), as integers.
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

// kCount positions from ox on, kVecs vectors of output channels from o on.
template <Form kForm, int kPlanes, int kVecs, int kCount>
__attribute__((noinline)) void positions(const Line& b, int64_t ox, int64_t o, int64_t at_out) {
  const OpArgs& args = b.args;
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) expect<kCount>(b.finish, at_out + ox, o + v * kLanes);
  Vf c[kVecs][kCount];
  AOIE_UNROLL for (int j = 0; j < (kForm == kTied ? 1 : kPlanes); ++j) {
    Vi total[kVecs][kCount];
    counts_of<kForm, kPlanes, kVecs, kCount>(b, j, ox, o, total);
    const Vf scale = vf_all(args.plane_scale[j]);
    AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
      const Vf plane = vf_mul(scale, _mm512_cvtepi32_ps(total[v][i]));
      c[v][i] = j == 0 ? plane : vf_add(c[v][i], plane);
    }
  }
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
    const int64_t first = o + v * kLanes, left = args.o - first;
    const Vf e = vf_load(args.a + first), f = vf_load(args.b + first);
    Vf y[kCount];
    AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
      const Vf products = vf_add(vf_mul(e, c[v][i]), vf_mul(f, vf_all(b.rows.r[ox + i])));
      y[i] = vf_add(products, vf_load(b.h + b.rows.border[ox + i] + first));
    }
    finish<kCount>(b.finish, at_out + ox, first, left < kLanes ? left : kLanes, y);
  }
}

// kCount positions from ox on: the call's output channels, block by block as they are packed.
template <Form kForm, int kPlanes, int kCount>
void channels(const Line& b, int64_t ox, int64_t at_out) {
  constexpr int kVecs = static_cast<int>(block_of(kForm) / kLanes);
  int64_t o = b.args.skip_first;
  const int64_t end = b.args.o_pad - b.args.skip_last;
  for (; o + kVecs * kLanes <= end; o += kVecs * kLanes) positions<kForm, kPlanes, kVecs, kCount>(b, ox, o, at_out);
  const int64_t left = (end - o) / kLanes;
  if (kVecs == 4 && left == 3) positions<kForm, kPlanes, 3, kCount>(b, ox, o, at_out);
  if (kVecs == 4 && left == 2) positions<kForm, kPlanes, 2, kCount>(b, ox, o, at_out);
  if (left == 1) positions<kForm, kPlanes, 1, kCount>(b, ox, o, at_out);
}

template <Form kForm, int kPlanes>
void conv_bits_as(const OpArgs& args) {
  Rows rows(args);
  const Finish finish(args);
  const auto* packed = static_cast<const uint32_t*>(args.packed);
  Line b{args,
         rows,
         finish,
         nullptr,
         packed + kPackedHead,
         packed + kPackedHead + args.o_pad,
         args.k * args.kw * rows.words,
         {}};
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy) {
    const int64_t top = oy * args.s - args.pad, at_out = oy * args.ow;
    for (int64_t ky = 0; ky < args.k; ++ky) prepare_row(rows, top + ky);
    for (int64_t j = 0; j < args.j; ++j)
      for (int64_t ky = 0; ky < 3; ++ky) b.at[j][ky] = rows.row(ky < args.k ? top + ky : top, j);
    prepare_sums(rows, top);
    clear_bits(args, at_out);
    b.h = args.d + border_state(top, args.k, args.h) * 4 * args.o_pad;
    const int64_t end = args.ow - args.skip_right;
    for (int64_t ox = args.skip_left; ox < end; ox += kWide) {
      const int64_t count = end - ox < kWide ? end - ox : kWide;
      if (kForm == kParity) prepare_windows(rows, top, ox, count);
      if (count == 4) channels<kForm, kPlanes, 4>(b, ox, at_out);
      if (count == 3) channels<kForm, kPlanes, 3>(b, ox, at_out);
      if (count == 2) channels<kForm, kPlanes, 2>(b, ox, at_out);
      if (count == 1) channels<kForm, kPlanes, 1>(b, ox, at_out);
    }
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
