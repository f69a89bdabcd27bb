// sigmoid: 1 / (1 + exp(-v)) as docs/format.md writes it, in float64; out may be the input.
#include <cmath>
#include <cstring>

#include "ops/kernels.h"

namespace aoie {
namespace {

// 1/k! for k = 13 ... 0
constexpr double kTerms[] = {1.6059043836821613e-10,
                             2.08767569878681e-09,
                             2.505210838544172e-08,
                             2.755731922398589e-07,
                             2.7557319223985893e-06,
                             2.48015873015873e-05,
                             0.0001984126984126984,
                             0.001388888888888889,
                             0.008333333333333333,
                             0.041666666666666664,
                             0.16666666666666666,
                             0.5,
                             1.0,
                             1.0};
constexpr double kLimit = 40.0, kInvLn2 = 1.4426950408889634;
constexpr double kLn2High = 0.6931471803691238, kLn2Low = 1.9082149292705877e-10;

double power_of_two(double n) {  // n whole, |n| <= 58
  const uint64_t bits = static_cast<uint64_t>(static_cast<int64_t>(n) + 1023) << 52;
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float sigmoid(float v) {
  const double x = static_cast<double>(v);
  const double t = x > -kLimit ? (x < kLimit ? x : kLimit) : -kLimit;
  const double n = std::rint(t * kInvLn2);
  const double r = (t - n * kLn2High) - n * kLn2Low;
  double p = kTerms[0];
  for (int i = 1; i < 14; ++i) p = p * r + kTerms[i];
  const double e = p * power_of_two(n);
  return static_cast<float>(e / (1.0 + e));
}

}  // namespace

void sigmoid_reference(const OpArgs& args) {
  const auto* in = static_cast<const float*>(args.in0);
  auto* out = static_cast<float*>(args.out);
  for (int64_t i = 0; i < args.h * args.w * args.c; ++i) out[i] = sigmoid(in[i]);
}
}  // namespace aoie
