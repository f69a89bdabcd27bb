// What each op of docs/format.md takes and gives: keys, tensors, channels. Nothing here trusts a number of the file.
#include "reader.h"

namespace aoie {
namespace {

constexpr int64_t kMaxIntKernel = 11, kMaxIntStride = 8, kMaxFloatKernel = 7, kMaxFloatStride = 4, kMaxPoolStride = 3;

void square_kernel(const Entry& op, Node* node, int64_t least_k, int64_t most_k, int64_t most_s) {
  node->k = node->kw = op.integer("k", least_k, most_k);
  node->s = op.integer("s", 1, most_s);
  node->p = node->pw = op.integer("p", 0, node->k / 2);
}

Shape thermometer(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_U8);
  node->o = 32 * x.c;
  return {AOIE_BITS, 1, node->o};
}

Shape conv_int(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_I8);
  square_kernel(op, node, 1, kMaxIntKernel, kMaxIntStride);
  const Tensor& weight = op.tensor("weight", "i16", {-1, node->k, node->k, x.c});
  node->o = weight.shape[0];
  node->weight = weight.data;
  node->a = op.floats("scale", {node->o});
  node->b = op.floats("bias", {node->o});
  const auto* values = reinterpret_cast<const int16_t*>(weight.data);
  const int64_t taps = weight.count / node->o;
  for (int64_t o = 0; o < node->o; ++o) {
    int64_t sum = 0;
    for (int64_t i = 0; i < taps; ++i)
      sum += values[o * taps + i] < 0 ? -int64_t{values[o * taps + i]} : values[o * taps + i];
    if (sum * 128 >= int64_t{1} << 31)
      refuse(op.where + ": sum abs(weight) * 128 is below 2^31 for every output", sum * 128);
  }
  return {AOIE_F32, 1, node->o};
}

Shape conv_f32(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_F32);
  square_kernel(op, node, 1, kMaxFloatKernel, kMaxFloatStride);
  node->groups = op.integer("groups", 1, kMaxChannels);
  if (x.c % node->groups != 0)
    refuse(op.where + ": 'groups' divides the channels of its input (" + shown(x.c) + ")", node->groups);
  const Tensor& weight = op.tensor("weight", "f32", {-1, node->k, node->k, x.c / node->groups});
  node->o = weight.shape[0];
  if (node->o % node->groups != 0)
    refuse(op.where + ": 'groups' divides the outputs of 'weight' (" + shown(node->o) + ")", node->groups);
  node->weight = weight.data;
  node->a = op.floats("bias", {node->o});
  return {AOIE_F32, 1, node->o};
}

Shape binarize(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_F32);
  const Tensor& threshold = op.tensor("threshold", "f32", {-1, x.c});
  node->j = threshold.shape[0];
  if (node->j > 2) refuse(op.where + ": planes are 1 or 2", node->j);
  node->a = op.floats("threshold", {node->j, x.c});
  node->flip = op.tensor("flip", "u8", {node->j, x.c}).data;
  const int64_t words = (x.c + 63) / 64;
  node->flip_bits.assign(static_cast<size_t>(node->j * words), 0);
  for (int64_t j = 0; j < node->j; ++j)
    for (int64_t c = 0; c < x.c; ++c) {
      const uint64_t flip = node->flip[j * x.c + c];
      if (flip > 1) refuse(op.where + ": 'flip' is 0 or 1", static_cast<int64_t>(flip));
      node->flip_bits[static_cast<size_t>(j * words + c / 64)] |= flip << (c % 64);
    }
  return {AOIE_BITS, node->j, x.c};
}

int64_t one_or_three(const Entry& op, const char* key) {
  const int64_t taps = op.integer(key, 1, 3);
  if (taps == 2) refuse(op.where + ": '" + key + "' is 1 or 3", taps);
  return taps;
}

Shape conv_bits(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_BITS);
  node->k = one_or_three(op, "k");
  node->kw = op.json.find("kw") != nullptr ? one_or_three(op, "kw") : node->k;
  node->p = node->k / 2;
  node->pw = node->kw / 2;
  node->s = op.integer("s", 1, 2);
  if (op.json.find("p") != nullptr) op.integer("p", node->p, node->p);
  if (op.integer("channels", 1, kMaxChannels) != x.c)
    refuse(op.where + ": 'channels' is that of its input (" + shown(x.c) + ")", op.json.find("channels"));
  const int64_t words = (x.c + 63) / 64;
  const Tensor& weight = op.tensor("weight", "u64", {-1, node->k, node->kw, words});
  node->o = weight.shape[0];
  node->j = x.j;
  node->weight = weight.data;
  if (x.c % 64 != 0)
    for (int64_t i = words - 1; i < weight.count; i += words)
      if (little(weight.data + 8 * i, 8) >> (x.c % 64) != 0) refuse(op.where + ": pad bits are 0; word", i);
  node->plane_scale = op.floats("plane_scale", {x.j});
  node->a = op.floats("e", {node->o});
  node->b = op.floats("f", {node->o});
  node->d = op.floats("h", {node->k == 1 && node->kw == 1 ? 1 : 16, node->o});
  return {AOIE_F32, 1, node->o};
}

Shape add(const Entry& op, Node* node, const Shape& x, const Shape& y) {
  op.expect_float(x);
  op.expect_same(x, y);
  node->in_place[0] = node->in_place[1] = true;
  return x;
}

