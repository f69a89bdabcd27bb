// 8 channels per compare; a rest of fewer than 8 channels one by one.
#include <arm_neon.h>
#include <stdint.h>

namespace aoie {
namespace {
constexpr int kLanes = 8;
inline uint64_t bits_of(uint32x4_t low, uint32x4_t high) {
  const uint32x4_t first = {1, 2, 4, 8}, second = {16, 32, 64, 128};
  return vaddvq_u32(vorrq_u32(vandq_u32(low, first), vandq_u32(high, second)));
}
inline void compare(const float* x, const float* t, int64_t count, int64_t shift, uint64_t* at_least,
                    uint64_t* at_most) {
  if (count == kLanes) {
    const float32x4_t a = vld1q_f32(x), b = vld1q_f32(x + 4), s = vld1q_f32(t), u = vld1q_f32(t + 4);
    *at_least |= bits_of(vcgeq_f32(a, s), vcgeq_f32(b, u)) << shift;
    *at_most |= bits_of(vcleq_f32(a, s), vcleq_f32(b, u)) << shift;
    return;
  }
  for (int64_t c = 0; c < count; ++c) {
    *at_least |= static_cast<uint64_t>(x[c] >= t[c]) << (shift + c);
    *at_most |= static_cast<uint64_t>(x[c] <= t[c]) << (shift + c);
  }
}
}  // namespace
}  // namespace aoie

#include "ops/binarize/lanes.inl"

namespace aoie {
void binarize_neon(const OpArgs& args) { binarize(args); }
}  // namespace aoie
