// A large picture goes through the network strip by strip: each step makes the rows that its inputs allow, so that a
// map is read while it is still in the cache. Same bits as step by step: every row is made once, from finished rows.
#ifndef AOIENET_STRIPS_H_
#define AOIENET_STRIPS_H_

#include "model.h"

namespace aoie {

constexpr uint64_t kStripsFrom = 16 << 20;  // workspace bytes; what is smaller stays in the cache as it is

// Output rows of each step, and rows of each value, that are finished.
struct Progress {
  int64_t done[kMaxOps + 1] = {};
  int64_t ready[kMaxValues] = {};
};

// How far step `index` can go now: an output row, at least progress.done[index].
int64_t rows_allowed(const Schedule& schedule, const Plan& plan, const Progress& progress, size_t index);

// Rows of the first convolution between two looks at the others.
int64_t strip_rows(const Value& out);

}  // namespace aoie
#endif  // AOIENET_STRIPS_H_
