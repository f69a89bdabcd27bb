#include "ops/kernels.h"

namespace aoie {
namespace {
void avgpool2(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* to = static_cast<float*>(args.out);
  for (int64_t oy = 0; oy < args.oh; ++oy)
    for (int64_t ox = 0; ox < args.ow; ++ox, to += args.c) {
      const bool right = 2 * ox + 1 < args.w, below = 2 * oy + 1 < args.h;
      const float* a = in + (2 * oy * args.w + 2 * ox) * args.c;
      const float* b = a + args.c;
      const float* c = a + args.w * args.c;
      const float* d = c + args.c;
      float* __restrict out = to;
      if (right && below)
        for (int64_t i = 0; i < args.c; ++i) out[i] = ((a[i] + b[i]) + (c[i] + d[i])) * 0.25f;
      else if (right)
        for (int64_t i = 0; i < args.c; ++i) out[i] = (a[i] + b[i]) * 0.5f;
      else if (below)
        for (int64_t i = 0; i < args.c; ++i) out[i] = (a[i] + c[i]) * 0.5f;
      else
        for (int64_t i = 0; i < args.c; ++i) out[i] = a[i] * 1.0f;
    }
}
}  // namespace
}  // namespace aoie
