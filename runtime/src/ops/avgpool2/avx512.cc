// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/avgpool2/body.inl"

namespace aoie {
void avgpool2_avx512(const OpArgs& args) { avgpool2(args); }
}  // namespace aoie
