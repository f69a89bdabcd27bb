#include "ops/kernels.h"

namespace aoie {
namespace {
void clip(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<float*>(args.out);  // may be in itself
  const float low = args.low, high = args.high;
  for (int64_t i = 0; i < args.h * args.w * args.c; ++i) {
    const float v = in[i], below = v > high ? high : v;
    out[i] = v < low ? low : below;
  }
}
}  // namespace
}  // namespace aoie
