// peak: vec [h, w, c] -> vec [oh, ow, c]; per channel the largest of k x k decisions, every s. The grid is small: no
// other kernel is needed.
#include "ops/kernels.h"

namespace aoie {
void peak_reference(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* best = static_cast<float*>(args.out);
  for (int64_t oy = 0; oy < args.oh; ++oy)
    for (int64_t ox = 0; ox < args.ow; ++ox, best += args.c)
      for (int64_t y = 0; y < args.k; ++y)
        for (int64_t x = 0; x < args.k; ++x) {
          const float* v = in + ((oy * args.s + y) * args.w + ox * args.s + x) * args.c;
          for (int64_t i = 0; i < args.c; ++i) best[i] = (y == 0 && x == 0) || v[i] > best[i] ? v[i] : best[i];
        }
}
}  // namespace aoie
