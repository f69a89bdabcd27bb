// add: f32 [h, w, c] + f32 [h, w, c]; out may be one of the inputs.
#include "ops/add/body.inl"

namespace aoie {
void add_reference(const OpArgs& args) { add(args); }
}  // namespace aoie
