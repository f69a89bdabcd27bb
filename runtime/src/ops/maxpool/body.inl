#include "ops/kernels.h"

namespace aoie {
namespace {
void maxpool(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* to = static_cast<float*>(args.out);
  for (int64_t oy = 0; oy < args.oh; ++oy)
    for (int64_t ox = 0; ox < args.ow; ++ox, to += args.c) {
      float* __restrict best = to;
      const int64_t top = oy * args.s - args.pad, left = ox * args.s - args.pad;
      const int64_t y0 = top < 0 ? 0 : top, y1 = top + args.k < args.h ? top + args.k : args.h;
      const int64_t x0 = left < 0 ? 0 : left, x1 = left + args.k < args.w ? left + args.k : args.w;
      const float* first = in + (y0 * args.w + x0) * args.c;  // pad <= k / 2: one tap at least lies inside
      for (int64_t c = 0; c < args.c; ++c) best[c] = first[c];
      for (int64_t y = y0; y < y1; ++y)
        for (int64_t x = x0; x < x1; ++x) {
          const float* v = in + (y * args.w + x) * args.c;
          for (int64_t c = 0; c < args.c; ++c) best[c] = v[c] > best[c] ? v[c] : best[c];
        }
    }
}
}  // namespace
}  // namespace aoie
