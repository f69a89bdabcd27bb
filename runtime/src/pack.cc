// Weights in the order in which the kernels of one instruction set read them.
#include "model.h"
#include "ops/conv_bits/packed.h"
#include "ops/conv_int/packed.h"

namespace aoie {
namespace {

// Words of a tap, and of all taps: below, making the parities costs more than it saves.
constexpr int64_t kLeastParityWords = 4, kLeastParityRun = 8;

// Output channels per vector, as in ops/*/<isa>.cc; 0: the kernel reads the file's own layout.
int64_t lanes_of(int isa) { return isa == kAvx512 ? 16 : isa == kAvx2 || isa == kNeon ? 8 : 0; }

int64_t padded(int64_t count) { return (count + kPad - 1) / kPad * kPad; }

// The cheapest form that gives the same integers (ops/conv_bits/rows.inl). With both scales 1 the sum of the products
// in docs/format.md is the sum of two counts, without rounding.
Form form_of(const Node& node, int isa) {
  const auto& scale = node.plane_scale;
  if (node.j == 2 && scale.size() >= 2 && scale[0] == 1.0f && scale[1] == 1.0f) return kTied;
  if (isa != kAvx512) return kSeparate;
  const int64_t words = (node.c + 31) / 32;
  const bool pays = words >= kLeastParityWords && words * node.k * node.kw >= kLeastParityRun;
  return words % 2 == 0 && pays ? kParity : kSeparate;
}

// u64 [o, taps, p64] -> u8 [o / 32, taps, 8 * words, 32]: a nibble in each byte (ops/conv_bits/avx2.cc)
bool pack_nibbles(Node* node, Arena* arena) {
  const auto* weight = static_cast<const uint64_t*>(node->weight);
  const int64_t taps = node->k * node->kw, nibbles = (node->c + 31) / 32 * 8, p64 = (node->c + 63) / 64;
  const int64_t blocks = (node->o + 31) / 32;
  if (!arena->take(static_cast<size_t>(blocks * taps * nibbles * 8), &node->packed)) return false;
  auto* packed = reinterpret_cast<uint8_t*>(node->packed.data());
  for (int64_t o = 0; o < node->o; ++o)
    for (int64_t i = 0; i < taps * nibbles; ++i) {
      const uint64_t word = weight[(o * taps + i / nibbles) * p64 + i % nibbles / 16];
      packed[(o / 32 * taps * nibbles + i) * 32 + o % 32] = word >> (i % nibbles % 16 * 4) & 15;
    }
  return true;
}

// u64 [o, taps, p64] -> ops/conv_bits/packed.h
bool pack_bits(Node* node, int64_t lanes, Arena* arena) {
  const auto* weight = static_cast<const uint64_t*>(node->weight);
  const int64_t taps = node->k * node->kw, words = (node->c + 31) / 32, p64 = (node->c + 63) / 64;
  const Form form = form_of(*node, node->isa);
  const int64_t head = kPackedHead + padded(node->o), block = block_of(lanes, form);
  if (!arena->take(static_cast<size_t>(head + padded(node->o) * taps * words), &node->packed)) return false;
  uint32_t* packed = node->packed.data();
  packed[0] = form;
  for (int64_t o = 0; o < node->o; ++o) {
    const int64_t first = o / block * block, wide = padded(node->o) - first < block ? padded(node->o) - first : block;
    const auto place = [&](int64_t i) { return first * taps * words + i * wide + o - first; };
    uint32_t ones = 0, parity = 0;
    for (int64_t i = 0; i < taps * words; ++i) {
      const uint64_t both = weight[(o * taps + i / words) * p64 + i % words / 2];
      const auto word = static_cast<uint32_t>(i % words % 2 == 0 ? both : both >> 32);
      ones += static_cast<uint32_t>(__builtin_popcount(word));
      parity ^= word;
      packed[head + place(i)] = form == kParity && i % 2 == 0 ? parity : word;
    }
    packed[kPackedHead + o] = ones;
  }
  return true;
}

// i16 [o, k, k * c] -> ops/conv_int/packed.h for AVX-512, else i16 [o_pad / lanes, k, pairs, lanes, 2]
bool pack_int(Node* node, int64_t lanes, Arena* arena) {
  const auto* weight = static_cast<const int16_t*>(node->weight);
  const int64_t run = node->k * node->c, rows = node->o * node->k;
  IntForm form = node->isa == kAvx512 ? kQuads : kPairs;
  for (int64_t i = 0; i < rows * run; ++i)
    if (weight[i] < -128 || weight[i] > 127) form = kPairs;
  const int64_t per_word = in_word(form), words = (run + per_word - 1) / per_word;
  const int64_t head = node->isa == kAvx512 ? kIntHead + padded(node->o) : 0;
  if (!arena->take(static_cast<size_t>(head + padded(node->o) * node->k * words), &node->packed)) return false;
  uint32_t* packed = node->packed.data();
  if (head > 0) packed[0] = form;
  const uint32_t bits = 32 / static_cast<uint32_t>(per_word), mask = (1u << bits) - 1;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t o = row / node->k, ky = row % node->k;
    for (int64_t i = 0; i < run; ++i) {
      const auto value = static_cast<uint32_t>(weight[row * run + i]);
      const int64_t to = ((o / lanes * node->k + ky) * words + i / per_word) * lanes + o % lanes;
      packed[head + to] |= (value & mask) << (static_cast<uint32_t>(i % per_word) * bits);
      if (form == kQuads) packed[kIntHead + o] -= 128 * value;
    }
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
  if (node->op == Op::conv_bits && choice.isa == kAvx2) return pack_nibbles(node, arena);
  if (node->op == Op::conv_bits) return pack_bits(node, lanes, arena);
  if (node->op == Op::conv_int) return pack_int(node, lanes, arena);
  if (node->op == Op::conv_f32 || node->op == Op::linear) return pack_f32(node, lanes, arena);
  return true;
}

}  // namespace aoie
