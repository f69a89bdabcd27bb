// conv_int: i8 [h, w, c] -> f32 [oh, ow, o]; weight i16 [o, k, k, c], a = scale, b = bias.
#include "ops/kernels.h"

namespace aoie {
void conv_int_reference(const OpArgs& args) {
  const auto* in = static_cast<const int8_t*>(args.in0);
  const auto* weight = static_cast<const int16_t*>(args.weight);
  auto* out = static_cast<float*>(args.out);
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy)
    for (int64_t ox = args.skip_left; ox < args.ow - args.skip_right; ++ox)
      for (int64_t o = 0; o < args.o; ++o) {
        int32_t sum = 0;
        for (int64_t ky = 0; ky < args.k; ++ky)
          for (int64_t kx = 0; kx < args.k; ++kx) {
            const int64_t y = oy * args.s - args.pad + ky, x = ox * args.s - args.pad + kx;
            if (y < 0 || y >= args.h || x < 0 || x >= args.w) continue;
            for (int64_t c = 0; c < args.c; ++c)
              sum += int32_t{in[(y * args.w + x) * args.c + c]} *
                     int32_t{weight[((o * args.k + ky) * args.k + kx) * args.c + c]};
          }
        const float product = static_cast<float>(sum) * args.a[o];
        out[(oy * args.ow + ox) * args.o + o] = product + args.b[o];
      }
}
}  // namespace aoie
