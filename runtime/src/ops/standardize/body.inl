// Box sums in exact integers, O(1) per pixel: column sums slide down, their prefix sums give every window of a row.
// Scratch: 4 arrays of w + 16 u64.
#include "ops/kernels.h"

namespace aoie {
namespace {

struct Sums {
  double n, sum, squares;
};

// v in the order written in docs/format.md. Clamping to integers before rounding gives the same; !(v > low) also
// catches NaN. Adding and taking off 1.5 * 2^52 rounds to even.
inline int8_t standardized(double u, Sums t, double eps, double scale) {
  const double spread = t.n * t.squares - t.sum * t.sum;
  const double floor = eps * t.n;
  const double variance = (spread > 0.0 ? spread : 0.0) + floor * floor;
  double v = (scale * (t.n * u - t.sum)) / __builtin_sqrt(variance);
  v = v > -127.0 ? v : -127.0;
  v = v < 127.0 ? v : 127.0;
  const double round = 6755399441055744.0;
  return static_cast<int8_t>(static_cast<int32_t>((v + round) - round));
}

// T: uint32_t when every window's sum of squares is below 2^31 (differences of wrapped sums are then exact), else
// uint64_t.
template <typename T, typename Signed>
void standardize_as(const OpArgs& args) {
  const int64_t h = args.h, w = args.w;
  const int64_t r = args.window / 2;
  const bool whole = args.window == 0;
  const auto* __restrict image = static_cast<const uint8_t*>(args.in0);
  auto* __restrict out = static_cast<int8_t*>(args.out);
  T* __restrict col_sum = static_cast<T*>(args.scratch);
  T* __restrict col_sq = col_sum + (w + 16);
  T* __restrict pre_sum = col_sq + (w + 16);
  T* __restrict pre_sq = pre_sum + (w + 16);
  const double eps = args.eps_levels, scale = args.scale;

  for (int64_t x = 0; x < w; ++x) col_sum[x] = col_sq[x] = 0;
  const int64_t first = args.skip_top;
  int64_t top = whole || first < r ? 0 : first - r, bottom = top;  // the rows in col_*: top <= row < bottom
  for (int64_t y = first; y < h - args.skip_bottom; ++y) {
    const int64_t want_top = whole || y < r ? 0 : y - r;
    const int64_t want_bottom = whole || y + r + 1 > h ? h : y + r + 1;
    const bool moved = bottom != want_bottom || top != want_top;
    for (; bottom < want_bottom; ++bottom) {
      const uint8_t* __restrict row = image + bottom * w;
      for (int64_t x = 0; x < w; ++x) {
        const T u = row[x];
        col_sum[x] += u;
        col_sq[x] += u * u;
      }
    }
    for (; top < want_top; ++top) {
      const uint8_t* __restrict row = image + top * w;
      for (int64_t x = 0; x < w; ++x) {
        const T u = row[x];
        col_sum[x] -= u;
        col_sq[x] -= u * u;
      }
    }
    if (moved) {
      T sum = 0, squares = 0;
      pre_sum[0] = pre_sq[0] = 0;
      for (int64_t x = 0; x < w; ++x) {
        pre_sum[x + 1] = sum += col_sum[x];
        pre_sq[x + 1] = squares += col_sq[x];
      }
    }
    const uint8_t* __restrict row = image + y * w;
    int8_t* __restrict to = out + y * w;
    const int64_t rows = bottom - top;
    auto clipped = [&](int64_t from, int64_t end) {
      for (int64_t x = from; x < end; ++x) {
        const int64_t left = whole || x < r ? 0 : x - r;
        const int64_t right = whole || x + r + 1 > w ? w : x + r + 1;
        const T sum = pre_sum[right] - pre_sum[left], squares = pre_sq[right] - pre_sq[left];
        to[x] = standardized(row[x], {double(rows * (right - left)), double(Signed(sum)), double(Signed(squares))}, eps,
                             scale);
      }
    };
    const int64_t inner = whole || w < 2 * r + 1 ? w : r;
    clipped(0, inner);
    if (inner == w) continue;
    const int64_t inner_end = w - r;
    const double n = double(rows * (2 * r + 1));
    for (int64_t x = inner; x < inner_end; ++x) {
      const Signed sum = Signed(pre_sum[x + r + 1] - pre_sum[x - r]);
      const Signed squares = Signed(pre_sq[x + r + 1] - pre_sq[x - r]);
      to[x] = standardized(row[x], {n, double(sum), double(squares)}, eps, scale);
    }
    clipped(inner_end, w);
  }
}

void standardize(const OpArgs& args) {
  const bool small = args.window > 0 && args.window <= 181;  // 181 * 181 * 255 * 255 < 2^31
  if (small)
    standardize_as<uint32_t, int32_t>(args);
  else
    standardize_as<uint64_t, int64_t>(args);
}

}  // namespace
}  // namespace aoie
