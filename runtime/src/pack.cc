// Weights in the order in which the kernels of one instruction set read them.
#include "model.h"

namespace aoie {
namespace {

// Output channels per vector, as in ops/*/<isa>.cc; 0: the kernel reads the file's own layout.
int64_t lanes_of(int isa) { return isa == kAvx512 ? 16 : isa == kAvx2 || isa == kNeon ? 8 : 0; }

int64_t padded(int64_t count) { return (count + kPad - 1) / kPad * kPad; }

bool pack_bits(Node* node, int64_t lanes,
               Arena* arena) {  // u64 [o, taps, p64] -> u32 [o_pad / lanes, taps, words, lanes]
  const auto* weight = static_cast<const uint64_t*>(node->weight);
  const int64_t taps = node->k * node->kw, words = (node->c + 31) / 32, p64 = (node->c + 63) / 64;
  if (!arena->take(static_cast<size_t>(padded(node->o) * taps * words), &node->packed)) return false;
  for (int64_t o = 0; o < node->o; ++o)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t word = 0; word < words; ++word) {
        const uint64_t both = weight[(o * taps + tap) * p64 + word / 2];
        const int64_t to = (((o / lanes) * taps + tap) * words + word) * lanes + o % lanes;
        node->packed[static_cast<size_t>(to)] = static_cast<uint32_t>(word % 2 == 0 ? both : both >> 32);
      }
  return true;
}

bool pack_int(Node* node, int64_t lanes,
              Arena* arena) {  // i16 [o, k, k * c] -> i16 [o_pad / lanes, k, pairs, lanes, 2]
  const auto* weight = static_cast<const int16_t*>(node->weight);
  const int64_t run = node->k * node->c, pairs = (run + 1) / 2;
  if (!arena->take(static_cast<size_t>(padded(node->o) * node->k * pairs), &node->packed)) return false;
  for (int64_t o = 0; o < node->o; ++o)
    for (int64_t ky = 0; ky < node->k; ++ky)
      for (int64_t i = 0; i < run; ++i) {
        const uint32_t value = static_cast<uint16_t>(weight[(o * node->k + ky) * run + i]);
        const int64_t to = (((o / lanes) * node->k + ky) * pairs + i / 2) * lanes + o % lanes;
        node->packed[static_cast<size_t>(to)] |= value << (i % 2 * 16);
      }
  return true;
}

bool pack_f32(Node* node, int64_t lanes, Arena* arena) {  // f32 [o, k * k * c] -> f32 [o_pad / lanes, k * k * c, lanes]
  const auto* weight = static_cast<const uint32_t*>(node->weight);
  const int64_t run = node->k * node->k * node->c;
  if (!arena->take(static_cast<size_t>(padded(node->o) * run), &node->packed)) return false;
  for (int64_t o = 0; o < node->o; ++o)
    for (int64_t i = 0; i < run; ++i)
      node->packed[static_cast<size_t>(((o / lanes) * run + i) * lanes + o % lanes)] = weight[o * run + i];
  return true;
}

}  // namespace

bool pack_node(Node* node, int isa, Arena* arena) {
  // The vector kernels of conv_f32 run over the output channels of one group.
  const Choice choice = find_kernel(node->op, node->groups == 1 ? isa : kReference);
  node->kernel = choice.kernel;
  node->isa = choice.isa;
  const int64_t lanes = lanes_of(choice.isa);
  if (lanes == 0) return true;
  if (node->op == Op::conv_bits) return pack_bits(node, lanes, arena);
  if (node->op == Op::conv_int) return pack_int(node, lanes, arena);
  if (node->op == Op::conv_f32) return pack_f32(node, lanes, arena);
  return true;
}

}  // namespace aoie
