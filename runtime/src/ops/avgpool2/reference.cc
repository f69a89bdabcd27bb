// avgpool2: f32 [h, w, c] -> f32 [ceil(h/2), ceil(w/2), c]; the mean over the valid taps.
#include "ops/avgpool2/body.inl"

namespace aoie {
void avgpool2_reference(const OpArgs& args) { avgpool2(args); }
}  // namespace aoie
