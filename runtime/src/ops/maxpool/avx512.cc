// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/maxpool/body.inl"

namespace aoie {
void maxpool_avx512(const OpArgs& args) { maxpool(args); }
}  // namespace aoie
