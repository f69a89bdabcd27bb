#include "ops/kernels.h"

namespace aoie {
namespace {
void pool(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* to = static_cast<float*>(args.out);
  const int64_t kh = args.k == 0 ? args.h : args.k, kw = args.k == 0 ? args.w : args.k;
  const float factor = static_cast<float>(1.0 / static_cast<double>(kh * kw));
  for (int64_t oy = 0; oy < args.oh; ++oy)
    for (int64_t ox = 0; ox < args.ow; ++ox, to += args.c) {
      float* __restrict sum = to;
      for (int64_t y = 0; y < kh; ++y)
        for (int64_t x = 0; x < kw; ++x) {
          const float* v = in + ((oy * args.s + y) * args.w + ox * args.s + x) * args.c;
          if (y == 0 && x == 0)
            for (int64_t i = 0; i < args.c; ++i) sum[i] = v[i];
          else
            for (int64_t i = 0; i < args.c; ++i) sum[i] = sum[i] + v[i];
        }
      for (int64_t i = 0; i < args.c; ++i) sum[i] = sum[i] * factor;
    }
}
}  // namespace
}  // namespace aoie
