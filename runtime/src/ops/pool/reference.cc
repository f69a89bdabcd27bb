// pool: f32 [h, w, c] -> vec [oh, ow, c]; the mean over windows of k x k positions (0: the whole map), every s
// positions.
#include "ops/pool/body.inl"

namespace aoie {
void pool_reference(const OpArgs& args) { pool(args); }
}  // namespace aoie
