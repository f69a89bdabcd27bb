// gate: input 0 > a ? input 1 : b * input 0 + d per channel; out may be one of the inputs.
#include "ops/gate/body.inl"

namespace aoie {
void gate_reference(const OpArgs& args) { gate(args); }
}  // namespace aoie
