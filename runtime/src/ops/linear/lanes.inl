// linear with kLanes outputs per vector: each output keeps its own sum, in the order of the channels. kVecs vectors at
// a time hide the latency of the additions. packed: f32 [o_pad / kLanes, c, kLanes].
#include "ops/kernels.h"

namespace aoie {
namespace {

template <int kVecs>
inline void outputs(const OpArgs& args, const float* in, int64_t o, float* out) {
  const float* weight = static_cast<const float*>(args.packed) + o * args.c;
  Vf sum[kVecs];
  for (int v = 0; v < kVecs; ++v) sum[v] = vf_load(args.a + o + v * kLanes);
  for (int64_t c = 0; c < args.c; ++c, weight += kLanes) {
    const Vf x = vf_all(in[c]);
    for (int v = 0; v < kVecs; ++v) sum[v] = vf_add(sum[v], vf_mul(vf_load(weight + v * args.c * kLanes), x));
  }
  for (int v = 0; v < kVecs; ++v) {
    const int64_t left = args.o - o - v * kLanes;
    vf_store(out + o + v * kLanes, sum[v], left < kLanes ? left : kLanes);
  }
}

void linear(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<float*>(args.out);
  for (int64_t i = 0; i < args.h * args.w; ++i, in += args.c, out += args.o) {
    int64_t o = 0;
    for (; o + 4 * kLanes <= args.o; o += 4 * kLanes) outputs<4>(args, in, o, out);
    for (; o < args.o; o += kLanes) outputs<1>(args, in, o, out);
  }
}

}  // namespace
}  // namespace aoie
