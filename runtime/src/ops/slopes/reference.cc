// slopes: v > knee ? a * v + b : d * v + e per channel; out may be the input.
#include "ops/slopes/body.inl"

namespace aoie {
void slopes_reference(const OpArgs& args) { slopes(args); }
}  // namespace aoie
