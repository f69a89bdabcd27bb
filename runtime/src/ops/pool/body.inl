// kCount channels stay in registers over the window; the order of the additions is that of docs/format.md.
#include "ops/kernels.h"

namespace aoie {
namespace {

constexpr int64_t kBlock = 32;

template <int64_t kCount>
inline void mean(const OpArgs& args, int64_t kh, int64_t kw, const float* window, float factor, float* to) {
  float sum[kCount];
  for (int64_t i = 0; i < kCount; ++i) sum[i] = window[i];
  for (int64_t y = 0; y < kh; ++y)
    for (int64_t x = y == 0 ? 1 : 0; x < kw; ++x) {
      const float* v = window + (y * args.w + x) * args.c;
      for (int64_t i = 0; i < kCount; ++i) sum[i] = sum[i] + v[i];
    }
  for (int64_t i = 0; i < kCount; ++i) to[i] = sum[i] * factor;
}

void pool(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* to = static_cast<float*>(args.out);
  const int64_t kh = args.k == 0 ? args.h : args.k, kw = args.k == 0 ? args.w : args.k;
  const float factor = static_cast<float>(1.0 / static_cast<double>(kh * kw));
  for (int64_t oy = 0; oy < args.oh; ++oy)
    for (int64_t ox = 0; ox < args.ow; ++ox, to += args.c) {
      const float* window = in + (oy * args.s * args.w + ox * args.s) * args.c;
      int64_t c = 0;
      for (; c + kBlock <= args.c; c += kBlock) mean<kBlock>(args, kh, kw, window + c, factor, to + c);
      for (; c < args.c; ++c) mean<1>(args, kh, kw, window + c, factor, to + c);
    }
}

}  // namespace
}  // namespace aoie
