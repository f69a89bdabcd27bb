// kLanes pixels at a time in float32, and only where float32 decides the rounding.
//   v32 differs from the v of docs/format.md by less than 2^-20 of itself: n u - S is exact (below 2^24), n Q - S^2 is
//   exact in 64 bits and rounded once, and so are scale, the floor and the operations on them (2^-24 each, fewer than
//   eight of them); the root's Newton step leaves less than 2^-22. As |v| <= 127.5 wherever the clamp does not decide,
//   |v32 - v| < 2^-12. A v32 that is farther than that from the middle of two integers rounds as v does. The others,
//   one pixel of 2,000, are computed as written.
//
// The unit that includes this defines kLanes, Vi (u32 or i32 lanes), Vf and, of them:
//   vi_load, vi_store, vi_all, vi_add, vi_sub, vi_mul, vi_least, vi_most; vi_widen (kLanes bytes); vi_last (the last
//   lane in all); vi_scan (each lane the sum of those up to it); vi_mul_16 (factors of 16 bits, the second one not
//   negative); vf_all, vf_add, vf_sub, vf_mul, vf_min, vf_max, vf_from (i32); spread_of (n Q - S^2, rounded once);
//   root_guess (1 / sqrt within 2^-11.4 of itself); store_rounded (to bytes; the bits of lanes whose distance to the
//   integer is not below `decided`).
#include "ops/standardize/body.inl"

