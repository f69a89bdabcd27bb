// maxpool3: 3x3, stride 2, padding 1, absent taps ignored.
#include "ops/maxpool3/body.inl"

namespace aoie {
void maxpool3_reference(const OpArgs& args) { maxpool3(args); }
}  // namespace aoie