Shape mul(const Entry& op, Node* node, const Shape& x, const Shape& y) {
  op.expect_float(x);
  const bool scaled = x.type == AOIE_F32 && y.type == AOIE_VEC && x.c == y.c;
  if (!scaled) op.expect_same(x, y);
  node->in_place[0] = true;
  node->in_place[1] = !scaled;
  return x;
}

Shape gate(const Entry& op, Node* node, const Shape& x, const Shape& y) {
  op.expect(x, AOIE_F32);
  op.expect_same(x, y);
  node->a = op.floats("threshold", {x.c});
  node->b = op.floats("scale", {x.c});
  node->d = op.floats("shift", {x.c});
  node->in_place[0] = node->in_place[1] = true;
  return x;
}

Shape slopes(const Entry& op, Node* node, const Shape& x) {
  op.expect_float(x);
  node->a = op.floats("pos", {x.c});
  node->b = op.floats("pos_shift", {x.c});
  node->d = op.floats("neg", {x.c});
  node->e = op.floats("neg_shift", {x.c});
  node->knee.assign(node->a.size(), 0.0f);
  if (op.json.find("knee") != nullptr) node->knee = op.floats("knee", {x.c});
  node->in_place[0] = true;
  return x;
}

Shape clip(const Entry& op, Node* node, const Shape& x) {
  op.expect_float(x);
  node->low = op.float32("low");
  node->high = op.float32("high");
  if (!(node->low < node->high))
    refuse_text(op.where + ": 'low' is below 'high' in float32",
                std::to_string(node->low) + " and " + std::to_string(node->high));
  node->in_place[0] = true;
  return x;
}

Shape sigmoid(const Entry& op, Node* node, const Shape& x) {
  op.expect_float(x);
  node->in_place[0] = true;
  return x;
}

Shape rank1(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_F32);
  if (!op.fixed) refuse_text(op.where + " needs input.fixed: true", "false");
  node->rows = op.tensor("rows", "f32", {-1}).count;
  node->columns = op.tensor("columns", "f32", {-1}).count;
  node->a = op.floats("rows", {node->rows});
  node->b = op.floats("columns", {node->columns});
  node->in_place[0] = true;
  return x;
}

Shape maxpool(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_F32);
  square_kernel(op, node, 2, 3, kMaxPoolStride);
  return x;
}

Shape channels(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_F32);
  const int64_t end = op.integer("to", 1, x.c);
  node->from = op.integer("from", 0, end - 1);
  node->before = op.integer("before", 0, kMaxChannels);
  node->taken = end - node->from;
  node->o = node->before + node->taken + op.integer("after", 0, kMaxChannels);
  return {AOIE_F32, 1, node->o};
}

Shape concat(const Entry& op, Node* node, const Shape& x, const Shape& y) {
  op.expect(x, AOIE_F32);
  op.expect(y, AOIE_F32);
  node->o = x.c + y.c;
  return {AOIE_F32, 1, node->o};
}

Shape pool(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_F32);
  node->k = op.integer("window", 0, kMaxSide);
  if (node->k != 0 || op.json.find("stride") != nullptr) node->s = op.integer("stride", node->k == 0 ? 0 : 1, kMaxSide);
  return {AOIE_VEC, 1, x.c};
}

Shape peak(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_VEC);
  node->k = op.integer("window", 1, kMaxPeak);
  node->s = op.integer("stride", 1, kMaxPeak);
  return x;
}

Shape linear(const Entry& op, Node* node, const Shape& x) {
  op.expect(x, AOIE_VEC);
  const Tensor& weight = op.tensor("weight", "f32", {-1, x.c});
  node->o = weight.shape[0];
  node->weight = weight.data;
  node->a = op.floats("bias", {node->o});
  return {AOIE_VEC, 1, node->o};
}

Shape halves(const Entry& op, const Shape& x) {
  op.expect(x, AOIE_F32);
  return x;
}

}  // namespace

Shape check_op(const Entry& op, Node* node, const Shape& x, const Shape& y) {
  switch (node->op) {
    case Op::thermometer:
      return thermometer(op, node, x);
    case Op::conv_int:
      return conv_int(op, node, x);
    case Op::conv_f32:
      return conv_f32(op, node, x);
    case Op::binarize:
      return binarize(op, node, x);
    case Op::conv_bits:
      return conv_bits(op, node, x);
    case Op::add:
      return add(op, node, x, y);
    case Op::mul:
      return mul(op, node, x, y);
    case Op::gate:
      return gate(op, node, x, y);
    case Op::slopes:
      return slopes(op, node, x);
    case Op::clip:
      return clip(op, node, x);
    case Op::sigmoid:
      return sigmoid(op, node, x);
    case Op::rank1:
      return rank1(op, node, x);
    case Op::avgpool2:
    case Op::subsample2:
      return halves(op, x);
    case Op::maxpool:
      return maxpool(op, node, x);
    case Op::channels:
      return channels(op, node, x);
    case Op::concat:
      return concat(op, node, x, y);
    case Op::pool:
      return pool(op, node, x);
    case Op::peak:
      return peak(op, node, x);
    case Op::linear:
      return linear(op, node, x);
    case Op::raw:
    case Op::center:
    case Op::standardize:
      break;  // transforms: no graph names them
  }
  refuse_text(op.where + " is an op of the graph", op_name(node->op));
}

}  // namespace aoie
