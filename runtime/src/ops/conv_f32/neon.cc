// 8 output channels in two registers; multiply and add stay two roundings.
#include "ops/tail/neon_floats.inl"

namespace aoie {
namespace {
constexpr int kPixels = 8;
}
}  // namespace aoie

#include "ops/conv_f32/lanes.inl"

namespace aoie {
void conv_f32_neon(const OpArgs& args) { conv_f32(args); }
}  // namespace aoie
