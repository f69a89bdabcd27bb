// standardize: u8 [h, w] -> i8 [h, w] with the mean and spread of the window around each pixel (docs/format.md, Input).
#include "ops/standardize/body.inl"

namespace aoie {
void standardize_reference(const OpArgs& args) { standardize(args); }
}  // namespace aoie
