// 32 output channels per vector, by table. A nibble of the picture picks one of 16 tables, whose entry w is the
// popcount of nibble & w; a byte shuffle looks up the nibbles of 32 output channels at once. So 4 bits cost a shuffle
// and an addition, where a popcount by shuffles takes 8 operations for 8 bits. Two planes whose scales are 1 are
// counted together: their nibbles pick one of 256 tables, whose entry w is the sum of both popcounts. Byte counters
// hold 63 lookups (63 * 4 < 256), of two planes 31, before they are widened. packed: u8 [o / 32, k, kw, nibbles, 32],
// nibbles = 8 * ceil(c / 32). scratch: Place [k slots, planes, w + 2 pad_w, nibbles], where the table of each nibble
// stands; i32 [k slots, planes, w + 2 pad_w] popcounts. Planes that are counted together are one.
#include "ops/tail/avx2_floats.inl"

#include "ops/conv_bits/border.h"
#include "ops/tail/avx2.inl"

#define AOIE_UNROLL _Pragma("GCC unroll 16")

namespace aoie {
namespace {

constexpr int kBlock = 32, kVecs = 2,
              kWide = 4;  // channels of a vector, vectors and positions that are counted at once

struct Tables {
  alignas(64) uint8_t one[256];    // [nibble, nibble of the weights]
  alignas(64) uint8_t both[4096];  // [nibble of the first plane, of the second, of the weights]
  constexpr Tables() : one{}, both{} {
    for (int i = 0; i < 4096; ++i)
      for (int bit = 0; bit < 4; ++bit) {
        const int second = (i >> 4 & i) >> bit & 1, count = ((i >> 8 & i) >> bit & 1) + second;
        both[i] = static_cast<uint8_t>(both[i] + count);
        if (i < 256) one[i] = static_cast<uint8_t>(one[i] + second);
      }
  }
};
constexpr Tables kTables;

inline const uint8_t* table_at(uint8_t place) { return kTables.one + place; }
inline const uint8_t* table_at(uint16_t place) { return kTables.both + place; }

// Adds n lookups of kN vectors of channels at kCount positions to sums [kCount, kN, 32]. A function of its own: the
// counters find registers in a small one only.
template <int kN, int kCount, typename Place>
__attribute__((noinline)) void add_lookups(const uint8_t* weight, int64_t next_block, const Place* at, int64_t step,
                                           int64_t n, uint16_t* sums) {
  __m256i count[kN][kCount];
  AOIE_UNROLL for (int v = 0; v < kN; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) count[v][i] =
      _mm256_setzero_si256();
  for (int64_t nibble = 0; nibble < n; ++nibble, weight += kBlock, ++at) {
    __m256i taps[kN];
    AOIE_UNROLL for (int v = 0; v < kN; ++v) {
      taps[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight + v * next_block));
      asm("" : "+x"(taps[v]));  // one load, not one for each position
    }
    AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
      const auto* entries = reinterpret_cast<const __m128i*>(table_at(at[i * step]));
      const __m256i table = _mm256_broadcastsi128_si256(_mm_load_si128(entries));
      AOIE_UNROLL for (int v = 0; v < kN; ++v) {
        const __m256i found = _mm256_shuffle_epi8(table, taps[v]);
        asm("vpaddb %1, %0, %0" : "+x"(count[v][i]) : "x"(found));  // in place: GCC 12 moves the sums around
      }
    }
  }
  const __m256i zero = _mm256_setzero_si256();
  AOIE_UNROLL for (int i = 0; i < kCount; ++i) AOIE_UNROLL for (int v = 0; v < kN; ++v) {
    auto* to = reinterpret_cast<__m256i*>(sums + (i * kN + v) * kBlock);
    _mm256_store_si256(to, _mm256_add_epi16(_mm256_load_si256(to), _mm256_unpacklo_epi8(count[v][i], zero)));
    _mm256_store_si256(to + 1, _mm256_add_epi16(_mm256_load_si256(to + 1), _mm256_unpackhi_epi8(count[v][i], zero)));
  }
}

