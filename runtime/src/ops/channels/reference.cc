// channels: f32 [h, w, c] -> f32 [h, w, o]; `before` zeros, `taken` channels beginning with `from`, zeros up to o.
#include "ops/kernels.h"

namespace aoie {
void channels_reference(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<float*>(args.out);
  for (int64_t i = 0; i < args.h * args.w; ++i, in += args.c, out += args.o) {
    for (int64_t c = 0; c < args.before; ++c) out[c] = 0.0f;
    for (int64_t c = 0; c < args.taken; ++c) out[args.before + c] = in[args.from + c];
    for (int64_t c = args.before + args.taken; c < args.o; ++c) out[c] = 0.0f;
  }
}
}  // namespace aoie
