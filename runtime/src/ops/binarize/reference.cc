// binarize: f32 [h, w, c] -> bits [j, h, w, p64]; a = threshold [j, c padded], flip u8 [j, c].
#include "ops/kernels.h"

namespace aoie {
void binarize_reference(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<uint64_t*>(args.out);
  const int64_t words = (args.c + 63) / 64, positions = args.h * args.w;
  const int64_t c_pad = (args.c + kPad - 1) / kPad * kPad;
  for (int64_t j = 0; j < args.j; ++j)
    for (int64_t i = args.skip_top * args.w; i < positions - args.skip_bottom * args.w; ++i)
      for (int64_t word = 0; word < words; ++word) {
        uint64_t bits = 0;
        for (int64_t c = word * 64; c < args.c && c < word * 64 + 64; ++c) {
          const float x = in[i * args.c + c], t = args.a[j * c_pad + c];
          const bool high = args.flip[j * args.c + c] ? x <= t : x >= t;
          bits |= static_cast<uint64_t>(high) << (c % 64);
        }
        out[(j * args.out_rows * args.w + i) * words + word] = bits;
      }
}
}  // namespace aoie
