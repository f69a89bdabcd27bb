// 8 output channels in two registers: products of pairs, added side by side.
#include <string.h>

#include "ops/tail/neon_floats.inl"

namespace aoie {
namespace {
struct Vi {  // sums of 8 lanes, or 8 pairs of i16
  int32x4_t low, high;
};
inline Vi vi_zero() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
inline Vi vi_load(const void* p) {
  const auto* at = static_cast<const int16_t*>(p);
  return {vreinterpretq_s32_s16(vld1q_s16(at)), vreinterpretq_s32_s16(vld1q_s16(at + 8))};
}
inline int32x4_t pair_sums(int32x4_t weight, int16x8_t x) {
  const int16x8_t w = vreinterpretq_s16_s32(weight);
  return vpaddq_s32(vmull_s16(vget_low_s16(w), vget_low_s16(x)), vmull_high_s16(w, x));
}
inline Vi vi_madd(Vi sum, Vi weight, const int16_t* x) {
  int32_t both;
  memcpy(&both, x, 4);
  const int16x8_t all = vreinterpretq_s16_s32(vdupq_n_s32(both));
  return {vaddq_s32(sum.low, pair_sums(weight.low, all)), vaddq_s32(sum.high, pair_sums(weight.high, all))};
}
inline Vf vf_affine(Vi sum, const float* scale, const float* bias) {
  const Vf value = {vcvtq_f32_s32(sum.low), vcvtq_f32_s32(sum.high)};
  return vf_add(vf_mul(value, vf_load(scale)), vf_load(bias));
}
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/neon.inl"
#include "ops/conv_int/lanes.inl"

namespace aoie {
void conv_int_neon(const OpArgs& args) { conv_int(args); }
}  // namespace aoie
