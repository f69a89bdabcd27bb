// conv_bits with kLanes output channels per vector and 32-bit words: a word of the picture is broadcast, ANDed with the
// words of kLanes output channels, counted, and added to accumulators that stay in registers for kPixels positions at
// once. The k input rows of one output row are copied once, with zeros where the padding is, so that no tap asks where
// it is. packed: u32 [o_pad / kLanes, k, kw, words, kLanes], words = ceil(c / 32). scratch: u32 [j, k, w + 2 pad_w,
// words].
#include "ops/conv_bits/border.h"
#include "ops/kernels.h"
#include AOIE_TAIL  // of the unit that includes this

namespace aoie {
namespace {

void copy_row(const OpArgs& args, int64_t j, int64_t y, int64_t words, uint32_t* __restrict to) {
  const int64_t edge = args.pad_w * words, width = args.w * words;
  for (int64_t i = 0; i < edge; ++i) to[i] = to[edge + width + i] = 0;
  to += edge;
  if (y < 0 || y >= args.h) {
    for (int64_t i = 0; i < width; ++i) to[i] = 0;
    return;
  }
  const auto* row = reinterpret_cast<const unsigned char*>(static_cast<const uint64_t*>(args.in0) +
                                                           (j * args.in_rows + y) * args.w * args.p64);
  if (words == 2 * args.p64) {
    __builtin_memcpy(to, row, static_cast<uint64_t>(width) * 4);
    return;
  }
  for (int64_t x = 0; x < args.w; ++x)
    __builtin_memcpy(to + x * words, row + x * args.p64 * 8, static_cast<uint64_t>(words) * 4);
}

inline int32_t popcount(const uint32_t* at, int64_t words) {
  int64_t count = 0;
  for (; words >= 2; words -= 2, at += 2) {
    uint64_t both;
    __builtin_memcpy(&both, at, 8);
    count += __builtin_popcountll(both);
  }
  return static_cast<int32_t>(words == 0 ? count : count + __builtin_popcount(*at));
}

// rho of kCount neighbouring positions: columns of the picture are counted once and shared by the windows over them.
template <int kH, int kW, int kPlanes, int kCount>
inline void bits_below(const OpArgs& args, const uint32_t* at, int64_t pitch, int64_t words, float* rho) {
  const int64_t s = args.s;
  float planes[kPlanes][kCount];
  for (int j = 0; j < kPlanes; ++j) {
    int32_t columns[(kCount - 1) * 2 + kW];
    for (int64_t x = 0; x < (kCount - 1) * s + kW; ++x) {
      columns[x] = 0;
      for (int ky = 0; ky < kH; ++ky) columns[x] += popcount(at + (j * kH + ky) * pitch + x * words, words);
    }
    for (int i = 0; i < kCount; ++i) {
      int32_t count = 0;
      for (int kx = 0; kx < kW; ++kx) count += columns[i * s + kx];
      planes[j][i] = args.plane_scale[j] * static_cast<float>(count);
    }
  }
  for (int i = 0; i < kCount; ++i) rho[i] = kPlanes == 1 ? planes[0][i] : planes[0][i] + planes[kPlanes - 1][i];
}

// The AND-popcounts of kCount neighbouring positions; kernel size, planes and words (0: any) are known to the compiler.
template <int kH, int kW, int kPlanes, int kCount, int kWords>
inline void positions(const OpArgs& args, const Finish& tail, const uint32_t* rows, int64_t pitch, int64_t any_words,
                      int64_t ox, const float* top_h, int64_t at_out) {
  const int64_t words = kWords == 0 ? any_words : kWords, step = args.s * words,
                run = kW * words;  // a kernel row is run neighbouring words
  const uint32_t* at = rows + ox * step;
  float rho[kCount];
  bits_below<kH, kW, kPlanes, kCount>(args, at, pitch, words, rho);
  for (int64_t o = args.skip_first; o < args.o - args.skip_last; o += kLanes) {
    const uint32_t* weight = static_cast<const uint32_t*>(args.packed) + o * kH * run;
    Count<kCount * kPlanes> count;
    for (int ky = 0; ky < kH; ++ky)
      for (int64_t word = 0; word < run; ++word, weight += kLanes) {
        const Vi taps = vi_load(weight);
        for (int j = 0; j < kPlanes; ++j) {
          const uint32_t* row = at + (j * kH + ky) * pitch + word;
          for (int i = 0; i < kCount; ++i) count.add(i * kPlanes + j, taps, row + i * step);
        }
        count.next();
      }
    count.finish();
    const int64_t left = args.o - o;
    Vf y[kCount];
    for (int i = 0; i < kCount; ++i) {
      Vf c = vf_scaled(args.plane_scale[0], count.total[i * kPlanes]);
      if (kPlanes == 2) c = vf_add(c, vf_scaled(args.plane_scale[1], count.total[i * kPlanes + kPlanes - 1]));
      const float* h = top_h + border_state((ox + i) * args.s - args.pad_w, kW, args.w) * args.o_pad;
      y[i] =
          vf_add(vf_add(vf_mul(vf_load(args.a + o), c), vf_mul(vf_load(args.b + o), vf_all(rho[i]))), vf_load(h + o));
    }
    finish<kCount>(tail, at_out, o, left < kLanes ? left : kLanes, y);
  }
}

template <int kH, int kW, int kPlanes, int kWords>
void conv_bits_of(const OpArgs& args) {
  const int64_t words = (args.c + 31) / 32, pitch = (args.w + 2 * args.pad_w) * words;
  auto* rows = static_cast<uint32_t*>(args.scratch);
  const Finish tail(args);
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy) {
    const int64_t top = oy * args.s - args.pad;
    for (int64_t j = 0; j < kPlanes; ++j)
      for (int64_t ky = 0; ky < kH; ++ky) copy_row(args, j, top + ky, words, rows + (j * kH + ky) * pitch);
    const float* h = args.d + border_state(top, kH, args.h) * 4 * args.o_pad;
    const int64_t out = oy * args.ow;
    clear_bits(args, out);
    const int64_t end = args.ow - args.skip_right;
    int64_t ox = args.skip_left;
    for (; ox + kPixels <= end; ox += kPixels)
      positions<kH, kW, kPlanes, kPixels, kWords>(args, tail, rows, pitch, words, ox, h, out + ox);
    for (; ox < end; ++ox) positions<kH, kW, kPlanes, 1, kWords>(args, tail, rows, pitch, words, ox, h, out + ox);
  }
}

template <int kH, int kW, int kWords>
void conv_bits_of_planes(const OpArgs& args) {
  args.j == 1 ? conv_bits_of<kH, kW, 1, kWords>(args) : conv_bits_of<kH, kW, 2, kWords>(args);
}

void conv_bits(const OpArgs& args) {
  if (args.k == 1)
    args.kw == 1 ? conv_bits_of_planes<1, 1, 0>(args) : conv_bits_of_planes<1, 3, 0>(args);
  else if (args.kw == 1)
    conv_bits_of_planes<3, 1, 0>(args);
  else if (args.c <= 64 && args.c > 32)
    conv_bits_of_planes<3, 3, 2>(args);
  else if (args.c <= 128 && args.c > 96)
    conv_bits_of_planes<3, 3, 4>(args);
  else
    conv_bits_of_planes<3, 3, 0>(args);
}

}  // namespace
}  // namespace aoie
