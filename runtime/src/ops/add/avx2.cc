// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/add/body.inl"

namespace aoie {
void add_avx2(const OpArgs& args) { add(args); }
}  // namespace aoie
