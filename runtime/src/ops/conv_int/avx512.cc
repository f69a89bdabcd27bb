// 16 output channels per vector, vpdpwssd or, where the weights fit into bytes, vpdpbusd (packed.h). kVecs vectors of
// channels x kCount positions are summed at a time, so that a word of weights and a word of pixels are loaded once for
// several sums: otherwise loads are what takes the time.
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
#include "ops/conv_int/packed.h"
#include "ops/conv_int/widen.inl"

#define AOIE_UNROLL _Pragma("GCC unroll 16")

namespace aoie {
namespace {

struct Line {
  const OpArgs& args;
  const Finish& finish;
  const uint8_t* rows;
  int64_t pitch, step, words, at_out;  // bytes from row to row, and from position to position
};

// In place by force: the intrinsics are moved to another register and back, and spill (GCC 12).
template <IntForm kForm>
inline void multiply_add(Vi* sum, Vi weight, Vi x) {
  if constexpr (kForm == kQuads)
    asm("vpdpbusd %1, %2, %0" : "+v"(*sum) : "v"(weight), "v"(x));
  else
    asm("vpdpwssd %1, %2, %0" : "+v"(*sum) : "v"(weight), "v"(x));
}

// kCount positions from ox on, kVecs vectors of output channels from o on.
template <IntForm kForm, int kVecs, int kCount>
__attribute__((noinline)) void positions(const Line& line, int64_t ox, int64_t o) {
  const OpArgs& args = line.args;
  const int64_t block = args.k * line.words * kLanes;
  const auto* packed = static_cast<const uint32_t*>(args.packed) + kIntHead;
  const uint32_t* weight = packed + args.o_pad + o / kLanes * block;
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) expect<kCount>(line.finish, line.at_out + ox, o + v * kLanes);
  Vi sum[kVecs][kCount];
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) sum[v][i] =
      _mm512_loadu_si512(packed + o + v * kLanes);
  for (int64_t ky = 0; ky < args.k; ++ky) {
    const uint8_t* at = line.rows + ky * line.pitch + ox * line.step;
    for (int64_t word = 0; word < line.words; ++word, weight += kLanes, at += 4) {
      Vi taps[kVecs];
      AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
        taps[v] = _mm512_loadu_si512(weight + v * block);
        asm("" : "+v"(taps[v]));  // one load, not one for each position
      }
      AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
        int32_t pixels;
        memcpy(&pixels, at + i * line.step, 4);
        const Vi x = _mm512_set1_epi32(pixels);
        AOIE_UNROLL for (int v = 0; v < kVecs; ++v) multiply_add<kForm>(&sum[v][i], taps[v], x);
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

template <IntForm kForm, int kCount>
void channels(const Line& line, int64_t ox) {
  int64_t o = 0;
  for (; o + 4 * kLanes <= line.args.o_pad; o += 4 * kLanes) positions<kForm, 4, kCount>(line, ox, o);
  for (; o + 2 * kLanes <= line.args.o_pad; o += 2 * kLanes) positions<kForm, 2, kCount>(line, ox, o);
  for (; o < line.args.o_pad; o += kLanes) positions<kForm, 1, kCount>(line, ox, o);
}

// An input row that counts from -128, with what stands for 0 where the padding is and behind the end.
void lift_row(const OpArgs& args, int64_t y, uint8_t* __restrict to) {
  const int64_t edge = args.pad * args.c, width = args.w * args.c;
  const bool inside = y >= 0 && y < args.h;
  memset(to, 128, static_cast<size_t>(inside ? edge : edge + width));
  memset(to + edge + width, 128, static_cast<size_t>(edge + 4));
  if (!inside) return;
  const uint8_t* __restrict row = static_cast<const uint8_t*>(args.in0) + y * width;
  for (int64_t i = 0; i < width; ++i) to[edge + i] = row[i] ^ 128;
}

template <IntForm kForm>
void conv_int_as(const OpArgs& args) {
  auto* rows = static_cast<uint8_t*>(args.scratch);
  const Finish finish(args);
  const int64_t bytes = 4 / in_word(kForm), per_word = in_word(kForm);
  Line line{args,
            finish,
            rows,
            ((args.w + 2 * args.pad) * args.c) * bytes + 4,
            args.s * args.c * bytes,
            (args.k * args.c + per_word - 1) / per_word,
            0};
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy) {
    for (int64_t ky = 0; ky < args.k; ++ky) {
      const int64_t y = oy * args.s - args.pad + ky;
      if constexpr (kForm == kQuads)
        lift_row(args, y, rows + ky * line.pitch);
      else
        widen_row(args, y, reinterpret_cast<int16_t*>(rows + ky * line.pitch));
    }
    line.at_out = oy * args.ow;
    clear_bits(args, line.at_out);
    const int64_t end = args.ow - args.skip_right;
    int64_t ox = args.skip_left;
    for (; ox + 4 <= end; ox += 4) channels<kForm, 4>(line, ox);
    for (; ox < end; ++ox) channels<kForm, 1>(line, ox);
  }
}

}  // namespace

void conv_int_avx512(const OpArgs& args) {
  const auto form = static_cast<const uint32_t*>(args.packed)[0];
  form == kQuads ? conv_int_as<kQuads>(args) : conv_int_as<kPairs>(args);
}
}  // namespace aoie
