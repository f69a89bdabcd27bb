// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/gate/body.inl"

namespace aoie {
void gate_avx2(const OpArgs& args) { gate(args); }
}  // namespace aoie
