// mul: a * b of one shape; or f32 [h, w, c] times vec [1, 1, c]. out may be an input of its own shape.
#include "ops/mul/body.inl"

namespace aoie {
void mul_reference(const OpArgs& args) { mul(args); }
}  // namespace aoie
