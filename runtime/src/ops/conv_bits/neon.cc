// 8 output channels in two registers. CNT counts the bits of bytes; byte counters hold 31 words (31 * 8 = 248 < 256)
// before they are widened.
#include "ops/tail/neon_floats.inl"

namespace aoie {
namespace {
constexpr int kPixels = 2;  // 2 planes of 2 positions keep 16 counters in registers
struct Vi {
  uint32x4_t low, high;
};
inline Vi vi_load(const void* p) {
  const auto* at = static_cast<const uint32_t*>(p);
  return {vld1q_u32(at), vld1q_u32(at + 4)};
}
inline Vf vf_scaled(float scale, Vi count) {
  const float32x4_t all = vdupq_n_f32(scale);
  return {vmulq_f32(all, vcvtq_f32_u32(count.low)), vmulq_f32(all, vcvtq_f32_u32(count.high))};
}

template <int kN>
struct Count {
  static constexpr int kFull = 31;
  Vi total[kN];
  uint8x16_t low[kN], high[kN];
  int filled = 0;
  Count() {
    for (int i = 0; i < kN; ++i) {
      total[i] = {vdupq_n_u32(0), vdupq_n_u32(0)};
      low[i] = high[i] = vdupq_n_u8(0);
    }
  }
  inline void add(int i, Vi taps, const uint32_t* bits) {
    const uint32x4_t word = vdupq_n_u32(*bits);
    low[i] = vaddq_u8(low[i], vcntq_u8(vreinterpretq_u8_u32(vandq_u32(taps.low, word))));
    high[i] = vaddq_u8(high[i], vcntq_u8(vreinterpretq_u8_u32(vandq_u32(taps.high, word))));
  }
  inline void next() {
    if (++filled == kFull) finish();
  }
  inline void finish() {
    for (int i = 0; i < kN; ++i) {
      total[i].low = vpadalq_u16(total[i].low, vpaddlq_u8(low[i]));
      total[i].high = vpadalq_u16(total[i].high, vpaddlq_u8(high[i]));
      low[i] = high[i] = vdupq_n_u8(0);
    }
    filled = 0;
  }
};
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/neon.inl"
#include "ops/conv_bits/lanes.inl"

namespace aoie {
void conv_bits_neon(const OpArgs& args) { conv_bits(args); }
}  // namespace aoie
