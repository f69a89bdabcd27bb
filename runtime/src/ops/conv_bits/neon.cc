// 8 output channels in two registers. CNT counts the bits of bytes; byte counters hold 31 words (31 * 8 = 248 < 256)
// before they are widened. 4 registers of weights x kCount positions are counted at once. Of the forms (rows.inl),
//   kSeparate  takes 3 operations per word and plane: AND, CNT, ADD,
//   kTied      4 operations per word for both planes: EOR, AND, CNT, ADD
#include "ops/tail/neon_floats.inl"

namespace aoie {
namespace {
constexpr int kFull = 31;
struct Vi {
  uint32x4_t low, high;
};
struct Bytes {
  uint8x16_t low, high;
};
inline Vi vi_load(const uint32_t* p) { return {vld1q_u32(p), vld1q_u32(p + 4)}; }
inline Vf vi_float(Vi x) { return {vcvtq_f32_u32(x.low), vcvtq_f32_u32(x.high)}; }
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/neon.inl"
#include "ops/conv_bits/rows.inl"

namespace aoie {
namespace {

void write_tied_words(const uint64_t* first, const uint64_t* second, int64_t count, int64_t p64, int64_t words,
                      uint32_t* to) {
  for (int64_t x = 0; x < count; ++x, first += p64, second += p64)
    for (int64_t i = 0; i < words; ++i, to += 2) {
      const auto half = [&](uint64_t word) { return static_cast<uint32_t>(word >> i % 2 * 32); };
      to[0] = half(first[i / 2]);
      to[1] = ~half(first[i / 2] ^ second[i / 2]);
    }
}

// Adds the byte counters to the totals and begins them again.
template <int kVecs, int kCount>
inline void widen(Bytes (&bytes)[kVecs][kCount], Vi (&total)[kVecs][kCount]) {
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
    total[v][i].low = vpadalq_u16(total[v][i].low, vpaddlq_u8(bytes[v][i].low));
    total[v][i].high = vpadalq_u16(total[v][i].high, vpaddlq_u8(bytes[v][i].high));
    bytes[v][i] = {vdupq_n_u8(0), vdupq_n_u8(0)};
  }
}

// The words of a position: that of the plane; kTied: p_1, and where the planes agree.
template <bool kTiedPlanes>
inline uint8x16_t hits(uint32x4_t taps, uint32x4x2_t bits) {
  const uint32x4_t found =
      kTiedPlanes ? vandq_u32(veorq_u32(taps, bits.val[0]), bits.val[1]) : vandq_u32(taps, bits.val[0]);
  return vcntq_u8(vreinterpretq_u8_u32(found));
}

// Popcounts of kCount windows whose first words are at rows[ky] + i * step, run words (kTied: pairs) per kernel row.
template <bool kTiedPlanes, int kVecs, int kCount>
inline void count_rows(const uint32_t* const* rows, int64_t k, int64_t run, int64_t step, const uint32_t* weight,
                       Vi (&total)[kVecs][kCount]) {
  Bytes bytes[kVecs][kCount];
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
    total[v][i] = {vdupq_n_u32(0), vdupq_n_u32(0)};
    bytes[v][i] = {vdupq_n_u8(0), vdupq_n_u8(0)};
  }
  int filled = 0;
  for (int64_t ky = 0; ky < k; ++ky) {
    const uint32_t* at = rows[ky];
    for (int64_t word = 0; word < run; ++word, weight += kVecs * kLanes, at += kTiedPlanes ? 2 : 1) {
      Vi taps[kVecs];
      AOIE_UNROLL for (int v = 0; v < kVecs; ++v) taps[v] = vi_load(weight + v * kLanes);
      AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
        const uint32_t* from = at + i * step;
        const uint32x4x2_t bits = kTiedPlanes ? vld2q_dup_u32(from) : uint32x4x2_t{{vld1q_dup_u32(from), {}}};
        AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
          bytes[v][i].low = vaddq_u8(bytes[v][i].low, hits<kTiedPlanes>(taps[v].low, bits));
          bytes[v][i].high = vaddq_u8(bytes[v][i].high, hits<kTiedPlanes>(taps[v].high, bits));
        }
      }
      if (++filled < kFull) continue;
      widen(bytes, total);
      filled = 0;
    }
  }
  widen(bytes, total);
}

template <Form kForm, int kPlanes, int kVecs, int kCount>
inline void counts_of(const Line& b, int64_t j, int64_t ox, int64_t o, Vi (&total)[kVecs][kCount]) {
  const OpArgs& args = b.args;
  const int64_t step = args.s * b.rows.unit;
  const uint32_t* rows[3];
  for (int ky = 0; ky < 3; ++ky) rows[ky] = b.at[j][ky] + ox * step;
  count_rows<kForm == kTied>(rows, args.k, args.kw * b.rows.words, step, b.weights + o * b.size, total);
  if (kForm == kSeparate) return;
  const int32_t* high = b.rows.rho + args.ow + ox;
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
    const Vi ones = vi_load(b.ones + o + v * kLanes);
    AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
      const uint32x4_t all = vdupq_n_u32(static_cast<uint32_t>(high[i]));
      total[v][i].low = vsubq_u32(vaddq_u32(ones.low, all), total[v][i].low);
      total[v][i].high = vsubq_u32(vaddq_u32(ones.high, all), total[v][i].high);
    }
  }
}

}  // namespace

void conv_bits_neon(const OpArgs& args) {
  if (*static_cast<const uint32_t*>(args.packed) == kTied)
    conv_bits_as<kTied, 2>(args);
  else
    args.j == 1 ? conv_bits_as<kSeparate, 1>(args) : conv_bits_as<kSeparate, 2>(args);
}
}  // namespace aoie
