// thermometer: u8 [h, w, c] -> bits [1, h, w, p64]; channel 32 col + k is ((u + 4) / 8 > k).
#include "ops/kernels.h"

namespace aoie {
void thermometer_reference(const OpArgs& args) {
  const auto* in = static_cast<const uint8_t*>(args.in0);
  auto* out = static_cast<uint64_t*>(args.out);
  const int64_t colours = args.c, positions = args.h * args.w;
  for (int64_t i = 0; i < positions; ++i)
    for (int64_t col = 0; col < colours; col += 2) {  // two colours fill a word
      const auto bits = [&](int64_t of) { return (uint64_t{1} << ((in[i * colours + of] + 4) / 8)) - 1; };
      *out++ = col + 1 < colours ? bits(col) | bits(col + 1) << 32 : bits(col);
    }
}
}  // namespace aoie
