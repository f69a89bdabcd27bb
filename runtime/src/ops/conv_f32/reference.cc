// conv_f32: 1x1, f32 [h, w, c] -> f32 [h, w, o]; weight f32 [o, c], a = bias. One sum per output, in the order of the
// channels.
#include "ops/kernels.h"

namespace aoie {
void conv_f32_reference(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  const auto* weight = static_cast<const float*>(args.weight);
  auto* out = static_cast<float*>(args.out);
  for (int64_t i = 0; i < args.h * args.w; ++i)
    for (int64_t o = 0; o < args.o; ++o) {
      float sum = args.a[o];
      for (int64_t c = 0; c < args.c; ++c) sum = sum + weight[o * args.c + c] * in[i * args.c + c];
      out[i * args.o + o] = sum;
    }
}
}  // namespace aoie
