// conv_f32: f32 [h, w, c] -> f32 [oh, ow, o]; weight f32 [o, k, k, c / groups], a = bias. One sum per output: tap rows,
// tap columns, channels of the group; taps outside are skipped.
#include "ops/kernels.h"

namespace aoie {
void conv_f32_reference(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  const auto* weight = static_cast<const float*>(args.weight);
  auto* out = static_cast<float*>(args.out);
  const int64_t inputs = args.c / args.groups, outputs = args.o / args.groups;  // of a group
  for (int64_t oy = 0; oy < args.oh; ++oy)
    for (int64_t ox = 0; ox < args.ow; ++ox, out += args.o)
      for (int64_t o = 0; o < args.o; ++o) {
        const int64_t first = o / outputs * inputs;
        float sum = args.a[o];
        for (int64_t ky = 0; ky < args.k; ++ky)
          for (int64_t kx = 0; kx < args.k; ++kx) {
            const int64_t y = oy * args.s - args.pad + ky, x = ox * args.s - args.pad + kx;
            if (y < 0 || y >= args.h || x < 0 || x >= args.w) continue;
            const float* from = in + (y * args.w + x) * args.c + first;
            const float* taps = weight + ((o * args.k + ky) * args.k + kx) * inputs;
            for (int64_t c = 0; c < inputs; ++c) sum = sum + taps[c] * from[c];
          }
        out[o] = sum;
      }
}
}  // namespace aoie
