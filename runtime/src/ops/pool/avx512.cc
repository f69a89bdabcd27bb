// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/pool/body.inl"

namespace aoie {
void pool_avx512(const OpArgs& args) { pool(args); }
}  // namespace aoie