template <typename Place>
struct Rows {
  static constexpr bool kTied = sizeof(Place) == 2;  // both planes are counted together
  const OpArgs& args;
  const int64_t planes;  // that are counted
  const int64_t nibbles, width;
  Place* const data;
  int32_t* const counts;
  int64_t held[3] = {-2, -2, -2};  // the input row in each slot

  explicit Rows(const OpArgs& a)
      : args(a),
        planes(kTied ? 1 : a.j),
        nibbles((a.c + 31) / 32 * 8),
        width(a.w + 2 * a.pad_w),
        data(static_cast<Place*>(a.scratch)),
        counts(reinterpret_cast<int32_t*>(data + a.k * planes * width * nibbles)) {}

  int64_t place(int64_t y, int64_t j) const { return ((y + args.k) % args.k * planes + j) * width; }  // y >= -1
};

inline uint32_t four_bytes(const uint64_t* words, int64_t i) {
  uint32_t four;
  __builtin_memcpy(&four, reinterpret_cast<const uint8_t*>(words) + i, 4);
  return four;
}

// Low and high halves of bytes, turn by turn.
inline __m128i turns(uint32_t low, uint32_t high) {
  return _mm_unpacklo_epi8(_mm_cvtsi32_si128(static_cast<int>(low)), _mm_cvtsi32_si128(static_cast<int>(high)));
}

// The tables of the 8 nibbles of 4 bytes, low nibble first; second: the other plane.
inline void places(const uint64_t* in, const uint64_t*, int64_t i, uint8_t* to) {
  const uint32_t four = four_bytes(in, i);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), turns(four << 4 & 0xF0F0F0F0u, four & 0xF0F0F0F0u));
}
inline void places(const uint64_t* in, const uint64_t* second, int64_t i, uint16_t* to) {
  const uint32_t a = four_bytes(in, i), b = four_bytes(second, i);
  const __m128i both = turns((a << 4 & 0xF0F0F0F0u) | (b & 0x0F0F0F0Fu), (a & 0xF0F0F0F0u) | (b >> 4 & 0x0F0F0F0Fu));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_slli_epi16(_mm_cvtepu8_epi16(both), 4));
}

template <typename Place>
void prepare_row(Rows<Place>& rows, int64_t y) {
  const OpArgs& args = rows.args;
  if (rows.held[(y + args.k) % args.k] == y) return;
  rows.held[(y + args.k) % args.k] = y;
  const int64_t bytes = rows.nibbles / 2, plane = args.in_rows * args.w * args.p64;
  const auto ones = [](uint64_t word) { return __builtin_popcountll(word); };
  for (int64_t j = 0; j < rows.planes; ++j) {
    const int64_t first = rows.place(y, j);
    __builtin_memset(rows.data + first * rows.nibbles, 0,
                     static_cast<uint64_t>(rows.width * rows.nibbles) * sizeof(Place));
    __builtin_memset(rows.counts + first, 0, static_cast<uint64_t>(rows.width) * 4);
    if (y < 0 || y >= args.h) continue;
    const uint64_t* in = static_cast<const uint64_t*>(args.in0) + j * plane + y * args.w * args.p64;
    Place* to = rows.data + (first + args.pad_w) * rows.nibbles;
    for (int64_t x = 0; x < args.w; ++x, in += args.p64, to += rows.nibbles) {
      int64_t count = 0;
      for (int64_t word = 0; word < args.p64; ++word)
        count += ones(in[word]) + (rows.kTied ? ones(in[plane + word]) : 0);
      rows.counts[first + args.pad_w + x] = static_cast<int32_t>(count);
      for (int64_t i = 0; i < bytes; i += 4) places(in, in + plane, i, to + 2 * i);
    }
  }
}

