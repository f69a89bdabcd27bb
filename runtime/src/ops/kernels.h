// The contract of all kernels: one argument struct, one function per op and instruction set (kernels.inc).
// This header is included by units with special target flags: no inline functions, no standard library beyond
// <stdint.h>.
#ifndef AOIENET_OPS_KERNELS_H_
#define AOIENET_OPS_KERNELS_H_

#include <stdint.h>

// -ffast-math reorders, and x87 registers (32-bit x86) round late: other bits, without a word.
#if defined(__FAST_MATH__) || (defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16)
#error "every float operation is rounded once, as written: compile without -ffast-math; 32-bit x86: -msse2 -mfpmath=sse"
#endif

namespace aoie {

constexpr int kWord = 64;  // channels in a word of bits
constexpr int kPad = 16;   // constants that run over channels are padded with 0 to a multiple of this

// What a convolution does with its value before it leaves the registers (fuse.cc): add, slopes, binarize, in that
// order.
struct Tail {
  const float* add;                                       // f32 [oh, ow, add_channels], NULL: none; may be out itself
  int64_t add_channels;                                   // o, or o / 2 (a multiple of kPad): both halves add the same
  const float *pos, *pos_shift, *neg, *neg_shift, *knee;  // slopes, padded; knee NULL: none
  float* out;                                             // f32 [oh, ow, o], NULL: nobody reads it
  uint64_t* bits;                                         // [planes, plane_rows, ow, words], NULL: none
  int64_t planes, plane_rows;
  const float* threshold;     // [planes, o_pad]
  const uint64_t* flip_bits;  // [planes, words]
};

// Everything is dense but planes in strips; input, output and scratch do not overlap except where a kernel says so.
struct OpArgs {
  const void* in0;
  const void* in1;
  void* out;
  void* scratch;                  // 64-byte aligned, scratch_bytes(op) of plan.cc
  int64_t j, h, w, c, p64;        // input 0: planes, height, width, channels, 64-bit words per position
  int64_t in_rows, out_rows;      // rows from a plane of bits to the next; h and oh, or fewer in strips (strips.h)
  int64_t c1, positions1;         // input 1: channels, h * w
  int64_t oh, ow, o;              // output: height, width, channels
  int64_t o_pad;                  // o rounded up to kPad
  int64_t k, s, pad;              // kernel and padding of rows, stride; pool: k = window (0 = whole map), s = stride
  int64_t kw, pad_w;              // kernel and padding of columns
  int64_t groups;                 // conv_f32
  const void* weight;             // as in the file
  const void* packed;             // as the kernel's instruction set wants it, see pack.cc
  const float *a, *b, *d, *e;     // per-channel constants, padded (which: see each op's reference.cc)
  const float* knee;              // slopes, padded
  const float* plane_scale;       // conv_bits: [J]
  const uint8_t* flip;            // binarize: [J, C] of the file
  const uint64_t* flip_bits;      // binarize: [J, p64] packed
  int64_t window;                 // standardize: window_px
  double eps_levels, scale;       // standardize
  int64_t from, taken, before;    // channels: first and count of the channels taken, channels of 0 in front
  float low, high;                // clip
  int64_t skip_top, skip_bottom;  // output rows that another call makes: ops that run.cc splits by kRows
  int64_t skip_left, skip_right;  // conv_int, conv_bits: output columns that nobody wants
  int64_t skip_first, skip_last;  // conv_bits: output channels that another call makes, multiples of kWord
  const Tail* tail;               // conv_int, conv_bits: NULL = none, out is written
};

using Kernel = void (*)(const OpArgs&);

#define AOIE_KERNEL(op, isa) void op##_##isa(const OpArgs& args);
#include "ops/kernels.inc"
#undef AOIE_KERNEL

}  // namespace aoie
#endif  // AOIENET_OPS_KERNELS_H_
