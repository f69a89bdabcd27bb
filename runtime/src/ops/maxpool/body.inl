// A block of channels stays in registers over all taps.
#include "ops/kernels.h"

namespace aoie {
namespace {

constexpr int64_t kBlock = 32;

inline float larger(float v, float best) { return v > best ? v : best; }

void maxpool(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* to = static_cast<float*>(args.out);
  for (int64_t oy = 0; oy < args.oh; ++oy)
    for (int64_t ox = 0; ox < args.ow; ++ox, to += args.c) {
      const int64_t top = oy * args.s - args.pad, left = ox * args.s - args.pad;
      const int64_t y0 = top < 0 ? 0 : top, y1 = top + args.k < args.h ? top + args.k : args.h;
      const int64_t x0 = left < 0 ? 0 : left, x1 = left + args.k < args.w ? left + args.k : args.w;
      const float* first = in + (y0 * args.w + x0) * args.c;  // pad <= k / 2: one tap at least lies inside
      int64_t c = 0;
      for (; c + kBlock <= args.c; c += kBlock) {
        float best[kBlock];
        for (int64_t i = 0; i < kBlock; ++i) best[i] = first[c + i];
        for (int64_t y = y0; y < y1; ++y)
          for (int64_t x = x0; x < x1; ++x) {
            const float* v = in + (y * args.w + x) * args.c + c;
            for (int64_t i = 0; i < kBlock; ++i) best[i] = larger(v[i], best[i]);
          }
        for (int64_t i = 0; i < kBlock; ++i) to[c + i] = best[i];
      }
      for (; c < args.c; ++c) {
        float best = first[c];
        for (int64_t y = y0; y < y1; ++y)
          for (int64_t x = x0; x < x1; ++x) best = larger(in[(y * args.w + x) * args.c + c], best);
        to[c] = best;
      }
    }
}

}  // namespace
}  // namespace aoie
