// What each op of docs/format.md takes and gives: keys, tensors, channels. Nothing here trusts a number of the file.
#include "reader.h"

namespace aoie {
namespace {

constexpr int64_t kMaxIntKernel = 11, kMaxIntStride = 8, kMaxFloatKernel = 7, kMaxFloatStride = 4, kMaxPoolStride = 3;

bool square_kernel(const Entry& op, Node* node, int64_t least_k, int64_t most_k, int64_t most_s) {
  if (!op.integer("k", least_k, most_k, &node->k) || !op.integer("s", 1, most_s, &node->s)) return false;
  node->kw = node->k;
  if (!op.integer("p", 0, node->k / 2, &node->p)) return false;
  node->pw = node->p;
  return true;
}

bool thermometer(const Entry& op, Node* node, const Shape& x, Shape* out) {
  node->o = 32 * x.c;
  *out = {AOIE_BITS, 1, node->o};
  return op.expect(x, AOIE_U8);
}

// The exporter proves it, the reader checks it: no sum of a kernel leaves int32.
bool sums_fit(const Entry& op, const Tensor& weight) {
  const auto* values = reinterpret_cast<const int16_t*>(weight.data);
  const int64_t outputs = weight.shape.at[0], taps = weight.count / outputs;
  for (int64_t o = 0; o < outputs; ++o) {
    int64_t sum = 0;
    for (int64_t i = 0; i < taps; ++i)
      sum += values[o * taps + i] < 0 ? -int64_t{values[o * taps + i]} : values[o * taps + i];
    if (sum * 128 >= int64_t{1} << 31)
      return op.refuse(": sum abs(weight) * 128 is below 2^31 for every output", kReceived, sum * 128);
  }
  return true;
}

bool conv_int(const Entry& op, Node* node, const Shape& x, Shape* out) {
  const Tensor* weight;
  if (!op.expect(x, AOIE_I8) || !square_kernel(op, node, 1, kMaxIntKernel, kMaxIntStride)) return false;
  if (!op.tensor("weight", Dtype::i16, {-1, node->k, node->k, x.c}, &weight)) return false;
  node->o = weight->shape.at[0];
  node->weight = weight->data;
  *out = {AOIE_F32, 1, node->o};
  return op.floats("scale", {node->o}, &node->a) && op.floats("bias", {node->o}, &node->b) && sums_fit(op, *weight);
}

bool conv_f32(const Entry& op, Node* node, const Shape& x, Shape* out) {
  const Tensor* weight;
  if (!op.expect(x, AOIE_F32) || !square_kernel(op, node, 1, kMaxFloatKernel, kMaxFloatStride)) return false;
  if (!op.integer("groups", 1, kMaxChannels, &node->groups)) return false;
  if (x.c % node->groups != 0)
    return op.refuse(": 'groups' divides the channels of its input", kReceived, node->groups, " groups of ", x.c,
                     " channels");
  if (!op.tensor("weight", Dtype::f32, {-1, node->k, node->k, x.c / node->groups}, &weight)) return false;
  node->o = weight->shape.at[0];
  if (node->o % node->groups != 0)
    return op.refuse(": 'groups' divides the outputs of 'weight'", kReceived, node->groups, " groups of ", node->o,
                     " outputs");
  node->weight = weight->data;
  *out = {AOIE_F32, 1, node->o};
  return op.floats("bias", {node->o}, &node->a);
}

bool binarize(const Entry& op, Node* node, const Shape& x, Shape* out) {
  const Tensor *threshold, *flip;
  if (!op.expect(x, AOIE_F32) || !op.tensor("threshold", Dtype::f32, {-1, x.c}, &threshold)) return false;
  node->j = threshold->shape.at[0];
  if (node->j > 2) return op.refuse(": planes are 1 or 2", kReceived, node->j);
  if (!op.floats("threshold", {node->j, x.c}, &node->a)) return false;
  if (!op.tensor("flip", Dtype::u8, {node->j, x.c}, &flip)) return false;
  node->flip = flip->data;
  const int64_t words = (x.c + 63) / 64;
  if (!op.arena->take(static_cast<size_t>(node->j * words), &node->flip_bits))
    return op.no->no_memory(op.arena->peak_bytes());
  for (int64_t j = 0; j < node->j; ++j)
    for (int64_t c = 0; c < x.c; ++c) {
      const uint64_t bit = node->flip[j * x.c + c];
      if (bit > 1) return op.refuse(": 'flip' is 0 or 1", kReceived, static_cast<int64_t>(bit));
      node->flip_bits[static_cast<size_t>(j * words + c / 64)] |= bit << (c % 64);
    }
  *out = {AOIE_BITS, node->j, x.c};
  return true;
}

bool one_or_three(const Entry& op, const char* key, int64_t* taps) {
  if (!op.integer(key, 1, 3, taps)) return false;
  return *taps != 2 || op.refuse(": kernel sides are 1 or 3", kReceived, key, " = 2");
}

bool pad_bits_are_0(const Entry& op, const Tensor& weight, int64_t c) {
  const int64_t words = (c + 63) / 64;
  if (c % 64 == 0) return true;
  for (int64_t i = words - 1; i < weight.count; i += words)
    if (little(weight.data + 8 * i, 8) >> (c % 64) != 0)
      return op.refuse(": pad bits are 0", kReceived, "others in word ", i);
  return true;
}

bool conv_bits(const Entry& op, Node* node, const Shape& x, Shape* out) {
  if (!op.expect(x, AOIE_BITS) || !one_or_three(op, "k", &node->k)) return false;
  node->kw = node->k;
  if (op.has("kw") && !one_or_three(op, "kw", &node->kw)) return false;
  node->p = node->k / 2;
  node->pw = node->kw / 2;
  int64_t pad, channels;
  if (!op.integer("s", 1, 2, &node->s)) return false;
  if (op.has("p") && !op.integer("p", node->p, node->p, &pad)) return false;
  if (!op.integer("channels", 1, kMaxChannels, &channels)) return false;
  if (channels != x.c)
    return op.refuse(": 'channels' is that of its input", kReceived, channels, " where the input has ", x.c);
  const Tensor* weight;
  if (!op.tensor("weight", Dtype::u64, {-1, node->k, node->kw, (x.c + 63) / 64}, &weight)) return false;
  node->o = weight->shape.at[0];
  node->j = x.j;
  node->weight = weight->data;
  *out = {AOIE_F32, 1, node->o};
  return pad_bits_are_0(op, *weight, x.c) && op.floats("plane_scale", {x.j}, &node->plane_scale) &&
         op.floats("e", {node->o}, &node->a) && op.floats("f", {node->o}, &node->b) &&
         op.floats("h", {node->k == 1 && node->kw == 1 ? 1 : 16, node->o}, &node->d);
}

bool add(const Entry& op, Node* node, const Shape& x, const Shape& y, Shape* out) {
  node->in_place[0] = node->in_place[1] = true;
  *out = x;
  return op.expect_float(x) && op.expect_same(x, y);
}

bool mul(const Entry& op, Node* node, const Shape& x, const Shape& y, Shape* out) {
  const bool scaled = x.type == AOIE_F32 && y.type == AOIE_VEC && x.c == y.c;
  node->in_place[0] = true;
  node->in_place[1] = !scaled;
  *out = x;
  return op.expect_float(x) && (scaled || op.expect_same(x, y));
}

bool gate(const Entry& op, Node* node, const Shape& x, const Shape& y, Shape* out) {
  node->in_place[0] = node->in_place[1] = true;
  *out = x;
  return op.expect(x, AOIE_F32) && op.expect_same(x, y) && op.floats("threshold", {x.c}, &node->a) &&
         op.floats("scale", {x.c}, &node->b) && op.floats("shift", {x.c}, &node->d);
}

bool slopes(const Entry& op, Node* node, const Shape& x, Shape* out) {
  node->in_place[0] = true;
  *out = x;
  if (!op.expect_float(x) || !op.floats("pos", {x.c}, &node->a) || !op.floats("pos_shift", {x.c}, &node->b) ||
      !op.floats("neg", {x.c}, &node->d) || !op.floats("neg_shift", {x.c}, &node->e))
    return false;
  if (op.has("knee")) return op.floats("knee", {x.c}, &node->knee);
  Span<float> zeros;
  if (!op.arena->take(node->a.size(), &zeros)) return op.no->no_memory(op.arena->peak_bytes());
  node->knee = {zeros.data(), zeros.size()};
  return true;
}

bool clip(const Entry& op, Node* node, const Shape& x, Shape* out) {
  node->in_place[0] = true;
  *out = x;
  if (!op.expect_float(x) || !op.float32("low", &node->low) || !op.float32("high", &node->high)) return false;
  return node->low < node->high ||
         op.refuse(": 'low' is below 'high' in float32", kReceived, op.json.find("low"), " and ", op.json.find("high"));
}

bool sigmoid(const Entry& op, Node* node, const Shape& x, Shape* out) {
  node->in_place[0] = true;
  *out = x;
  return op.expect_float(x);
}

bool rank1(const Entry& op, Node* node, const Shape& x, Shape* out) {
  const Tensor *rows, *columns;
  node->in_place[0] = true;
  *out = x;
  if (!op.expect(x, AOIE_F32)) return false;
  if (!op.fixed) return op.refuse(" needs input.fixed: true", kReceived, "false");
  if (!op.tensor("rows", Dtype::f32, {-1}, &rows) || !op.tensor("columns", Dtype::f32, {-1}, &columns)) return false;
  node->rows = rows->count;
  node->columns = columns->count;
  return op.floats("rows", {node->rows}, &node->a) && op.floats("columns", {node->columns}, &node->b);
}

bool maxpool(const Entry& op, Node* node, const Shape& x, Shape* out) {
  *out = x;
  return op.expect(x, AOIE_F32) && square_kernel(op, node, 2, 3, kMaxPoolStride);
}

bool upadd2(const Entry& op, Node* node, const Shape& x, const Shape& y, Shape* out) {
  node->in_place[0] = true;
  *out = x;
  return op.expect(x, AOIE_F32) && op.expect_same(x, y);
}

bool channels(const Entry& op, Node* node, const Shape& x, Shape* out) {
  int64_t end, after;
  if (!op.expect(x, AOIE_F32) || !op.integer("to", 1, x.c, &end) || !op.integer("from", 0, end - 1, &node->from))
    return false;
  if (!op.integer("before", 0, kMaxChannels, &node->before) || !op.integer("after", 0, kMaxChannels, &after))
    return false;
  node->taken = end - node->from;
  node->o = node->before + node->taken + after;
  *out = {AOIE_F32, 1, node->o};
  return true;
}

bool concat(const Entry& op, Node* node, const Shape& x, const Shape& y, Shape* out) {
  node->o = x.c + y.c;
  *out = {x.type, 1, node->o};
  return op.expect_float(x) && op.expect(y, x.type);
}

bool pool(const Entry& op, Node* node, const Shape& x, Shape* out) {
  *out = {AOIE_VEC, 1, x.c};
  if (!op.expect(x, AOIE_F32) || !op.integer("window", 0, kMaxSide, &node->k)) return false;
  if (node->k == 0 && !op.has("stride")) return true;
  return op.integer("stride", node->k == 0 ? 0 : 1, kMaxSide, &node->s);
}

bool peak(const Entry& op, Node* node, const Shape& x, Shape* out) {
  *out = x;
  return op.expect(x, AOIE_VEC) && op.integer("window", 1, kMaxPeak, &node->k) &&
         op.integer("stride", 1, kMaxPeak, &node->s);
}

bool linear(const Entry& op, Node* node, const Shape& x, Shape* out) {
  const Tensor* weight;
  if (!op.expect(x, AOIE_VEC) || !op.tensor("weight", Dtype::f32, {-1, x.c}, &weight)) return false;
  node->o = weight->shape.at[0];
  node->weight = weight->data;
  *out = {AOIE_VEC, 1, node->o};
  return op.floats("bias", {node->o}, &node->a);
}

bool halves(const Entry& op, const Shape& x, Shape* out) {
  *out = x;
  return op.expect(x, AOIE_F32);
}

}  // namespace

bool check_op(const Entry& op, Node* node, const Shape& x, const Shape& y, Shape* out) {
  switch (node->op) {
    case Op::thermometer:
      return thermometer(op, node, x, out);
    case Op::conv_int:
      return conv_int(op, node, x, out);
    case Op::conv_f32:
      return conv_f32(op, node, x, out);
    case Op::binarize:
      return binarize(op, node, x, out);
    case Op::conv_bits:
      return conv_bits(op, node, x, out);
    case Op::add:
      return add(op, node, x, y, out);
    case Op::mul:
      return mul(op, node, x, y, out);
    case Op::gate:
      return gate(op, node, x, y, out);
    case Op::slopes:
      return slopes(op, node, x, out);
    case Op::clip:
      return clip(op, node, x, out);
    case Op::sigmoid:
      return sigmoid(op, node, x, out);
    case Op::rank1:
      return rank1(op, node, x, out);
    case Op::avgpool2:
    case Op::subsample2:
      return halves(op, x, out);
    case Op::upadd2:
      return upadd2(op, node, x, y, out);
    case Op::maxpool:
      return maxpool(op, node, x, out);
    case Op::channels:
      return channels(op, node, x, out);
    case Op::concat:
      return concat(op, node, x, y, out);
    case Op::pool:
      return pool(op, node, x, out);
    case Op::peak:
      return peak(op, node, x, out);
    case Op::linear:
      return linear(op, node, x, out);
    case Op::raw:
    case Op::center:
    case Op::standardize:
      break;  // transforms: no graph names them
  }
  return op.refuse(" is an op of the graph", kReceived, op_name(node->op));
}

}  // namespace aoie
