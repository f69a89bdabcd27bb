// The loops of body.inl, vectorised over channels by the compiler with this unit's flags.
#include "ops/clip/body.inl"

namespace aoie {
void clip_avx2(const OpArgs& args) { clip(args); }
}  // namespace aoie
