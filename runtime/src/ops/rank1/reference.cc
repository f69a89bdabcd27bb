// rank1: x * (a[y] * b[x]); out may be the input.
#include "ops/kernels.h"

namespace aoie {
void rank1_reference(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<float*>(args.out);
  for (int64_t y = 0; y < args.h; ++y)
    for (int64_t x = 0; x < args.w; ++x, in += args.c, out += args.c) {
      const float factor = args.a[y] * args.b[x];
      for (int64_t c = 0; c < args.c; ++c) out[c] = in[c] * factor;
    }
}
}  // namespace aoie
