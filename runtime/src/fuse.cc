// Which nodes run as one step: a convolution takes the add, slopes and binarize behind it into its registers. The same
// float32 operations in the same order, so the same bits; values that another op reads are still written.
#include "model.h"

namespace aoie {
namespace {

class Fuser {
 public:
  explicit Fuser(const aoie_model& model) : nodes_(model.nodes), taken_(nodes_.size(), false), readers_(kMaxValues) {
    for (size_t i = 1; i < nodes_.size(); ++i)
      for (int k = 0; k < nodes_[i].inputs; ++k) readers_[static_cast<size_t>(nodes_[i].in[k])].push_back(int(i));
  }

  std::vector<Step> steps() {
    std::vector<Step> at(nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (taken_[i]) continue;
      size_t last = i;
      const Step step = tail_of(int(i), &last);
      at[last] = step;
    }
    std::vector<Step> out;
    for (const Step& step : at)
      if (step.node != nullptr) out.push_back(step);
    return out;
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
    return (node.op == Op::conv_bits || node.op == Op::conv_int) && (node.isa == kAvx2 || node.isa == kAvx512);
  }

  // The only reader of a value when it is of this kind and in no other step yet (two convolutions may meet in one add),
  // else -1.
  int only(int value, Op op) const {
    const auto& readers = readers_[static_cast<size_t>(value)];
    if (readers.size() != 1 || taken_[static_cast<size_t>(readers[0])]) return -1;
    return nodes_[static_cast<size_t>(readers[0])].op == op ? readers[0] : -1;
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
      value = add.out;
    }
    if (const int i = only(value, Op::slopes); i >= 0) {
      step.slopes = &take(i, last);
      value = step.slopes->out;
    }
    step.out = value;
    const auto& readers = readers_[static_cast<size_t>(value)];
    for (const int i : readers)
      if (nodes_[static_cast<size_t>(i)].op == Op::binarize) {
        step.binarize = &nodes_[static_cast<size_t>(i)];
        step.bits = step.binarize->out;
        taken_[static_cast<size_t>(i)] = true;
        if (readers.size() == 1) step.out = -1;
        break;
      }
    step.tail = step.add || step.slopes != nullptr || step.binarize != nullptr;
    return step;
  }

  const Node& take(int index, size_t* last) {
    taken_[static_cast<size_t>(index)] = true;
    *last = static_cast<size_t>(index);
    return nodes_[static_cast<size_t>(index)];
  }

  const std::vector<Node>& nodes_;
  std::vector<bool> taken_;
  std::vector<std::vector<int>> readers_;  // by value id: indices of nodes
};

std::vector<int> last_uses(const std::vector<Step>& steps, int result) {
  std::vector<int> last(kMaxValues, -1);
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    for (const int id : {step.in[0], step.in[1], step.out, step.bits})
      if (id >= 0) last[static_cast<size_t>(id)] = int(i);
  }
  last[static_cast<size_t>(result)] = INT32_MAX;
  return last;
}

}  // namespace

void make_schedules(aoie_model* model) {
  for (const Node& node : model->nodes) model->plain.steps.push_back(Fuser::plain(node));
  model->fused.steps = Fuser(*model).steps();
  for (Schedule* schedule : {&model->plain, &model->fused})
    schedule->last_use = last_uses(schedule->steps, model->nodes.back().out);
}

}  // namespace aoie
