// conv_f32 with kLanes output channels per vector and kPixels positions at once: each lane adds in the order of the
// reference. packed: f32 [o_pad / kLanes, c, kLanes].
#include "ops/kernels.h"

namespace aoie {
namespace {

template <int kCount>
inline void positions(const OpArgs& args, const float* in, float* out) {
  for (int64_t o = 0; o < args.o; o += kLanes) {
    const float* weight = static_cast<const float*>(args.packed) + o * args.c;
    Vf sum[kCount];
    for (int i = 0; i < kCount; ++i) sum[i] = vf_load(args.a + o);
    for (int64_t c = 0; c < args.c; ++c, weight += kLanes) {
      const Vf w = vf_load(weight);
      for (int i = 0; i < kCount; ++i) sum[i] = vf_add(sum[i], vf_mul(w, vf_all(in[i * args.c + c])));
    }
    const int64_t left = args.o - o;
    for (int i = 0; i < kCount; ++i) vf_store(out + i * args.o + o, sum[i], left < kLanes ? left : kLanes);
  }
}

void conv_f32(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<float*>(args.out);
  const int64_t count = args.h * args.w;
  int64_t i = 0;
  for (; i + kPixels <= count; i += kPixels) positions<kPixels>(args, in + i * args.c, out + i * args.o);
  for (; i < count; ++i) positions<1>(args, in + i * args.c, out + i * args.o);
}

}  // namespace
}  // namespace aoie
