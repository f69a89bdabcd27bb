#include "ops/kernels.h"

namespace aoie {
namespace {
void mul(const OpArgs& args) {
  const auto *x = static_cast<const float*>(args.in0), *y = static_cast<const float*>(args.in1);
  auto* out = static_cast<float*>(args.out);  // may be x, or y when the shapes are equal
  const int64_t positions = args.h * args.w;
  if (args.positions1 == positions) {
    for (int64_t i = 0; i < positions * args.c; ++i) out[i] = x[i] * y[i];
    return;
  }
  for (int64_t i = 0; i < positions; ++i, x += args.c, out += args.c)
    for (int64_t c = 0; c < args.c; ++c) out[c] = x[c] * y[c];
}
}  // namespace
}  // namespace aoie
