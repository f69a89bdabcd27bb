// thermometer: u8 [h, w, c] -> bits [1, h, w, p64]; channel 32 col + k is ((u + 4) / 8 > k).
#include "ops/kernels.h"

namespace aoie {
void thermometer_reference(const OpArgs& args) {
  const auto* in = static_cast<const uint8_t*>(args.in0);
  auto* out = static_cast<uint64_t*>(args.out);
  const int64_t words = (args.c * 32 + 63) / 64;
  for (int64_t i = 0; i < args.h * args.w; ++i) {
    for (int64_t word = 0; word < words; ++word) out[i * words + word] = 0;
    for (int64_t col = 0; col < args.c; ++col) {
      const int count = (in[i * args.c + col] + 4) / 8;
      const uint64_t bits = (uint64_t{1} << count) - 1;
      out[i * words + col / 2] |= bits << (32 * (col % 2));
    }
  }
}
}  // namespace aoie
