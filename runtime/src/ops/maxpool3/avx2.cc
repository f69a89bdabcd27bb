// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/maxpool3/body.inl"

namespace aoie {
void maxpool3_avx2(const OpArgs& args) { maxpool3(args); }
}  // namespace aoie
