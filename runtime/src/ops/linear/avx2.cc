// 8 outputs per vector.
#include "ops/tail/avx2_floats.inl"

#include "ops/linear/lanes.inl"

namespace aoie {
void linear_avx2(const OpArgs& args) { linear(args); }
}  // namespace aoie
