// maxpool: f32 [h, w, c] -> f32 [oh, ow, c]; the largest of k x k taps, absent taps ignored.
#include "ops/maxpool/body.inl"

namespace aoie {
void maxpool_reference(const OpArgs& args) { maxpool(args); }
}  // namespace aoie
