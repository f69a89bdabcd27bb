// conv_int with kLanes output channels per vector. The k input rows of one output row are widened to i16 once, with
// zeros where the padding is; a kernel row is then k * c neighbouring numbers, taken two at a time by
// multiply-add-pairs. packed: i16 [o_pad / kLanes, k, pairs, kLanes, 2]. scratch: i16 [k, (w + 2 pad) * c + 2]. The
// pair sums are exact: |i8| <= 128 and the file proves sum |weight| * 128 < 2^31.
#include "ops/conv_int/widen.inl"
#include "ops/kernels.h"
#include AOIE_TAIL  // of the unit that includes this

namespace aoie {
namespace {

constexpr int kPixels = 4;

template <int kCount>
inline void pixels(const OpArgs& args, const Finish& tail, const int16_t* rows, int64_t pitch, int64_t pairs,
                   int64_t ox, int64_t at_out) {
  const int64_t step = args.s * args.c;
  for (int64_t o = 0; o < args.o; o += kLanes) {
    const int16_t* weight = static_cast<const int16_t*>(args.packed) + o * args.k * pairs * 2;
    Vi sum[kCount];
    for (int i = 0; i < kCount; ++i) sum[i] = vi_zero();
    for (int64_t ky = 0; ky < args.k; ++ky) {
      const int16_t* row = rows + ky * pitch + ox * step;
      for (int64_t pair = 0; pair < pairs; ++pair, weight += 2 * kLanes) {
        const Vi both = vi_load(weight);
        for (int i = 0; i < kCount; ++i) sum[i] = vi_madd(sum[i], both, row + i * step + 2 * pair);
      }
    }
    const int64_t left = args.o - o;
    Vf y[kCount];
    for (int i = 0; i < kCount; ++i) y[i] = vf_affine(sum[i], args.a + o, args.b + o);
    finish<kCount>(tail, at_out, o, left < kLanes ? left : kLanes, y);
  }
}

void conv_int(const OpArgs& args) {
  const int64_t pitch = (args.w + 2 * args.pad) * args.c + 2;
  const int64_t pairs = (args.k * args.c + 1) / 2;
  auto* rows = static_cast<int16_t*>(args.scratch);
  const Finish tail(args);
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy) {
    for (int64_t ky = 0; ky < args.k; ++ky) widen_row(args, oy * args.s - args.pad + ky, rows + ky * pitch);
    const int64_t out = oy * args.ow;
    clear_bits(args, out);
    const int64_t end = args.ow - args.skip_right;
    int64_t ox = args.skip_left;
    for (; ox + kPixels <= end; ox += kPixels) pixels<kPixels>(args, tail, rows, pitch, pairs, ox, out + ox);
    for (; ox < end; ++ox) pixels<1>(args, tail, rows, pitch, pairs, ox, out + ox);
  }
}

}  // namespace
}  // namespace aoie
