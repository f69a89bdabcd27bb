// The tail of a convolution (Tail in kernels.h) on kLanes channels of kCount neighbouring positions that are still in
// registers. The unit that includes this defines kLanes, Bits (kLanes bits), Mask, Vf and the functions used here, one
// float32 operation each.
#include "ops/kernels.h"

namespace aoie {
namespace {

// Before the tail of the output row whose first position is at: channels that pad the last word are 0. A call for each
// word, while its values are in registers, would cost them their registers.
inline void clear_bits(const OpArgs& args, int64_t at) {
  const int64_t words = (args.o + 63) / 64;
  if (args.tail == nullptr || args.tail->bits == nullptr || args.o % 64 == 0) return;
  for (int64_t j = 0; j < args.tail->planes; ++j)
    __builtin_memset(args.tail->bits + (j * args.oh * args.ow + at) * words, 0,
                     static_cast<uint64_t>(args.ow * words) * 8);
}

template <int kCount>
__attribute__((always_inline)) inline void finish_bits(const OpArgs& args, const Tail& tail, int64_t at, int64_t o,
                                                       Bits valid, const Vf (&v)[kCount]) {
  const int64_t bytes = (args.o + 63) / 64 * 8, plane = args.oh * args.ow * bytes, o_pad = args.o_pad;
  auto* to = reinterpret_cast<unsigned char*>(tail.bits) + at * bytes + o / 8;
  const auto* flips = reinterpret_cast<const unsigned char*>(tail.flip_bits) + o / 8;
  const float* threshold = tail.threshold + o;
  for (int64_t j = 0; j < tail.planes; ++j, to += plane, flips += bytes, threshold += o_pad) {
    const Vf t = vf_load(threshold);
    Bits flip;
    __builtin_memcpy(&flip, flips, sizeof flip);
    unsigned char* word = to;
    for (int i = 0; i < kCount; ++i, word += bytes) {
      Bits bits = vf_at_least(v[i], t);
      if (flip != 0) bits = static_cast<Bits>(bits ^ ((bits ^ vf_at_most(v[i], t)) & flip));
      bits &= valid;
      __builtin_memcpy(word, &bits, sizeof bits);
    }
  }
}

// v: the values of channels o ... o + count - 1 at position at and those to the right of it. What is read through args
// is copied first: the compiler must take every store for a change of it.
template <int kCount>
__attribute__((always_inline)) inline void finish(const OpArgs& args, int64_t at, int64_t o, int64_t count,
                                                  Vf (&v)[kCount]) {
  const int64_t channels = args.o;
  float* out = static_cast<float*>(args.out);
  if (args.tail != nullptr) {
    const Tail tail = *args.tail;
    out = tail.out;
    if (tail.add != nullptr) {
      const int64_t step = tail.add_channels;
      const float* add = tail.add + at * step + (o < step ? o : o - step);
      for (int i = 0; i < kCount; ++i, add += step) v[i] = vf_add(v[i], vf_load_part(add, count));
    }
    if (tail.knee != nullptr) {
      const Vf knee = vf_load(tail.knee + o), pos = vf_load(tail.pos + o), neg = vf_load(tail.neg + o);
      const Vf pos_shift = vf_load(tail.pos_shift + o), neg_shift = vf_load(tail.neg_shift + o);
      for (int i = 0; i < kCount; ++i) {
        const Mask above = vf_above(v[i], knee);
        v[i] = vf_add(vf_mul(vf_choose(above, pos, neg), v[i]), vf_choose(above, pos_shift, neg_shift));
      }
    }
    if (tail.bits != nullptr) finish_bits<kCount>(args, tail, at, o, static_cast<Bits>((1u << count) - 1), v);
  }
  if (out != nullptr) {
    float* to = out + at * channels + o;
    for (int i = 0; i < kCount; ++i, to += channels) vf_store(to, v[i], count);
  }
}

}  // namespace
}  // namespace aoie
