#include "strips.h"

#include <initializer_list>

#include "reach.h"

namespace aoie {
namespace {

constexpr uint64_t kStripBytes = 1 << 20;  // of a map: a second-level cache
constexpr int64_t kLeastRows = 4;

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Output rows that the rows of input 0 in front of `ready` give.
int64_t rows_from(const Node& node, const Value& x, const Value& y, int64_t ready) {
  if (ready >= x.h) return y.bottom;
  const Reach reach = reach_of_rows(node);
  if (reach.extent == 0 || ready + reach.pad < reach.extent) return 0;
  return least(y.bottom, (ready + reach.pad - reach.extent) / reach.step + 1);
}

// The same of input 1: row by row, every row twice (upadd2), or a vec for all rows.
int64_t rows_from_second(const Node& node, const Value& x, const Value& y, int64_t ready) {
  if (node.op == Op::upadd2) return least(y.bottom, 2 * ready);
  return x.h == y.h ? ready : ready >= x.h ? y.bottom : 0;
}

// The first row of input 0 that a step needs which has made the rows of y in front of `done`.
int64_t first_needed(const Node& node, const Value& x, const Value& y, int64_t done) {
  if (done >= y.bottom) return x.h;
  const Reach reach = reach_of_rows(node);
  const int64_t row = reach.extent == 0 ? 0 : done * reach.step - reach.pad;
  return row < 0 ? 0 : row;
}

int64_t first_needed_of_second(const Node& node, const Value& x, const Value& y, int64_t done) {
  if (node.op == Op::upadd2) return done >= y.bottom ? x.h : done / 2;
  return x.h == y.h ? done : 0;
}

int64_t strip_rows(const Value& out, int tasks) {
  const auto rows = static_cast<int64_t>(kStripBytes / static_cast<uint64_t>(row_bytes(out))) * tasks;
  return rows < kLeastRows ? kLeastRows : rows;
}

}  // namespace

Strips::Strips(const Schedule& schedule, const Plan& plan, int tasks)
    : steps_(schedule.steps),
      last_use_(schedule.last_use),
      values_(plan.values),
      strip_(strip_rows(plan.values[schedule.steps[1].node->out], tasks)) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Value& y = values_[steps_[i].node->out];
    done_[i] = y.top;
    for (const int id : {steps_[i].out, steps_[i].bits})
      if (id >= 0) ready_[id] = i == 0 ? y.bottom : y.top;
  }
}

int64_t Strips::allowed(size_t index) const {
  const Step& step = steps_[index];
  const Node& node = *step.node;
  const Value &x = values_[step.in[0]], &y = values_[node.out];
  int64_t end = rows_from(node, x, y, ready_[step.in[0]]);
  if (node.inputs == 2 || step.add)
    end = least(end, rows_from_second(node, values_[step.in[1]], y, ready_[step.in[1]]));
  if (index == 1) end = least(end, done_[index] + strip_);
  return end < done_[index] ? done_[index] : end;
}

bool Strips::next(Part* part) {
  if (last_.step > 0) {
    const Step& made = steps_[last_.step];
    done_[last_.step] = last_.end;
    if (made.out >= 0) ready_[made.out] = last_.end;
    if (made.bits >= 0) ready_[made.bits] = last_.end;
  }
  const size_t count = steps_.size();
  if (done_[count - 1] >= values_[steps_.back().node->out].bottom) return false;
  size_t index = last_.step;
  int64_t end = 0;
  do {
    index = index + 1 < count ? index + 1 : 1;
    end = allowed(index);
  } while (end == done_[index]);
  *part = last_ = {index, done_[index], end};
  return true;
}

int64_t Strips::first_live(int value, size_t writer) const {
  const Value& x = values_[value];
  const int64_t last = last_use_[static_cast<size_t>(value)];
  if (last == INT32_MAX) return x.top;  // the result
  int64_t first = ready_[value];
  for (size_t i = writer + 1; static_cast<int64_t>(i) <= last && i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const Value& y = values_[step.node->out];
    if (step.in[0] == value) first = least(first, first_needed(*step.node, x, y, done_[i]));
    if ((step.node->inputs == 2 || step.add) && step.in[1] == value)
      first = least(first, first_needed_of_second(*step.node, x, y, done_[i]));
  }
  return first;
}

void hold_rows(const Schedule& schedule, int tasks, Plan* plan) {
  for (size_t i = 1; i < schedule.steps.size(); ++i)
    for (const int id : {schedule.steps[i].out, schedule.steps[i].bits})
      if (id >= 0) plan->values[id].held = 0, plan->values[id].first = plan->values[id].top;
  Strips strips(schedule, *plan, tasks);
  for (Part part; strips.next(&part);)
    for (const int id : {schedule.steps[part.step].out, schedule.steps[part.step].bits}) {
      if (id < 0) continue;
      int64_t& held = plan->values[id].held;
      const int64_t rows = part.end - strips.first_live(id, part.step);
      held = rows > held ? rows : held;
    }
}

}  // namespace aoie
