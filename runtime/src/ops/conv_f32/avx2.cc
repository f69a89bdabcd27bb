// 8 output channels per vector; multiply and add stay two roundings.
#include "ops/tail/avx2_floats.inl"

namespace aoie {
namespace {
constexpr int kPixels = 8;
}  // namespace
}  // namespace aoie

#include "ops/conv_f32/lanes.inl"

namespace aoie {
void conv_f32_avx2(const OpArgs& args) { conv_f32(args); }
}  // namespace aoie
