// center: u8 [h, w, c] -> i8 [h, w, c], u - 128.
#include "ops/kernels.h"

namespace aoie {
void center_reference(const OpArgs& args) {
  const auto* __restrict in = static_cast<const uint8_t*>(args.in0);
  auto* __restrict out = static_cast<int8_t*>(args.out);
  const int64_t count = args.h * args.w * args.c;  // a store of bytes could change args
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<int8_t>(in[i] - 128);
}
}  // namespace aoie
