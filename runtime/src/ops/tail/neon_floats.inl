// 8 floats in two NEON registers, one float32 operation each; nothing is fused (-ffp-contract=off).
#include <arm_neon.h>
#include <stdint.h>

namespace aoie {
namespace {
constexpr int kLanes = 8;
struct Vf {
  float32x4_t low, high;
};
inline Vf vf_load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4)}; }
inline Vf vf_all(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
inline Vf vf_add(Vf x, Vf y) { return {vaddq_f32(x.low, y.low), vaddq_f32(x.high, y.high)}; }
inline Vf vf_mul(Vf x, Vf y) { return {vmulq_f32(x.low, y.low), vmulq_f32(x.high, y.high)}; }
inline void vf_store(float* to, Vf v, int64_t count) {
  if (count == kLanes) {
    vst1q_f32(to, v.low);
    vst1q_f32(to + 4, v.high);
    return;
  }
  float all[kLanes];
  vst1q_f32(all, v.low);
  vst1q_f32(all + 4, v.high);
  for (int64_t i = 0; i < count; ++i) to[i] = all[i];
}
}  // namespace
}  // namespace aoie
