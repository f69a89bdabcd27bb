// 16 outputs per vector.
#include "ops/tail/avx512_floats.inl"

#include "ops/linear/lanes.inl"

namespace aoie {
void linear_avx512(const OpArgs& args) { linear(args); }
}  // namespace aoie
