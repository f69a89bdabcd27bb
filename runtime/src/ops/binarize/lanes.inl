// binarize with compare masks: both comparisons of kLanes channels, then the flipped channels take the second.
// flip_bits: u64 [j, words], bit c = flip of channel c.
#include "ops/kernels.h"

namespace aoie {
namespace {

inline uint64_t select(uint64_t at_least, uint64_t at_most, uint64_t flip) {
  return at_least ^ ((at_least ^ at_most) & flip);
}

void binarize(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<uint64_t*>(args.out);
  const int64_t words = (args.c + 63) / 64, positions = args.h * args.w;
  const int64_t c_pad = (args.c + kPad - 1) / kPad * kPad;
  for (int64_t i = args.skip_top * args.w; i < positions - args.skip_bottom * args.w; ++i)
    for (int64_t j = 0; j < args.j; ++j) {
      const float *x = in + i * args.c, *t = args.a + j * c_pad;
      for (int64_t word = 0; word < words; ++word) {
        const int64_t begin = word * 64, end = begin + 64 < args.c ? begin + 64 : args.c;
        uint64_t at_least = 0, at_most = 0;
        for (int64_t c = begin; c < end; c += kLanes)
          compare(x + c, t + c, end - c < kLanes ? end - c : kLanes, c - begin, &at_least, &at_most);
        out[(j * args.out_rows * args.w + i) * words + word] =
            select(at_least, at_most, args.flip_bits[j * words + word]);
      }
    }
}

}  // namespace
}  // namespace aoie
