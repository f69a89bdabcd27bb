// conv_bits: bits [j, h, w, p64] -> f32 [oh, ow, o]; weight u64 [o, k, kw, p64], plane_scale [j], a = e, b = f,
// d = h [classes, o_pad]. Plain loops over docs/format.md.
#include "ops/kernels.h"

namespace aoie {
namespace {

int64_t popcount(uint64_t word) { return __builtin_popcountll(word); }

// full, first (tap 0 outside), last (tap 2 outside), only; an axis of one tap is always full
int64_t border_state(int64_t at, int64_t taps, int64_t size) {
  return taps == 1 ? 0 : (at < 0 ? 1 : 0) + (at + taps > size ? 2 : 0);
}

}  // namespace

void conv_bits_reference(const OpArgs& args) {
  const auto* in = static_cast<const uint64_t*>(args.in0);
  const auto* weight = static_cast<const uint64_t*>(args.weight);
  auto* out = static_cast<float*>(args.out);
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy)
    for (int64_t ox = args.skip_left; ox < args.ow - args.skip_right; ++ox) {
      const int64_t top = oy * args.s - args.pad, left = ox * args.s - args.pad_w;
      const int64_t border = border_state(top, args.k, args.h) * 4 + border_state(left, args.kw, args.w);
      for (int64_t o = args.skip_first; o < args.o - args.skip_last; ++o) {
        float c = 0, r = 0;
        for (int64_t j = 0; j < args.j; ++j) {
          int64_t pc = 0, rho = 0;
          for (int64_t ky = 0; ky < args.k; ++ky)
            for (int64_t kx = 0; kx < args.kw; ++kx) {
              const int64_t y = top + ky, x = left + kx;
              if (y < 0 || y >= args.h || x < 0 || x >= args.w) continue;
              const uint64_t* bits = in + ((j * args.in_rows + y) * args.w + x) * args.p64;
              const uint64_t* taps = weight + ((o * args.k + ky) * args.kw + kx) * args.p64;
              for (int64_t word = 0; word < args.p64; ++word) {
                pc += popcount(bits[word] & taps[word]);
                rho += popcount(bits[word]);
              }
            }
          const float c_j = args.plane_scale[j] * static_cast<float>(pc);
          const float r_j = args.plane_scale[j] * static_cast<float>(rho);
          c = j == 0 ? c_j : c + c_j;
          r = j == 0 ? r_j : r + r_j;
        }
        const float products = (args.a[o] * c) + (args.b[o] * r);
        out[(oy * args.ow + ox) * args.o + o] = products + args.d[border * args.o_pad + o];
      }
    }
}
}  // namespace aoie
