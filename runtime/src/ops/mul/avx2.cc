// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/mul/body.inl"

namespace aoie {
void mul_avx2(const OpArgs& args) { mul(args); }
}  // namespace aoie
