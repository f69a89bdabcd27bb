// kCount channels stay in registers over all taps.
#include "ops/kernels.h"

namespace aoie {
namespace {

constexpr int64_t kBlock = 32;

struct Taps {
  const OpArgs& args;
  int64_t y0, y1, x0, x1;  // inside of the map
};

template <int64_t kCount>
inline void largest(const Taps& taps, int64_t c, float* to) {
  const OpArgs& args = taps.args;
  const float* in = static_cast<const float*>(args.in0) + c;
  const float* first = in + (taps.y0 * args.w + taps.x0) * args.c;  // pad <= k / 2: one tap at least lies inside
  float best[kCount];
  for (int64_t i = 0; i < kCount; ++i) best[i] = first[i];
  for (int64_t y = taps.y0; y < taps.y1; ++y)
    for (int64_t x = taps.x0; x < taps.x1; ++x) {
      const float* v = in + (y * args.w + x) * args.c;
      for (int64_t i = 0; i < kCount; ++i) best[i] = v[i] > best[i] ? v[i] : best[i];
    }
  for (int64_t i = 0; i < kCount; ++i) to[c + i] = best[i];
}

void maxpool(const OpArgs& args) {
  auto* to = static_cast<float*>(args.out) + args.skip_top * args.ow * args.c;
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy)
    for (int64_t ox = 0; ox < args.ow; ++ox, to += args.c) {
      const int64_t top = oy * args.s - args.pad, left = ox * args.s - args.pad;
      const Taps taps{args, top < 0 ? 0 : top, top + args.k < args.h ? top + args.k : args.h, left < 0 ? 0 : left,
                      left + args.k < args.w ? left + args.k : args.w};
      int64_t c = 0;
      for (; c + kBlock <= args.c; c += kBlock) largest<kBlock>(taps, c, to);
      for (; c < args.c; ++c) largest<1>(taps, c, to);
    }
}

}  // namespace
}  // namespace aoie