// kCount positions from ox on, kN vectors of output channels from o on.
template <int kN, int kCount, typename Place>
void positions(const Rows<Place>& rows, const Finish& tail, int64_t oy, int64_t ox, int64_t o) {
  const OpArgs& args = rows.args;
  const int64_t top = oy * args.s - args.pad, left = ox * args.s, run = args.kw * rows.nibbles;
  const int64_t step = args.s * rows.nibbles, next_block = args.k * run * kBlock;
  const int64_t full = rows.kTied ? 31 : 63;                                        // lookups that a byte holds
  const int64_t parts = (run + full - 1) / full, even = (run + parts - 1) / parts;  // no call for a few lookups
  alignas(32) uint16_t sums[2][kCount * kN * kBlock] = {};
  for (int64_t j = 0; j < rows.planes; ++j) {
    const uint8_t* weight = static_cast<const uint8_t*>(args.packed) + o / kBlock * next_block;
    for (int64_t ky = 0; ky < args.k; ++ky) {
      const Place* at = rows.data + (rows.place(top + ky, j) + left) * rows.nibbles;
      for (int64_t done = 0, n = even; done < run; done += n) {
        if (n > run - done) n = run - done;
        add_lookups<kN, kCount>(weight, next_block, at + done, step, n, sums[j]);
        weight += n * kBlock;
      }
    }
  }
  float r[kCount] = {};
  const float* h[kCount];
  for (int i = 0; i < kCount; ++i) {
    for (int64_t j = 0; j < rows.planes; ++j) {
      int32_t rho = 0;
      for (int64_t ky = 0; ky < args.k; ++ky)
        for (int64_t kx = 0; kx < args.kw; ++kx) rho += rows.counts[rows.place(top + ky, j) + left + i * args.s + kx];
      const float plane = args.plane_scale[j] * static_cast<float>(rho);
      r[i] = j == 0 ? plane : r[i] + plane;
    }
    const int64_t border =
        border_state(top, args.k, args.h) * 4 + border_state((ox + i) * args.s - args.pad_w, args.kw, args.w);
    h[i] = args.d + border * args.o_pad;
  }
  const Vf scale = vf_all(args.plane_scale[0]), scale2 = vf_all(args.plane_scale[rows.planes - 1]);
  for (int64_t group = 0; group < 4 * kN && o < args.o; ++group, o += kLanes) {
    const int64_t place = group / 4 * kBlock + group % 2 * 16 + group % 4 / 2 * 8;  // as unpacking leaves them
    const auto counted = [&](int64_t j, int i) {
      const auto* at = reinterpret_cast<const __m128i*>(sums[j] + i * kN * kBlock + place);
      return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_load_si128(at)));
    };
    const Vf e = vf_load(args.a + o), f = vf_load(args.b + o);
    Vf y[kCount];
    for (int i = 0; i < kCount; ++i) {
      Vf c = vf_mul(scale, counted(0, i));
      if (rows.planes == 2) c = vf_add(c, vf_mul(scale2, counted(1, i)));
      y[i] = vf_add(vf_add(vf_mul(e, c), vf_mul(f, vf_all(r[i]))), vf_load(h[i] + o));
    }
    const int64_t count = args.o - o < kLanes ? args.o - o : kLanes;
    finish<kCount>(tail, oy * args.ow + ox, o, count, y);
  }
}

template <int kCount, typename Place>
void channels(const Rows<Place>& rows, const Finish& tail, int64_t oy, int64_t ox) {
  int64_t o = rows.args.skip_first;
  const int64_t end = rows.args.o - rows.args.skip_last;
  for (; o + kBlock < end; o += kVecs * kBlock) positions<kVecs, kCount>(rows, tail, oy, ox, o);
  if (o < end) positions<1, kCount>(rows, tail, oy, ox, o);
}

template <typename Place>
void conv_bits_as(const OpArgs& args) {
  Rows<Place> rows(args);
  const Finish tail(args);
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy) {
    for (int64_t ky = 0; ky < args.k; ++ky) prepare_row(rows, oy * args.s - args.pad + ky);
    clear_bits(args, oy * args.ow);
    const int64_t end = args.ow - args.skip_right;
    int64_t ox = args.skip_left;
    for (; ox + kWide <= end; ox += kWide) channels<kWide>(rows, tail, oy, ox);
    for (; ox < end; ++ox) channels<1>(rows, tail, oy, ox);
  }
}

}  // namespace

void conv_bits_avx2(const OpArgs& args) {
  const bool tied = args.j == 2 && args.plane_scale[0] == 1.0f && args.plane_scale[1] == 1.0f &&
                    2 * args.k * args.kw * args.c <= UINT16_MAX;  // the sums are 16 bits
  tied ? conv_bits_as<uint16_t>(args) : conv_bits_as<uint8_t>(args);
}
}  // namespace aoie
