// How pack.cc hands the weights of conv_int to AVX-512. u32 words:
//   [0] the form, [1 ... 15] 0
//   i32 [o_pad] the value that the sum of an output channel begins with
//   the weights [o_pad / 16, k, words, 16]: a word holds neighbouring numbers of a kernel row
#ifndef AOIENET_OPS_CONV_INT_PACKED_H_
#define AOIENET_OPS_CONV_INT_PACKED_H_

#include <stdint.h>

namespace aoie {

constexpr int kIntHead = 16;

// A word is two i16, or four i8 where every weight of the convolution fits. vpdpbusd wants one factor without a sign:
// pixels then count from -128, and sums begin with what that adds, so that the sums are the same integers.
enum IntForm : uint32_t { kPairs, kQuads };

constexpr int64_t in_word(IntForm form) { return form == kQuads ? 4 : 2; }

}  // namespace aoie
#endif  // AOIENET_OPS_CONV_INT_PACKED_H_
