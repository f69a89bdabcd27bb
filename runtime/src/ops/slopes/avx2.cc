// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/slopes/body.inl"

namespace aoie {
void slopes_avx2(const OpArgs& args) { slopes(args); }
}  // namespace aoie
