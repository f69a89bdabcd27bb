// Weights in the order in which the kernels of one instruction set read them.
#include <cstring>

#include "json.h"
#include "model.h"

namespace aoie {
namespace {

// Output channels per vector, as in ops/*/avx2.cc and avx512.cc; 0: the kernel reads the file's own layout.
int64_t lanes_of(int isa) { return isa == kAvx512 ? 16 : isa == kAvx2 ? 8 : 0; }

int64_t padded(int64_t count) { return (count + kPad - 1) / kPad * kPad; }

void pack_bits(Node* node, int64_t lanes) {  // u64 [o, taps, p64] -> u32 [o_pad / lanes, taps, words, lanes]
  const auto* weight = static_cast<const uint64_t*>(node->weight);
  const int64_t taps = node->k * node->kw, words = (node->c + 31) / 32, p64 = (node->c + 63) / 64;
  node->packed.assign(static_cast<size_t>(padded(node->o) * taps * words), 0);
  for (int64_t o = 0; o < node->o; ++o)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t word = 0; word < words; ++word) {
        const uint64_t both = weight[(o * taps + tap) * p64 + word / 2];
        const int64_t to = (((o / lanes) * taps + tap) * words + word) * lanes + o % lanes;
        node->packed[static_cast<size_t>(to)] = static_cast<uint32_t>(word % 2 == 0 ? both : both >> 32);
      }
}

void pack_int(Node* node, int64_t lanes) {  // i16 [o, k, k * c] -> i16 [o_pad / lanes, k, pairs, lanes, 2]
  const auto* weight = static_cast<const int16_t*>(node->weight);
  const int64_t run = node->k * node->c, pairs = (run + 1) / 2;
  node->packed.assign(static_cast<size_t>(padded(node->o) * node->k * pairs), 0);
  for (int64_t o = 0; o < node->o; ++o)
    for (int64_t ky = 0; ky < node->k; ++ky)
      for (int64_t i = 0; i < run; ++i) {
        const uint32_t value = static_cast<uint16_t>(weight[(o * node->k + ky) * run + i]);
        const int64_t to = (((o / lanes) * node->k + ky) * pairs + i / 2) * lanes + o % lanes;
        node->packed[static_cast<size_t>(to)] |= value << (i % 2 * 16);
      }
}

void pack_f32(Node* node, int64_t lanes) {  // f32 [o, k * k * c] -> f32 [o_pad / lanes, k * k * c, lanes]
  const auto* weight = static_cast<const uint32_t*>(node->weight);
  const int64_t run = node->k * node->k * node->c;
  node->packed.assign(static_cast<size_t>(padded(node->o) * run), 0);
  for (int64_t o = 0; o < node->o; ++o)
    for (int64_t i = 0; i < run; ++i)
      node->packed[static_cast<size_t>(((o / lanes) * run + i) * lanes + o % lanes)] = weight[o * run + i];
}

}  // namespace

void pack_node(Node* node, int isa) {
  // The vector kernels of conv_f32 run over the output channels of one group.
  const Choice choice = find_kernel(node->op, node->groups == 1 ? isa : kReference);
  node->kernel = choice.kernel;
  node->isa = choice.isa;
  const int64_t lanes = lanes_of(choice.isa);
  if (lanes == 0) return;
  if (node->op == Op::conv_bits) pack_bits(node, lanes);
  if (node->op == Op::conv_int) pack_int(node, lanes);
  if (node->op == Op::conv_f32) pack_f32(node, lanes);
}

}  // namespace aoie