namespace aoie {
namespace {

struct Columns {
  uint32_t *sum, *squares;  // of each column over the rows of the window
  // of the columns before x; wrapped. Also r zeros before x = 0, and r times the whole behind x = w: no window is
  // clipped
  uint32_t *sum_to, *squares_to;
};

// Row `in` comes into the window and row `out` leaves it (NULL: none does), and the running sums follow.
void move_window(const Columns& c, const uint8_t* in, const uint8_t* out, int64_t w, int64_t r) {
  Vi carry = vi_all(0), carry_squares = carry;
  int64_t x = 0;
  for (; x + kLanes <= w; x += kLanes) {
    const Vi come = in == nullptr ? vi_all(0) : vi_widen(in + x),
             leave = out == nullptr ? vi_all(0) : vi_widen(out + x);
    // come^2 - leave^2 = (come - leave) (come + leave)
    const Vi change = vi_sub(come, leave), both = vi_add(come, leave);
    const Vi sum = vi_add(vi_load(c.sum + x), change);
    const Vi squares = vi_add(vi_load(c.squares + x), vi_mul_16(change, both));
    vi_store(c.sum + x, sum);
    vi_store(c.squares + x, squares);
    const Vi to = vi_add(vi_scan(sum), carry), squares_to = vi_add(vi_scan(squares), carry_squares);
    vi_store(c.sum_to + x + 1, to);
    vi_store(c.squares_to + x + 1, squares_to);
    carry = vi_last(to);
    carry_squares = vi_last(squares_to);
  }
  for (; x < w; ++x) {
    const uint32_t come = in == nullptr ? 0 : in[x], leave = out == nullptr ? 0 : out[x];
    c.sum_to[x + 1] = c.sum_to[x] + (c.sum[x] += come - leave);
    c.squares_to[x + 1] = c.squares_to[x] + (c.squares[x] += come * come - leave * leave);
  }
  const Vi all = vi_all(c.sum_to[w]), all_squares = vi_all(c.squares_to[w]);
  for (int64_t i = 1; i <= r; i += kLanes) vi_store(c.sum_to + w + i, all), vi_store(c.squares_to + w + i, all_squares);
}

struct Row {
  const uint8_t* image;
  int8_t* out;
  int64_t w, r, rows;  // r: half of the window; rows: of the picture in it
  double eps, scale;
};

// Pixels in the windows of those from x on.
inline Vi counts(const Row& row, int64_t x) {
  uint32_t lane[kLanes];
  for (int i = 0; i < kLanes; ++i) lane[i] = static_cast<uint32_t>(i);
  const Vi at = vi_add(vi_load(lane), vi_all(static_cast<uint32_t>(x)));
  const Vi half = vi_all(static_cast<uint32_t>(row.r)), w = vi_all(static_cast<uint32_t>(row.w));
  const Vi left = vi_most(vi_sub(at, half), vi_all(0));
  const Vi right = vi_least(vi_add(at, vi_add(half, vi_all(1))), w);
  return vi_mul(vi_sub(right, left), vi_all(static_cast<uint32_t>(row.rows)));
}

inline void exactly(const Row& row, const Columns& c, int64_t x) {
  const int64_t left = x < row.r ? 0 : x - row.r, right = x + row.r + 1 > row.w ? row.w : x + row.r + 1;
  const auto sum = static_cast<int32_t>(c.sum_to[right] - c.sum_to[left]);
  const auto squares = static_cast<int32_t>(c.squares_to[right] - c.squares_to[left]);
  const Sums sums{double(row.rows * (right - left)), double(sum), double(squares)};
  row.out[x] = standardized(row.image[x], sums, row.eps, row.scale);
}

// kLanes pixels from x on, in windows of n pixels.
inline void finish(const Row& row, const Columns& c, int64_t x, Vi n) {
  const auto window = [&](const uint32_t* to) { return vi_sub(vi_load(to + x + row.r + 1), vi_load(to + x - row.r)); };
  const Vi sum = window(c.sum_to), squares = window(c.squares_to);
  const Vf count = vf_from(n), u = vf_from(vi_widen(row.image + x));
  const Vf above = vf_sub(vf_mul(count, u), vf_from(sum));
  const Vf floor = vf_mul(vf_all(static_cast<float>(row.eps)), count);
  const Vf variance = vf_add(vf_mul(floor, floor), spread_of(n, sum, squares));
  const Vf guess = root_guess(variance);
  const Vf half = vf_mul(vf_mul(variance, guess), vf_mul(guess, vf_all(0.5f)));
  const Vf root = vf_mul(guess, vf_sub(vf_all(1.5f), half));
  const Vf v = vf_mul(vf_mul(vf_all(static_cast<float>(row.scale)), above), root);
  const Vf limited = vf_min(vf_max(v, vf_all(-127.0f)), vf_all(127.0f));
  for (uint32_t open = store_rounded(row.out + x, limited, 0.5f - 1.0f / 4096.0f); open != 0; open &= open - 1)
    exactly(row, c, x + __builtin_ctz(open));
}

void finish_row(const Row& row, const Columns& c) {
  const int64_t r = row.r, w = row.w;
  int64_t x = 0;
  for (; x < r; x += kLanes) finish(row, c, x, counts(row, x));
  const Vi n = vi_all(static_cast<uint32_t>(row.rows * (2 * r + 1)));
  for (; x + kLanes + r <= w; x += kLanes) finish(row, c, x, n);
  for (; x + kLanes <= w; x += kLanes) finish(row, c, x, counts(row, x));
  if (x < w) finish(row, c, w - kLanes, counts(row, w - kLanes));
}

bool moderate(double x) { return x >= 1.0 / 1024 && x <= 1024.0; }  // neither 0 nor infinity in float32, nor near

void standardize_windows(const OpArgs& args) {
  const int64_t h = args.h, w = args.w, r = args.window / 2, first = args.skip_top;
  // 181 * 181 * 255 < 2^24, 181 * 181 * 255 * 255 < 2^31; room for the sums' ends, and a whole vector
  const bool fits = args.window > 0 && args.window <= 181 && w >= args.window + kLanes;
  if (!fits || !moderate(args.scale) || !moderate(args.eps_levels)) return standardize(args);
  const auto* image = static_cast<const uint8_t*>(args.in0);
  auto* sums = static_cast<uint32_t*>(args.scratch);  // 8 (w + 16) of them
  const int64_t room = w + 1 + 2 * r + kLanes;
  const Columns c{sums, sums + w, sums + 2 * w + r, sums + 2 * w + room + r};
  for (int64_t x = 0; x < 2 * w + 2 * room; ++x) sums[x] = 0;
  int64_t top = first < r ? 0 : first - r, bottom = top;  // the rows in the sums: top <= row < bottom
  for (int64_t y = first; y < h - args.skip_bottom; ++y) {
    const int64_t want_top = y < r ? 0 : y - r, want_bottom = y + r + 1 > h ? h : y + r + 1;
    while (bottom < want_bottom || top < want_top) {
      const uint8_t* in = bottom < want_bottom ? image + bottom++ * w : nullptr;
      const uint8_t* out = top < want_top ? image + top++ * w : nullptr;
      move_window(c, in, out, w, r);
    }
    finish_row({image + y * w, static_cast<int8_t*>(args.out) + y * w, w, r, bottom - top, args.eps_levels, args.scale},
               c);
  }
}

}  // namespace
}  // namespace aoie
