// The proof that no picture makes infinity or NaN (docs/format.md, Ranges): from the constants of a file a bound of the
// magnitude of every value, and of every number on the way to it, in the order of the kernels.
#include <algorithm>
#include <cmath>

#include "reader.h"

namespace aoie {
namespace {

constexpr double kLimit = 0x1p126;  // float32 ends at 2^128
constexpr int64_t kMostTerms = 1 << 24;

// The bound of a float32 result behind `roundings` roundings whose exact terms have magnitudes of `exact` in sum.
// (1 + 2^-24)^n <= 1 + n 2^-23 up to n = 2^22, and what is left of it covers the float64 arithmetic here. 2^-100: a
// product below the normal numbers is rounded by an absolute, not a relative error.
double rounded(double exact, int64_t roundings = 8) {
  return exact * (1.0 + static_cast<double>(roundings) * 0x1p-23) + 0x1p-100;
}

int64_t terms_of(const Node& node) { return node.k * node.k * (node.c / node.groups); }  // of an output

double largest(const Span<const float>& constants) {
  float most = 0;
  for (const float v : constants) most = std::max(most, std::abs(v));
  return static_cast<double>(most);
}

struct Bound {
  double value;
  double inner = 0;  // of numbers on the way to the value that may be larger
};

// The largest sum |weight| of an output.
template <typename T>
double heaviest(const Node& node) {
  const auto* weight = static_cast<const T*>(node.weight);
  const int64_t terms = terms_of(node);
  double most = 0;
  for (int64_t o = 0; o < node.o; ++o, weight += terms) {
    double sum = 0;
    for (int64_t i = 0; i < terms; ++i) sum += std::abs(static_cast<double>(weight[i]));
    most = std::max(most, sum);
  }
  return most;
}

Bound conv_bits(const Node& node) {
  const double bits = static_cast<double>(node.j * node.k * node.kw * node.c);
  const double sums = rounded(bits * largest(node.plane_scale));  // C and R
  return {rounded((largest(node.a) + largest(node.b)) * sums + largest(node.d)), sums};
}

Bound clip(const Node& node, double x) {  // it is monotonic
  const auto low = static_cast<double>(node.low), high = static_cast<double>(node.high);
  const auto clipped = [&](double v) { return std::abs(std::min(std::max(v, low), high)); };
  return {std::max(clipped(-x), clipped(x))};
}

// With P the power of two at or above x (P <= 2 x), the sum of n values is at most n P, which is a float32 up to
// n = 2^24, so that no rounding leads beyond it; from 2^24 P on one more value no longer changes the sum.
Bound mean(double x, int64_t n) { return {rounded(2 * x), 2 * static_cast<double>(std::min(n, kMostTerms)) * x}; }

// x and y bound the inputs; positions: of a whole map that is pooled. Nothing is rounded where an op chooses one of its
// inputs' values, nor in avgpool2, whose sum is at most four times a float32.
Bound bound_of(const Node& node, double x, double y, int64_t positions) {
  switch (node.op) {
    case Op::conv_int:
      return {rounded(heaviest<int16_t>(node) * 128 * largest(node.a) + largest(node.b))};  // the sum is exact
    case Op::conv_bits:
      return conv_bits(node);
    case Op::conv_f32:
    case Op::linear:
      return {rounded(heaviest<float>(node) * x + largest(node.a), terms_of(node) + 1)};
    case Op::add:
    case Op::upadd2:
      return {rounded(x + y)};
    case Op::mul:
      return {rounded(x * y)};
    case Op::gate:
      return {std::max(y, rounded(largest(node.b) * x + largest(node.d)))};
    case Op::slopes:
      return {rounded(std::max(largest(node.a), largest(node.d)) * x + std::max(largest(node.b), largest(node.e)))};
    case Op::clip:
      return clip(node, x);
    case Op::sigmoid:
      return {1.0};
    case Op::rank1: {
      const double factor = rounded(largest(node.a) * largest(node.b));
      return {rounded(x * factor), factor};
    }
    case Op::avgpool2:
      return {x, 4 * x};
    case Op::pool:
      return mean(x, node.k == 0 ? positions : node.k * node.k);
    case Op::maxpool:
    case Op::subsample2:
    case Op::channels:
    case Op::peak:
      return {x};
    case Op::concat:
      return {std::max(x, y)};
    case Op::raw:
    case Op::center:
    case Op::standardize:
    case Op::thermometer:
    case Op::binarize:
      return {0.0};  // no floats come out, and comparisons take any
  }
  return {2 * kLimit};  // an op without a proof is refused
}

int power_of_two_at_or_above(double bound) {  // of a bound above the limit
  int exponent = 126;
  for (double power = kLimit; power < bound; power *= 2) ++exponent;
  return exponent;
}

}  // namespace

bool check_ranges(const aoie_model& model, const Span<Value>& values, Arena* arena, Refusal* no) {
  const size_t borrowed = arena->borrowed();
  Span<double> bounds;  // by value id
  if (!arena->borrow(values.size(), &bounds)) return no->no_memory(arena->peak_bytes());
  for (size_t i = 1; i < model.nodes.size(); ++i) {
    const Node& node = model.nodes[i];
    const auto x = static_cast<size_t>(node.in[0]), y = static_cast<size_t>(node.in[1]);
    const Bound bound =
        bound_of(node, bounds[x], bounds[y], model.fixed ? values[x].h * values[x].w : kMaxSide * kMaxSide);
    const double most = std::max(bound.value, bound.inner);
    Where where = Where::op(static_cast<int>(i) - 1);
    where.name = op_name(node.op);
    if (most > kLimit)
      return no->refuse(where, ": no picture makes a number above 2^126 in it", kReceived,
                        "constants, here or before it, that allow 2^", power_of_two_at_or_above(most),
                        ". Export a network that converged, or clip before it");
    bounds[static_cast<size_t>(node.out)] = bound.value;
  }
  arena->give_back(borrowed);
  return true;
}

}  // namespace aoie
