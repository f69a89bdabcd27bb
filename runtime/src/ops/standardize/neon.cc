#include <arm_neon.h>
#include <stdint.h>

namespace aoie {
namespace {

constexpr int kLanes = 4;
using Vi = uint32x4_t;
using Vf = float32x4_t;

inline Vi vi_load(const uint32_t* at) { return vld1q_u32(at); }
inline void vi_store(uint32_t* to, Vi x) { vst1q_u32(to, x); }
inline Vi vi_all(uint32_t x) { return vdupq_n_u32(x); }
inline Vi vi_add(Vi x, Vi y) { return vaddq_u32(x, y); }
inline Vi vi_sub(Vi x, Vi y) { return vsubq_u32(x, y); }
inline Vi vi_mul(Vi x, Vi y) { return vmulq_u32(x, y); }
inline Vi vi_mul_16(Vi x, Vi y) { return vmulq_u32(x, y); }
inline Vi vi_least(Vi x, Vi y) {
  return vreinterpretq_u32_s32(vminq_s32(vreinterpretq_s32_u32(x), vreinterpretq_s32_u32(y)));
}
inline Vi vi_most(Vi x, Vi y) {
  return vreinterpretq_u32_s32(vmaxq_s32(vreinterpretq_s32_u32(x), vreinterpretq_s32_u32(y)));
}
inline Vi vi_widen(const uint8_t* at) {
  uint32_t four;
  __builtin_memcpy(&four, at, 4);
  return vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
}
inline Vi vi_last(Vi x) { return vdupq_laneq_u32(x, 3); }
inline Vi vi_scan(Vi x) {
  const Vi zero = vdupq_n_u32(0);
  x = vaddq_u32(x, vextq_u32(zero, x, 3));
  return vaddq_u32(x, vextq_u32(zero, x, 2));
}
inline Vf vf_all(float x) { return vdupq_n_f32(x); }
inline Vf vf_add(Vf x, Vf y) { return vaddq_f32(x, y); }
inline Vf vf_sub(Vf x, Vf y) { return vsubq_f32(x, y); }
inline Vf vf_mul(Vf x, Vf y) { return vmulq_f32(x, y); }
inline Vf vf_min(Vf x, Vf y) { return vminq_f32(x, y); }
inline Vf vf_max(Vf x, Vf y) { return vmaxq_f32(x, y); }
inline Vf vf_from(Vi x) { return vcvtq_f32_s32(vreinterpretq_s32_u32(x)); }
inline Vf spread_of(Vi n, Vi sum, Vi squares) {
  const auto half = [](uint32x2_t count, uint32x2_t s, uint32x2_t q) {
    return vcvt_f32_f64(vcvtq_f64_u64(vsubq_u64(vmull_u32(count, q), vmull_u32(s, s))));
  };
  return vcombine_f32(half(vget_low_u32(n), vget_low_u32(sum), vget_low_u32(squares)),
                      half(vget_high_u32(n), vget_high_u32(sum), vget_high_u32(squares)));
}
// The estimate has 8 bits, a step doubles them.
inline Vf root_guess(Vf x) {
  const Vf guess = vrsqrteq_f32(x);
  return vmulq_f32(guess, vrsqrtsq_f32(vmulq_f32(x, guess), guess));
}
inline uint32_t store_rounded(int8_t* to, Vf v, float decided) {
  const Vf whole = vrndnq_f32(v);
  const int16x4_t words = vqmovn_s32(vcvtq_s32_f32(whole));
  const int8x8_t bytes = vqmovn_s16(vcombine_s16(words, words));
  const uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
  __builtin_memcpy(to, &four, 4);
  const Vi sure = vcltq_f32(vabsq_f32(vsubq_f32(v, whole)), vdupq_n_f32(decided));
  const uint32_t place[kLanes] = {1, 2, 4, 8};
  return vaddvq_u32(vbicq_u32(vld1q_u32(place), sure));
}

}  // namespace
}  // namespace aoie

#include "ops/standardize/windows.inl"

namespace aoie {
void standardize_neon(const OpArgs& args) { standardize_windows(args); }
}  // namespace aoie
