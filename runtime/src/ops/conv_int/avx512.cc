// 16 output channels per vector, vpdpwssd. kVecs vectors of channels x kCount positions are summed at a time, so that a
// pair of weights and a pair of pixels are loaded once for several sums: otherwise loads are what takes the time.
#include <string.h>

#include "ops/tail/avx512_floats.inl"

namespace aoie {
namespace {
using Vi = __m512i;
inline Vf vf_affine(Vi sum, const float* scale, const float* bias) {
  return _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(scale)), _mm512_loadu_ps(bias));
}
}  // namespace
}  // namespace aoie

#define AOIE_TAIL "ops/tail/avx512.inl"
#include AOIE_TAIL
#include "ops/conv_int/widen.inl"

#define AOIE_UNROLL _Pragma("GCC unroll 16")

namespace aoie {
namespace {

struct Line {
  const OpArgs& args;
  const Finish& finish;
  const int16_t* rows;
  int64_t pitch, pairs, at_out;
};

// kCount positions from ox on, kVecs vectors of output channels from o on.
template <int kVecs, int kCount>
__attribute__((noinline)) void positions(const Line& line, int64_t ox, int64_t o) {
  const OpArgs& args = line.args;
  const int64_t step = args.s * args.c, block = args.k * line.pairs * 2 * kLanes;
  const int16_t* weight = static_cast<const int16_t*>(args.packed) + o / kLanes * block;
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) expect<kCount>(line.finish, line.at_out + ox, o + v * kLanes);
  Vi sum[kVecs][kCount];
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) sum[v][i] =
      _mm512_setzero_si512();
  for (int64_t ky = 0; ky < args.k; ++ky) {
    const int16_t* at = line.rows + ky * line.pitch + ox * step;
    for (int64_t pair = 0; pair < line.pairs; ++pair, weight += 2 * kLanes, at += 2) {
      Vi taps[kVecs];
      AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
        taps[v] = _mm512_loadu_si512(weight + v * block);
        asm("" : "+v"(taps[v]));  // one load, not one for each position
      }
      AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
        int32_t both;
        memcpy(&both, at + i * step, 4);
        const Vi x = _mm512_set1_epi32(both);
        // In place by force: the intrinsic is moved to another register and back, and spills (GCC 12).
        AOIE_UNROLL for (int v = 0; v < kVecs; ++v) asm("vpdpwssd %2, %1, %0" : "+v"(sum[v][i]) : "v"(taps[v]), "v"(x));
      }
    }
  }
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
    const int64_t first = o + v * kLanes, left = args.o - first;
    Vf y[kCount];
    AOIE_UNROLL for (int i = 0; i < kCount; ++i) y[i] = vf_affine(sum[v][i], args.a + first, args.b + first);
    finish<kCount>(line.finish, line.at_out + ox, first, left < kLanes ? left : kLanes, y);
  }
}

template <int kCount>
void channels(const Line& line, int64_t ox) {
  int64_t o = 0;
  for (; o + 4 * kLanes <= line.args.o_pad; o += 4 * kLanes) positions<4, kCount>(line, ox, o);
  for (; o < line.args.o_pad; o += kLanes) positions<1, kCount>(line, ox, o);
}

}  // namespace

void conv_int_avx512(const OpArgs& args) {
  auto* rows = static_cast<int16_t*>(args.scratch);
  const Finish finish(args);
  Line line{args, finish, rows, (args.w + 2 * args.pad) * args.c + 2, (args.k * args.c + 1) / 2, 0};
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy) {
    for (int64_t ky = 0; ky < args.k; ++ky) widen_row(args, oy * args.s - args.pad + ky, rows + ky * line.pitch);
    line.at_out = oy * args.ow;
    clear_bits(args, line.at_out);
    int64_t ox = 0;
    for (; ox + 4 <= args.ow; ox += 4) channels<4>(line, ox);
    for (; ox < args.ow; ++ox) channels<1>(line, ox);
  }
}
}  // namespace aoie
