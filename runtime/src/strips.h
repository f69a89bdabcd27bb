// A large picture goes through the network strip by strip: each step makes the rows that its inputs allow, so that a
// map is read while it is still in the cache, and no more rows of it are held than are still read. Same bits as step by
// step: every row is made once, from finished rows.
#ifndef AOIENET_STRIPS_H_
#define AOIENET_STRIPS_H_

#include "model.h"

namespace aoie {

constexpr uint64_t kStripsFrom = 8 << 20;  // workspace bytes step by step; what is smaller stays in the cache

// Rows begin ... end - 1 of what a step makes.
struct Part {
  size_t step = 0;
  int64_t begin = 0, end = 0;
};

// The parts of all steps behind the transform, in order. 16 KB.
class Strips {
 public:
  Strips(const Schedule& schedule, const Plan& plan, int tasks);
  // The part before counts as made. False: all is made.
  bool next(Part* part);
  // The first row of a value that is still read, while the part given last is not made. writer: the step that makes it.
  int64_t first_live(int value, size_t writer) const;

 private:
  int64_t allowed(size_t index) const;

  const Span<Step>& steps_;
  const Span<int>& last_use_;
  const Value* const values_;
  const int64_t strip_;  // rows of the first convolution between two looks at the others
  Part last_;
  int64_t done_[kMaxOps + 1] = {};  // by step
  int64_t ready_[kMaxValues] = {};
};

// Sets `held` of every value for a run in strips.
void hold_rows(const Schedule& schedule, int tasks, Plan* plan);

}  // namespace aoie
#endif  // AOIENET_STRIPS_H_
