// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/upadd2/body.inl"

namespace aoie {
void upadd2_avx2(const OpArgs& args) { upadd2(args); }
}  // namespace aoie
