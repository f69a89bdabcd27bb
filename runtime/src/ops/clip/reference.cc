// clip: v < low ? low : (v > high ? high : v); out may be the input.
#include "ops/clip/body.inl"

namespace aoie {
void clip_reference(const OpArgs& args) { clip(args); }
}  // namespace aoie
