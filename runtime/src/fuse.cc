// Which nodes run as one step: a convolution takes the add, slopes and binarize behind it into its registers, and reads
// twice what it adds where that is the concat of a map with itself. The same float32 operations in the same order, so
// the same bits; values that another op reads are still written.
#include <initializer_list>

#include "model.h"

namespace aoie {
namespace {

class Fuser {
 public:
  Fuser(const aoie_model& model, Arena* arena) : nodes_(model.nodes), arena_(*arena), values_(model.value_count) {}

  bool steps(Span<Step>* out) {
    if (!arena_.borrow(nodes_.size(), &taken_) || !arena_.borrow(nodes_.size(), &at_) || !count_readers()) return false;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (taken_[i]) continue;
      size_t last = i;
      const Step step = tail_of(int(i), &last);
      at_[last] = step;
    }
    size_t count = 0;
    for (const Step& step : at_) count += step.node != nullptr ? 1 : 0;
    if (!arena_.take(count, out)) return false;
    count = 0;
    for (const Step& step : at_)
      if (step.node != nullptr) (*out)[count++] = step;
    return true;
  }

  static Step plain(const Node& node) {
    Step step;
    step.node = &node;
    step.out = node.out;
    for (int k = 0; k < 2; ++k) {
      step.in[k] = node.in[k];
      step.in_place[k] = k < node.inputs && node.in_place[k];
    }
    return step;
  }

 private:
  static bool has_tail(const Node& node) {  // kernels with ops/tail/body.inl
    return (node.op == Op::conv_bits || node.op == Op::conv_int) && node.isa != kReference;
  }

  bool count_readers() {
    const auto values = static_cast<size_t>(values_);
    if (!arena_.borrow(values, &readers_) || !arena_.borrow(values, &first_)) return false;
    for (size_t i = 1; i < nodes_.size(); ++i)
      for (int k = 0; k < nodes_[i].inputs; ++k) {
        const auto value = static_cast<size_t>(nodes_[i].in[k]);
        if (readers_[value]++ == 0) first_[value] = int(i);
      }
    return true;
  }

  // The only reader of a value when it is of this kind and in no other step yet (two convolutions may meet in one add),
  // else -1.
  int only(int value, Op op) const {
    const auto id = static_cast<size_t>(value);
    if (readers_[id] != 1 || taken_[static_cast<size_t>(first_[id])]) return -1;
    return nodes_[static_cast<size_t>(first_[id])].op == op ? first_[id] : -1;
  }

  // The first binarize that reads a value, or -1.
  int binarize_of(int value) const {
    if (readers_[static_cast<size_t>(value)] == 0) return -1;
    for (size_t i = static_cast<size_t>(first_[static_cast<size_t>(value)]); i < nodes_.size(); ++i)
      if (nodes_[i].op == Op::binarize && nodes_[i].in[0] == value) return int(i);
    return -1;
  }

  // The map whose concat with itself is this value, when only one op reads that and its halves are whole vectors; the
  // concat is no step then. Else -1.
  int doubled(int value) {
    if (readers_[static_cast<size_t>(value)] != 1) return -1;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const Node& node = nodes_[i];
      if (node.out != value) continue;
      if (node.op != Op::concat || node.in[0] != node.in[1] || node.o % (2 * kPad) != 0) return -1;
      taken_[i] = true;
      at_[i] = Step{};
      return node.in[0];
    }
    return -1;
  }

  // last: where the step stands, behind everything that its add reads and before everything that reads its map.
  Step tail_of(int index, size_t* last) {
    const Node& conv = nodes_[static_cast<size_t>(index)];
    Step step = plain(conv);
    if (!has_tail(conv)) return step;
    int value = conv.out;
    if (const int i = only(value, Op::add); i >= 0) {
      const Node& add = take(i, last);
      step.add = step.in_place[1] = true;
      step.in[1] = add.in[add.in[0] == value ? 1 : 0];
      if (const int half = doubled(step.in[1]); half >= 0) step.in[1] = half, step.in_place[1] = false;
      value = add.out;
    }
    if (const int i = only(value, Op::slopes); i >= 0) {
      step.slopes = &take(i, last);
      value = step.slopes->out;
    }
    step.out = value;
    if (const int i = binarize_of(value); i >= 0) {
      step.binarize = &nodes_[static_cast<size_t>(i)];
      step.bits = step.binarize->out;
      taken_[static_cast<size_t>(i)] = true;
      if (readers_[static_cast<size_t>(value)] == 1) step.out = -1;
    }
    step.tail = step.add || step.slopes != nullptr || step.binarize != nullptr;
    return step;
  }

  const Node& take(int index, size_t* last) {
    taken_[static_cast<size_t>(index)] = true;
    *last = static_cast<size_t>(index);
    return nodes_[static_cast<size_t>(index)];
  }

  const Span<Node>& nodes_;
  Arena& arena_;
  const int values_;
  Span<uint8_t> taken_;        // by node: it is in a step
  Span<Step> at_;              // by node: the step that stands there
  Span<int> readers_, first_;  // by value id: how many nodes read it, and the first that does
};

bool last_uses(const Span<Step>& steps, int values, int result, Arena* arena, Span<int>* out) {
  if (!arena->take(static_cast<size_t>(values), out)) return false;
  for (int& last : *out) last = -1;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    for (const int id : {step.in[0], step.in[1], step.out, step.bits})
      if (id >= 0) (*out)[static_cast<size_t>(id)] = int(i);
  }
  (*out)[static_cast<size_t>(result)] = INT32_MAX;
  return true;
}

}  // namespace

bool make_schedules(aoie_model* model, Arena* arena) {
  if (!arena->take(model->nodes.size(), &model->plain.steps)) return false;
  for (size_t i = 0; i < model->nodes.size(); ++i) model->plain.steps[i] = Fuser::plain(model->nodes[i]);
  if (!Fuser(*model, arena).steps(&model->fused.steps)) return false;
  for (Schedule* schedule : {&model->plain, &model->fused})
    if (!last_uses(schedule->steps, model->value_count, model->nodes.back().out, arena, &schedule->last_use))
      return false;
  return true;
}

}  // namespace aoie
