// conv_f32 of one group with kLanes output channels per vector and kPixels positions of a row at once: each lane adds
// in the order of the reference. packed: f32 [o_pad / kLanes, k, k, c, kLanes].
#include "ops/kernels.h"

namespace aoie {
namespace {

struct Taps {  // of one axis that lie inside, and where the kernel begins
  int64_t begin, end, at;
};

inline Taps taps_inside(int64_t at, int64_t k, int64_t size) {
  return {at < 0 ? -at : 0, at + k > size ? size - at : k, at};
}

// kCount neighbouring positions whose windows have the same taps inside.
template <int kCount>
inline void positions(const OpArgs& args, int64_t width, const Taps& rows, const Taps& columns, float* out) {
  const auto* in = static_cast<const float*>(args.in0);
  const int64_t step = args.s * args.c;
  for (int64_t o = 0; o < args.o; o += kLanes) {
    const float* packed = static_cast<const float*>(args.packed) + o * args.k * args.k * args.c;
    Vf sum[kCount];
    for (int i = 0; i < kCount; ++i) sum[i] = vf_load(args.a + o);
    for (int64_t ky = rows.begin; ky < rows.end; ++ky)
      for (int64_t kx = columns.begin; kx < columns.end; ++kx) {
        const float* x = in + ((rows.at + ky) * width + columns.at + kx) * args.c;
        const float* weight = packed + (ky * args.k + kx) * args.c * kLanes;
        for (int64_t c = 0; c < args.c; ++c, weight += kLanes) {
          const Vf w = vf_load(weight);
          for (int i = 0; i < kCount; ++i) sum[i] = vf_add(sum[i], vf_mul(w, vf_all(x[i * step + c])));
        }
      }
    const int64_t left = args.o - o;
    for (int i = 0; i < kCount; ++i) vf_store(out + i * args.o + o, sum[i], left < kLanes ? left : kLanes);
  }
}

void conv_f32(const OpArgs& args) {
  auto* out = static_cast<float*>(args.out);
  const bool flat = args.k == 1 && args.s == 1;  // all positions are alike: one long row
  const int64_t h = flat ? 1 : args.h, w = flat ? args.h * args.w : args.w;
  const int64_t oh = flat ? 1 : args.oh, ow = flat ? args.oh * args.ow : args.ow;
  for (int64_t oy = 0; oy < oh; ++oy) {
    const Taps rows = taps_inside(oy * args.s - args.pad, args.k, h);
    for (int64_t ox = 0; ox < ow;) {
      const int64_t at = ox * args.s - args.pad, last = at + (kPixels - 1) * args.s + args.k;
      const Taps columns = taps_inside(at, args.k, w);
      float* to = out + (oy * ow + ox) * args.o;
      if (at >= 0 && ox + kPixels <= ow && last <= w) {
        positions<kPixels>(args, w, rows, columns, to);
        ox += kPixels;
      } else {
        positions<1>(args, w, rows, columns, to);
        ox += 1;
      }
    }
  }
}

}  // namespace
}  // namespace aoie
