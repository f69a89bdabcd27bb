// Sizes of all values for one picture, and their places in the workspace.
#include <initializer_list>

#include "ops/conv_bits/packed.h"
#include "reach.h"
#include "reader.h"
#include "strips.h"

namespace aoie {
namespace {

constexpr uint64_t kAlign = AOIE_WORKSPACE_ALIGN;
constexpr uint64_t kMaxWorkspace = uint64_t{1} << 38;

uint64_t aligned(uint64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// h, w <= 65546, c <= 4096, j <= 2: no product here reaches 2^50.
uint64_t value_bytes(const Value& v) {
  const uint64_t positions = static_cast<uint64_t>(v.h) * static_cast<uint64_t>(v.w);
  if (v.type == AOIE_BITS) return positions * static_cast<uint64_t>(v.words * v.j) * 8;
  const uint64_t size = v.type == AOIE_U8 || v.type == AOIE_I8 ? 1 : 4;
  return positions * static_cast<uint64_t>(v.c) * size;
}

// struct Rows of ops/conv_bits/rows.inl: rows and counts of the k input rows, sums of columns and of windows, R and
// borders of an output row, the windows of kWide positions. An output row has no more positions than a padded input
// row. AVX2 keeps a byte for each nibble of the rows, and their counts.
uint64_t conv_bits_words(const Node& node, const Value& in) {
  const auto u = [](int64_t x) { return static_cast<uint64_t>(x); };
  const uint64_t width = u(in.w + 2 * node.pw), words = u((in.c + 31) / 32), planes = u(in.j), k = u(node.k);
  const uint64_t row = node.isa == kAvx2 ? 2 * words : words;
  return planes * width * (k * row + k + 2) + 2 * width + u(kWide) * planes * k * u(node.kw) * words + u(kPad);
}

int64_t conv_side(int64_t side, int64_t k, int64_t s, int64_t p) {
  return side + 2 * p < k ? 0 : (side + 2 * p - k) / s + 1;
}

void make_all(Value* v) {
  v->top = v->left = 0;
  v->bottom = static_cast<int32_t>(v->h), v->right = static_cast<int32_t>(v->w);
}

// The value that node makes of its inputs; h or w 0 when the input is too small.
Value infer(const Node& node, const Value& x) {
  Value y = x;
  y.c = node.o;
  switch (node.op) {
    case Op::thermometer:
      y.type = AOIE_BITS;
      y.j = 1;
      break;
    case Op::binarize:
      y.type = AOIE_BITS;
      y.j = node.j;
      break;
    case Op::conv_int:
    case Op::conv_bits:
    case Op::conv_f32:
    case Op::maxpool:
      y.type = AOIE_F32;
      y.j = 1;
      y.h = conv_side(x.h, node.k, node.s, node.p);
      y.w = conv_side(x.w, node.kw, node.s, node.pw);
      y.stride = x.stride * node.s;
      break;
    case Op::avgpool2:
    case Op::subsample2:
      y.h = (x.h + 1) / 2;
      y.w = (x.w + 1) / 2;
      y.stride = x.stride * 2;
      break;
    case Op::pool:
      y.type = AOIE_VEC;
      y.stride = 1;
      y.h = node.k == 0 ? 1 : conv_side(x.h, node.k, node.s, 0);
      y.w = node.k == 0 ? 1 : conv_side(x.w, node.k, node.s, 0);
      break;
    case Op::peak:
      y.h = conv_side(x.h, node.k, node.s, 0);
      y.w = conv_side(x.w, node.k, node.s, 0);
      break;
    default:
      break;
  }
  y.words = y.type == AOIE_BITS ? (y.c + 63) / 64 : 0;
  y.bytes = value_bytes(y);
  y.held = y.h;
  make_all(&y);
  return y;
}

bool fit(const Node& node, const Value& x, const Value& second) {
  if (node.op == Op::upadd2)
    return second.h == (x.h + 1) / 2 && second.w == (x.w + 1) / 2 && second.stride == 2 * x.stride;
  if (x.type != second.type) return second.h == 1 && second.w == 1;  // mul: a vec scales a map
  return x.h == second.h && x.w == second.w && x.stride == second.stride;
}

struct Pixels {  // printed h x w
  int64_t h, w;
};

void write(Writer* to, const Pixels& size) {
  write(to, size.h);
  write(to, " x ");
  write(to, size.w);
}

struct Allocator {
  const Schedule& schedule;
  Plan* plan;
  uint64_t begin;
  int* live;
  int count = 0;

  bool overlaps(uint64_t at, uint64_t bytes) const {
    for (int i = 0; i < count; ++i) {
      const Value& v = plan->values[live[i]];
      if (at < v.offset + aligned(v.bytes) && v.offset < at + bytes) return true;
    }
    return false;
  }

  void place(int id) {  // the lowest place that is free
    Value& value = plan->values[id];
    const uint64_t bytes = aligned(value.bytes);
    uint64_t best = begin;
    if (overlaps(best, bytes)) {
      best = UINT64_MAX;
      for (int i = 0; i < count; ++i) {
        const Value& v = plan->values[live[i]];
        const uint64_t at = v.offset + aligned(v.bytes);
        if (at < best && !overlaps(at, bytes)) best = at;
      }
    }
    value.offset = best;
    live[count++] = id;
    if (best + bytes > plan->bytes) plan->bytes = best + bytes;
  }

  void release(int step) {
    int kept = 0;
    for (int i = 0; i < count; ++i)
      if (schedule.last_use[static_cast<size_t>(live[i])] > step) live[kept++] = live[i];
    count = kept;
  }

  // The elementwise ops may write over an input that nobody reads later.
  bool reuse(const Step& step, int index) {
    for (int i = 0; i < 2; ++i) {
      if (!step.in_place[i] || schedule.last_use[static_cast<size_t>(step.in[i])] > index) continue;
      for (int l = 0; l < count; ++l)
        if (live[l] == step.in[i]) live[l] = step.out;
      plan->values[step.out].offset = plan->values[step.in[i]].offset;
      return true;
    }
    return false;
  }
};

// A value takes the place of one that is no longer read.
void place_values(const Schedule& schedule, Plan* plan) {
  Allocator allocator{schedule, plan, plan->bytes, plan->live, 0};
  for (size_t i = 0; i < schedule.steps.size(); ++i) {
    const Step& step = schedule.steps[i];
    if (step.out >= 0 && !allocator.reuse(step, int(i))) allocator.place(step.out);
    if (step.bits >= 0) allocator.place(step.bits);
    allocator.release(int(i));
  }
}

// Every value that the steps write has a place of its own, for the rows that are held.
void place_apart(const Schedule& schedule, Plan* plan) {
  for (const Step& step : schedule.steps)
    for (const int id : {step.out, step.bits}) {
      if (id < 0) continue;
      Value& value = plan->values[id];
      value.offset = plan->bytes;
      plan->bytes += aligned(static_cast<uint64_t>(row_bytes(value) * value.j * value.held));
    }
}

// The places of an input that output places first ... last - 1 read, added to [*begin, *end).
void want(const Reach& reach, int64_t first, int64_t last, int64_t size, int32_t* begin, int32_t* end) {
  const int64_t low = reach.extent == 0 ? 0 : first * reach.step - reach.pad;
  const int64_t high = reach.extent == 0 ? size : (last - 1) * reach.step - reach.pad + reach.extent;
  if (low < *begin) *begin = static_cast<int32_t>(low < 0 ? 0 : low);
  if (high > *end) *end = static_cast<int32_t>(high > size ? size : high);
}

void want_input(const Reach& rows, const Reach& columns, const Value& y, Value* x) {
  want(rows, y.top, y.bottom, x->h, &x->top, &x->bottom);
  want(columns, y.left, y.right, x->w, &x->left, &x->right);
}

// Leaves in every value what of it is made for a part of the result.
void want_part(const aoie_part& part, const Schedule& schedule, Plan* plan) {
  for (const Step& step : schedule.steps)
    for (const int id : {step.out, step.bits, step.node->out})
      if (id >= 0) {
        Value& v = plan->values[id];
        make_all(&v);
        v.top = v.bottom, v.bottom = 0, v.left = v.right, v.right = 0;
      }
  Value& result = plan->values[schedule.steps.back().node->out];
  result.top = part.y, result.bottom = part.y + part.rows;
  result.left = part.x, result.right = part.x + part.columns;
  constexpr Reach kSame{1, 1, 0}, kAll{0, 1, 0};
  for (size_t i = schedule.steps.size(); i-- > 0;) {
    const Step& step = schedule.steps[i];
    Value made = plan->values[step.node->out];  // of out and bits, which later steps want, what either needs
    for (const int id : {step.out, step.bits})
      if (id >= 0) want_input(kSame, kSame, plan->values[id], &made);
    if (i > 0 && reach_of_rows(*step.node).extent == 0) make_all(&made);  // one call makes all: run.cc
    for (const int id : {step.out, step.bits, step.node->out})
      if (id >= 0) want_input(kSame, kSame, made, &plan->values[id]);
    if (i == 0) break;
    want_input(reach_of_rows(*step.node), reach_of_columns(*step.node), made, &plan->values[step.in[0]]);
    if (step.node->inputs != 2 && !step.add) continue;
    const Value& y = plan->values[step.node->out];
    Value& second = plan->values[step.in[1]];
    const bool doubled = step.node->op == Op::upadd2, alike = doubled || (second.h == y.h && second.w == y.w);
    if (doubled) made.top /= 2, made.bottom = (made.bottom + 1) / 2;
    if (doubled) made.left /= 2, made.right = (made.right + 1) / 2;
    const Reach& reach = alike ? kSame : kAll;
    want_input(reach, reach, made, &second);
  }
}

}  // namespace

uint64_t scratch_bytes(const Node& node, const Value& in) {
  const auto u = [](int64_t x) { return static_cast<uint64_t>(x); };
  if (node.op == Op::standardize) return 4 * u(in.w + 16) * 8;
  if (node.op == Op::conv_int) return 2 * u(node.k) * (u(in.w + 2 * node.p) * u(in.c) + 2);
  if (node.op == Op::conv_bits) return 4 * conv_bits_words(node, in);
  return 0;
}

int infer_shapes(const aoie_model& model, int64_t h, int64_t w, Plan* plan, const Message& message) {
  if (h < 1 || w < 1 || h > kMaxSide || w > kMaxSide) {
    message.print("a picture has sides of 1 to ", kMaxSide, " pixels; received h=", h, ", w=", w, ".");
    return AOIE_BAD_SIZE;
  }
  Value& image = plan->values[0];
  image.type = model.nodes[0].op == Op::raw ? AOIE_U8 : AOIE_I8;
  image.h = h;
  image.w = w;
  image.c = model.channels;
  image.bytes = value_bytes(image);
  image.held = h;
  make_all(&image);
  for (size_t i = 1; i < model.nodes.size(); ++i) {
    const Node& node = model.nodes[i];
    const Value& x = plan->values[node.in[0]];
    Value& y = plan->values[node.out] = infer(node, x);
    if (y.h < 1 || y.w < 1) {
      message.print(Where{nullptr, int(i) - 1, op_name(node.op), {}},
                    " has at least one output position; received a picture of ", Pixels{h, w},
                    " pixels (h, w). Take a larger one, or pad it.");
      return AOIE_BAD_SIZE;
    }
    if (y.stride > kMaxTotalStride) {
      message.print(Where{nullptr, int(i) - 1, op_name(node.op), {}}, ": the product of the strides is at most ",
                    kMaxTotalStride, "; received ", y.stride, ".");
      return AOIE_BAD_SIZE;
    }
    const Value& second = plan->values[node.in[1]];
    if (node.inputs == 2 && !fit(node, x, second)) {
      message.print(Where{nullptr, int(i) - 1, op_name(node.op), {}},
                    node.op == Op::upadd2 ? " takes a map and one of half its size, rounded up, and twice its stride"
                                          : " takes two values of one size",
                    (x.type == second.type ? "" : ", or a vec on a 1 x 1 grid"), "; received ", Pixels{x.h, x.w},
                    " and ", Pixels{second.h, second.w}, ".");
      return AOIE_BAD_SIZE;
    }
  }
  return AOIE_OK;
}

int make_plan(const aoie_model& model, int64_t h, int64_t w, const aoie_part* part, bool keep, int tasks, Plan* plan,
              const Message& message) {
  if (model.fixed && (h != model.height || w != model.width)) {
    message.print("the model takes pictures of exactly ", Pixels{model.height, model.width},
                  " pixels (h, w); received ", Pixels{h, w}, ". Resize first.");
    return AOIE_BAD_SIZE;
  }
  if (model.block_px > 0 && (h < model.block_px || w < model.block_px)) {
    message.print("a picture holds at least one block of ", model.block_px, " pixels; received ", Pixels{h, w},
                  " (h, w). Mirror it up to a block.");
    return AOIE_BAD_SIZE;
  }
  const int status = infer_shapes(model, h, w, plan, message);
  if (status != AOIE_OK) return status;
  if (part != nullptr) {
    const Value& result = plan->values[model.nodes.back().out];
    const bool inside = part->y >= 0 && part->x >= 0 && part->rows >= 1 && part->columns >= 1 &&
                        int64_t{part->y} + part->rows <= result.h && int64_t{part->x} + part->columns <= result.w;
    if (!inside) return AOIE_BAD_ARGUMENT;
    want_part(*part, model.fused, plan);
  }

  plan->scratch = 0;
  for (const Node& node : model.nodes) {
    const uint64_t bytes = aligned(scratch_bytes(node, plan->values[node.in[0]]));
    plan->scratch = bytes > plan->scratch ? bytes : plan->scratch;
  }
  plan->bytes = plan->scratch * static_cast<uint64_t>(tasks);
  const uint64_t begin = plan->bytes;
  if (keep)
    place_apart(model.plain, plan);
  else
    place_values(model.fused, plan);
  if (!keep && plan->bytes > kStripsFrom && model.fused.steps.size() > 1) {
    const uint64_t shared = plan->bytes;
    hold_rows(model.fused, tasks, plan);
    plan->bytes = begin;
    place_apart(model.fused, plan);
    plan->strips = plan->bytes < shared;
    if (!plan->strips) {  // ops that need whole maps
      for (const Node& node : model.nodes) {
        Value& v = plan->values[node.out];
        v.held = v.h, v.first = 0;
      }
      plan->bytes = begin;
      place_values(model.fused, plan);
    }
  }
  if (plan->bytes > kMaxWorkspace) {
    message.print("a run needs at most 2^38 bytes of workspace; received ", Pixels{h, w}, " pixels (h, w), which need ",
                  plan->bytes, ". Cut the picture into tiles.");
    return AOIE_BAD_SIZE;
  }
  return AOIE_OK;
}

}  // namespace aoie
