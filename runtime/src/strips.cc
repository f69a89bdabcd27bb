#include "strips.h"

namespace aoie {
namespace {

constexpr uint64_t kStripBytes = 512 << 10;  // of a map, half of a second-level cache
constexpr int64_t kLeastRows = 4;

// Output row r reads the input rows r * step - pad ... r * step - pad + extent - 1; extent 0: all rows.
struct Reach {
  int64_t extent, step, pad;
};

Reach reach_of(const Node& node) {
  switch (node.op) {
    case Op::conv_int:
    case Op::conv_bits:
      return {node.k, node.s, node.p};
    case Op::pool:
      return {node.k, node.s, 0};  // k = 0: the whole map
    case Op::peak:
      return {node.k, node.s, 0};
    case Op::avgpool2:
    case Op::subsample2:
      return {2, 2, 0};
    case Op::conv_f32:
      return {node.k == 1 && node.s == 1 ? 1 : 0, 1, 0};
    case Op::standardize:
    case Op::maxpool:
    case Op::rank1:  // not made for single rows: run.cc
      return {0, 1, 0};
    default:
      return {1, 1, 0};
  }
}

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Output rows that `ready` of the h input rows give.
int64_t rows_from(const Node& node, int64_t h, int64_t oh, int64_t ready) {
  if (ready >= h) return oh;
  const Reach reach = reach_of(node);
  if (reach.extent == 0 || ready + reach.pad < reach.extent) return 0;
  return least(oh, (ready + reach.pad - reach.extent) / reach.step + 1);
}

// The first input row that a step needs which has made `done` of oh output rows.
int64_t first_needed(const Node& node, int64_t h, int64_t oh, int64_t done) {
  if (done >= oh) return h;
  const Reach reach = reach_of(node);
  const int64_t row = reach.extent == 0 ? 0 : done * reach.step - reach.pad;
  return row < 0 ? 0 : row;
}

bool reads(const Step& step, int value) {
  const bool second = step.node->inputs == 2 || step.add;
  return step.in[0] == value || (second && step.in[1] == value);
}

}  // namespace

int64_t rows_allowed(const Schedule& schedule, const Plan& plan, const Progress& progress, size_t index) {
  const Step& step = schedule.steps[index];
  const Node& node = *step.node;
  const Value &x = plan.values[step.in[0]], &y = plan.values[node.out];
  int64_t end = rows_from(node, x.h, y.h, progress.ready[step.in[0]]);
  if (node.inputs == 2 || step.add) {  // row by row, or a vec for all rows
    const Value& second = plan.values[step.in[1]];
    const int64_t ready = progress.ready[step.in[1]];
    end = least(end, second.h == y.h ? ready : ready >= second.h ? y.h : 0);
  }
  // Writing over an input must wait for the steps before that still read it.
  for (int i = 0; i < 2 && step.out >= 0; ++i) {
    const Value& input = plan.values[step.in[i]];
    if (!step.in_place[i] || input.offset != plan.values[step.out].offset) continue;
    for (size_t before = 0; before < index; ++before) {
      const Step& reader = schedule.steps[before];
      if (!reads(reader, step.in[i])) continue;
      const int64_t oh = plan.values[reader.node->out].h;
      end = least(end, first_needed(*reader.node, input.h, oh, progress.done[before]));
    }
  }
  return end < progress.done[index] ? progress.done[index] : end;
}

int64_t strip_rows(const Value& out) {
  const auto rows = static_cast<int64_t>(kStripBytes / (out.bytes / static_cast<uint64_t>(out.h) + 1));
  return rows < kLeastRows ? kLeastRows : rows;
}

}  // namespace aoie
