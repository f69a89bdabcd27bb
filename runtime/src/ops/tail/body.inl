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
    __builtin_memset(args.tail->bits + (j * args.tail->plane_rows * args.ow + at) * words, 0,
                     static_cast<uint64_t>(args.ow * words) * 8);
}

// What all values of a call have in common.
struct Finish {
  const int64_t channels, o_pad, bytes, plane;  // bytes of the bits of a position and of a plane
  float* const out;                             // NULL: nobody reads it
  const bool large;
  Tail tail = {};  // flip_bits NULL: none is set

  explicit Finish(const OpArgs& args)
      : channels(args.o),
        o_pad(args.o_pad),
        bytes((args.o + 63) / 64 * 8),
        plane(args.tail == nullptr ? 0 : args.tail->plane_rows * args.ow * bytes),
        out(args.tail == nullptr ? static_cast<float*>(args.out) : args.tail->out),
        large(args.oh * args.ow * args.o >= 1 << 18) {
    if (args.tail == nullptr) return;
    tail = *args.tail;
    if (tail.bits == nullptr) return;
    uint64_t flips = 0;
    for (int64_t i = 0; i < tail.planes * bytes / 8; ++i) flips |= tail.flip_bits[i];
    if (flips == 0) tail.flip_bits = nullptr;
  }
};

// Asks for what finish will read and write before the values are made, where the map is larger than a second-level
// cache: elsewhere asking takes longer than waiting.
template <int kCount>
__attribute__((always_inline)) inline void expect(const Finish& f, int64_t at, int64_t o) {
  if (!f.large) return;
  const int64_t step = f.tail.add_channels;
  if (f.tail.add != nullptr)
    for (int i = 0; i < kCount; ++i) __builtin_prefetch(f.tail.add + (at + i) * step + (o < step ? o : o - step));
  if (f.out != nullptr)
    for (int i = 0; i < kCount; ++i) __builtin_prefetch(f.out + (at + i) * f.channels + o, 1);
}

template <int kCount>
__attribute__((always_inline)) inline void finish_bits(const Finish& f, int64_t at, int64_t o, int64_t count,
                                                       const Vf (&v)[kCount]) {
  const int64_t bytes = f.bytes, plane = f.plane, o_pad = f.o_pad, planes = f.tail.planes;
  auto* to = reinterpret_cast<unsigned char*>(f.tail.bits) + at * bytes + o / 8;
  const float* threshold = f.tail.threshold + o;
  if (f.tail.flip_bits == nullptr && count == kLanes) {
    for (int64_t j = 0; j < planes; ++j, to += plane, threshold += o_pad) {
      const Vf t = vf_load(threshold);
      unsigned char* word = to;
      for (int i = 0; i < kCount; ++i, word += bytes) {
        const Bits bits = vf_at_least(v[i], t);
        __builtin_memcpy(word, &bits, sizeof bits);
      }
    }
    return;
  }
  const auto* flips = reinterpret_cast<const unsigned char*>(f.tail.flip_bits);
  const auto valid = static_cast<Bits>((1u << count) - 1);
  for (int64_t j = 0; j < planes; ++j, to += plane, threshold += o_pad) {
    const Vf t = vf_load(threshold);
    Bits flip = 0;
    if (flips != nullptr) __builtin_memcpy(&flip, flips + j * bytes + o / 8, sizeof flip);
    unsigned char* word = to;
    for (int i = 0; i < kCount; ++i, word += bytes) {
      Bits bits = vf_at_least(v[i], t);
      if (flip != 0) bits = static_cast<Bits>(bits ^ ((bits ^ vf_at_most(v[i], t)) & flip));
      bits &= valid;
      __builtin_memcpy(word, &bits, sizeof bits);
    }
  }
}

// v: the values of channels o ... o + count - 1 at position at and those to the right of it. What is read through f is
// copied first: the compiler must take every store for a change of it.
template <int kCount>
__attribute__((always_inline)) inline void finish(const Finish& f, int64_t at, int64_t o, int64_t count,
                                                  Vf (&v)[kCount]) {
  const int64_t channels = f.channels;
  float* const out = f.out;
  if (f.tail.add != nullptr) {
    const int64_t step = f.tail.add_channels;
    const float* add = f.tail.add + at * step + (o < step ? o : o - step);
    if (count == kLanes)
      for (int i = 0; i < kCount; ++i, add += step) v[i] = vf_add(v[i], vf_load(add));
    else
      for (int i = 0; i < kCount; ++i, add += step) v[i] = vf_add(v[i], vf_load_part(add, count));
  }
  if (f.tail.knee != nullptr) {
    const Vf knee = vf_load(f.tail.knee + o), pos = vf_load(f.tail.pos + o), neg = vf_load(f.tail.neg + o);
    const Vf pos_shift = vf_load(f.tail.pos_shift + o), neg_shift = vf_load(f.tail.neg_shift + o);
    for (int i = 0; i < kCount; ++i) {
      const Mask above = vf_above(v[i], knee);
      v[i] = vf_add(vf_mul(vf_choose(above, pos, neg), v[i]), vf_choose(above, pos_shift, neg_shift));
    }
  }
  if (f.tail.bits != nullptr) finish_bits<kCount>(f, at, o, count, v);
  if (out != nullptr) {
    float* to = out + at * channels + o;
    for (int i = 0; i < kCount; ++i, to += channels) vf_store(to, v[i], count);
  }
}

}  // namespace
}  // namespace aoie
