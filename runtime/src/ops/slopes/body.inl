#include "ops/kernels.h"

namespace aoie {
namespace {
void slopes(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<float*>(args.out);  // may be in itself
  const float* __restrict pos = args.a;
  const float* __restrict pos_shift = args.b;
  const float* __restrict neg = args.d;
  const float* __restrict neg_shift = args.e;
  const float* __restrict knee = args.knee;
  for (int64_t i = 0; i < args.h * args.w; ++i, in += args.c, out += args.c)
    for (int64_t c = 0; c < args.c; ++c) {
      const float v = in[c];
      const bool above = v > knee[c];
      const float slope = above ? pos[c] : neg[c], shift = above ? pos_shift[c] : neg_shift[c];
      out[c] = slope * v + shift;
    }
}
}  // namespace
}  // namespace aoie
