// The loops of body.inl, vectorised by the compiler with this unit's flags; the values are those of the reference.
#include "ops/standardize/body.inl"

namespace aoie {
void standardize_avx512(const OpArgs& args) { standardize(args); }
}  // namespace aoie
