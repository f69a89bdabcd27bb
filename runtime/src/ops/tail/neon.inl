#include <arm_neon.h>
#include <stdint.h>

namespace aoie {
namespace {
using Bits = uint8_t;
struct Mask {
  uint32x4_t low, high;
};
inline Vf vf_load_part(const float* p, int64_t count) {
  if (count == kLanes) return vf_load(p);
  float all[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) all[i] = p[i];
  return vf_load(all);
}
inline Mask vf_above(Vf x, Vf y) { return {vcgtq_f32(x.low, y.low), vcgtq_f32(x.high, y.high)}; }
inline Bits vf_bits(uint32x4_t low, uint32x4_t high) {  // one bit of every lane, added up
  const uint32x4_t first = {1, 2, 4, 8}, second = {16, 32, 64, 128};
  return static_cast<Bits>(vaddvq_u32(vorrq_u32(vandq_u32(low, first), vandq_u32(high, second))));
}
inline Bits vf_at_least(Vf x, Vf y) { return vf_bits(vcgeq_f32(x.low, y.low), vcgeq_f32(x.high, y.high)); }
inline Bits vf_at_most(Vf x, Vf y) { return vf_bits(vcleq_f32(x.low, y.low), vcleq_f32(x.high, y.high)); }
inline Vf vf_choose(Mask mask, Vf yes, Vf no) {
  return {vbslq_f32(mask.low, yes.low, no.low), vbslq_f32(mask.high, yes.high, no.high)};
}
}  // namespace
}  // namespace aoie

#include "ops/tail/body.inl"
