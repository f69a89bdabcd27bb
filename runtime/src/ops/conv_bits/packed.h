// How pack.cc hands the weights of conv_bits to AVX-512 and NEON. u32 words:
//   [0] the form, [1 ... 15] 0
//   i32 [o_pad] ones: bits of each output channel's weights
//   the weights in the order of the form, by blocks of block_of output channels; the last block may have fewer
#ifndef AOIENET_OPS_CONV_BITS_PACKED_H_
#define AOIENET_OPS_CONV_BITS_PACKED_H_

#include <stdint.h>

namespace aoie {

constexpr int kPackedHead = 16;
constexpr int64_t kWide = 4;  // positions that share the weights

enum Form : uint32_t {
  kSeparate,  // [k, kw, words, channels of the block]; a popcount per plane
  kTied,      // the same; both planes, whose scales are 1, in one popcount
  kParity,    // the same, where every even word is the parity of the words up to it
};

// Output channels that share the words of the picture. kParity has twice the sums to keep in registers; NEON (8 lanes)
// has registers of a quarter of the size.
constexpr int64_t block_of(int64_t lanes, Form form) { return lanes == 8 ? 16 : form == kParity ? 32 : 64; }

}  // namespace aoie
#endif  // AOIENET_OPS_CONV_BITS_PACKED_H_
