// upadd2: f32 [h, w, c] + f32 [ceil(h/2), ceil(w/2), c], each position of it twice in rows and columns; out may be the
// first input.
#include "ops/upadd2/body.inl"

namespace aoie {
void upadd2_reference(const OpArgs& args) { upadd2(args); }
}  // namespace aoie
