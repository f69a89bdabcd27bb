// 16 pixels at a time in float32, and only where float32 decides the rounding.
//   v32 differs from the v of docs/format.md by less than 2^-20 of itself: n u - S is exact (below 2^24), n Q - S^2 is
//   exact in 64 bits and rounded once, and so are scale, the floor and the operations on them (2^-24 each, fewer than
//   eight of them); the root's Newton step leaves 2^-26. As |v| <= 127.5 wherever the clamp does not decide, |v32 - v|
//   < 2^-12. A v32 that is farther than that from the middle of two integers rounds as v does. The others, one pixel of
//   2,000, are computed as written.
#include <immintrin.h>

#include "ops/standardize/body.inl"

namespace aoie {
namespace {

using Vi = __m512i;
using Vf = __m512;

inline __mmask16 first_lanes(int64_t count) { return static_cast<__mmask16>(count >= 16 ? 0xFFFF : (1u << count) - 1); }

inline Vi widen(const uint8_t* at, __mmask16 valid) { return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(valid, at)); }

// Running sums: each lane becomes the sum of the lanes up to it.
inline Vi scan(Vi x) {
  const Vi zero = _mm512_setzero_si512();
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 15));
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 14));
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 12));
  return _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 8));
}

struct Columns {
  uint32_t *sum, *squares;        // of each column over the rows of the window
  uint32_t *sum_to, *squares_to;  // of the columns before x, x = 0 ... w; wrapped
};

// Row `in` comes into the window and row `out` leaves it (NULL: none does), and the running sums follow.
void move_window(const Columns& c, const uint8_t* in, const uint8_t* out, int64_t w) {
  const Vi last = _mm512_set1_epi32(15);
  Vi carry = _mm512_setzero_si512(), carry_squares = carry;
  c.sum_to[0] = c.squares_to[0] = 0;
  for (int64_t x = 0; x < w; x += 16) {
    const __mmask16 valid = first_lanes(w - x);
    const Vi come = in == nullptr ? _mm512_setzero_si512() : widen(in + x, valid);
    const Vi leave = out == nullptr ? _mm512_setzero_si512() : widen(out + x, valid);
    // come^2 - leave^2 = (come - leave) (come + leave): two factors of 16 bits
    const Vi change = _mm512_sub_epi32(come, leave);
    const Vi both = _mm512_mask_mov_epi16(_mm512_setzero_si512(), 0x55555555, _mm512_add_epi32(come, leave));
    const Vi sum = _mm512_add_epi32(_mm512_maskz_loadu_epi32(valid, c.sum + x), change);
    const Vi squares =
        _mm512_add_epi32(_mm512_maskz_loadu_epi32(valid, c.squares + x), _mm512_madd_epi16(change, both));
    _mm512_mask_storeu_epi32(c.sum + x, valid, sum);
    _mm512_mask_storeu_epi32(c.squares + x, valid, squares);
    const Vi to = _mm512_add_epi32(scan(sum), carry), squares_to = _mm512_add_epi32(scan(squares), carry_squares);
    _mm512_mask_storeu_epi32(c.sum_to + x + 1, valid, to);
    _mm512_mask_storeu_epi32(c.squares_to + x + 1, valid, squares_to);
    carry = _mm512_permutexvar_epi32(last, to);
    carry_squares = _mm512_permutexvar_epi32(last, squares_to);
  }
}

// n * sum_of_squares - sum^2 per lane, rounded to float32 once.
inline Vf spread_of(Vi n, Vi sum, Vi squares) {
  const auto half = [](Vi count, Vi s, Vi q) {
    return _mm512_cvtepi64_ps(_mm512_sub_epi64(_mm512_mul_epu32(count, q), _mm512_mul_epu32(s, s)));
  };
  const auto upper = [](Vi v) { return _mm512_srli_epi64(v, 32); };
  const Vf even = _mm512_castps256_ps512(half(n, sum, squares));
  const Vf odd = _mm512_castps256_ps512(half(upper(n), upper(sum), upper(squares)));
  const Vi places = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return _mm512_permutex2var_ps(even, places, odd);
}

struct Row {
  const uint8_t* image;
  int8_t* out;
  int64_t w, r, rows;  // r: half of the window; rows: of the picture in it
  double eps, scale;
};

inline void exactly(const Row& row, const Columns& c, int64_t x) {
  const int64_t left = x < row.r ? 0 : x - row.r, right = x + row.r + 1 > row.w ? row.w : x + row.r + 1;
  const auto sum = static_cast<int32_t>(c.sum_to[right] - c.sum_to[left]);
  const auto squares = static_cast<int32_t>(c.squares_to[right] - c.squares_to[left]);
  const Sums sums{double(row.rows * (right - left)), double(sum), double(squares)};
  row.out[x] = standardized(row.image[x], sums, row.eps, row.scale);
}

// Of 16 pixels from x on, the window of each.
struct Windows {
  Vi n, sum, squares;  // pixels in it, their sum, the sum of their squares
};

inline Windows inner_windows(const Row& row, const Columns& c, int64_t x) {
  const auto sum = [&](const uint32_t* to) {
    return _mm512_sub_epi32(_mm512_loadu_si512(to + x + row.r + 1), _mm512_loadu_si512(to + x - row.r));
  };
  return {_mm512_set1_epi32(static_cast<int>(row.rows * (2 * row.r + 1))), sum(c.sum_to), sum(c.squares_to)};
}

// Windows that are clipped at the edges of the picture.
inline Windows edge_windows(const Row& row, const Columns& c, int64_t x, __mmask16 valid) {
  const Vi lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const int64_t r = row.r, w = row.w;
  const Vi at = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(x)));
  const Vi left =
      _mm512_max_epi32(_mm512_sub_epi32(at, _mm512_set1_epi32(static_cast<int>(r))), _mm512_setzero_si512());
  const Vi right = _mm512_min_epi32(_mm512_add_epi32(at, _mm512_set1_epi32(static_cast<int>(r + 1))),
                                    _mm512_set1_epi32(static_cast<int>(w)));
  const __mmask16 inside_left = _mm512_mask_test_epi32_mask(valid, left, left);
  const __mmask16 inside_right = first_lanes(w - (x + r) < 0 ? 0 : w - (x + r));
  const auto sum = [&](const uint32_t* to) {
    const Vi end = _mm512_mask_loadu_epi32(_mm512_set1_epi32(static_cast<int>(to[w])), inside_right, to + x + r + 1);
    return _mm512_sub_epi32(end, _mm512_maskz_loadu_epi32(inside_left, to + x - r));
  };
  const Vi n = _mm512_mullo_epi32(_mm512_sub_epi32(right, left), _mm512_set1_epi32(static_cast<int>(row.rows)));
  return {n, sum(c.sum_to), sum(c.squares_to)};
}

inline void finish(const Row& row, const Columns& c, const Windows& windows, int64_t x, __mmask16 valid) {
  const Vf scale = _mm512_set1_ps(static_cast<float>(row.scale)), eps = _mm512_set1_ps(static_cast<float>(row.eps));
  const Vf limit = _mm512_set1_ps(127.0f), decided = _mm512_set1_ps(0.5f - 1.0f / 4096.0f);
  const Vf count = _mm512_cvtepi32_ps(windows.n), u = _mm512_cvtepi32_ps(widen(row.image + x, valid));
  const Vf above = _mm512_fmsub_ps(count, u, _mm512_cvtepi32_ps(windows.sum));
  const Vf floor = _mm512_mul_ps(eps, count);
  const Vf variance = _mm512_fmadd_ps(floor, floor, spread_of(windows.n, windows.sum, windows.squares));
  const Vf guess = _mm512_rsqrt14_ps(variance);
  const Vf half = _mm512_mul_ps(_mm512_mul_ps(variance, guess), _mm512_mul_ps(guess, _mm512_set1_ps(0.5f)));
  const Vf root = _mm512_mul_ps(guess, _mm512_sub_ps(_mm512_set1_ps(1.5f), half));
  Vf v = _mm512_mul_ps(_mm512_mul_ps(scale, above), root);
  v = _mm512_min_ps(_mm512_max_ps(v, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
  const Vf whole = _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __mmask16 sure = _mm512_cmp_ps_mask(_mm512_abs_ps(_mm512_sub_ps(v, whole)), decided, _CMP_LT_OQ);
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(whole));
  if (valid == 0xFFFF)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(row.out + x), bytes);
  else
    _mm_mask_storeu_epi8(row.out + x, valid, bytes);
  for (uint32_t left_over = valid & ~sure; left_over != 0; left_over &= left_over - 1)
    exactly(row, c, x + __builtin_ctz(left_over));
}

void finish_row(const Row& row, const Columns& c) {
  int64_t x = 0;
  const auto edges = [&](int64_t end) {
    for (; x < end; x += 16) {
      const __mmask16 valid = first_lanes(row.w - x);
      finish(row, c, edge_windows(row, c, x, valid), x, valid);
    }
  };
  edges(row.r < row.w ? row.r : row.w);
  for (; x + 16 + row.r <= row.w; x += 16) finish(row, c, inner_windows(row, c, x), x, 0xFFFF);
  edges(row.w);
}

void standardize_windows(const OpArgs& args) {
  const int64_t h = args.h, w = args.w, r = args.window / 2, first = args.skip_top;
  const auto* image = static_cast<const uint8_t*>(args.in0);
  auto* sums = static_cast<uint32_t*>(args.scratch);
  const Columns c{sums, sums + (w + 16), sums + 2 * (w + 16), sums + 3 * (w + 16)};
  for (int64_t x = 0; x < 2 * (w + 16); ++x) sums[x] = 0;
  int64_t top = first < r ? 0 : first - r, bottom = top;  // the rows in the sums: top <= row < bottom
  for (int64_t y = first; y < h - args.skip_bottom; ++y) {
    const int64_t want_top = y < r ? 0 : y - r, want_bottom = y + r + 1 > h ? h : y + r + 1;
    while (bottom < want_bottom || top < want_top) {
      const uint8_t* in = bottom < want_bottom ? image + bottom++ * w : nullptr;
      const uint8_t* out = top < want_top ? image + top++ * w : nullptr;
      move_window(c, in, out, w);
    }
    finish_row({image + y * w, static_cast<int8_t*>(args.out) + y * w, w, r, bottom - top, args.eps_levels, args.scale},
               c);
  }
}

bool moderate(double x) { return x >= 1.0 / 1024 && x <= 1024.0; }  // neither 0 nor infinity in float32, nor near

}  // namespace

void standardize_avx512(const OpArgs& args) {
  // 181 * 181 * 255 < 2^24, 181 * 181 * 255 * 255 < 2^31
  if (args.window > 0 && args.window <= 181 && moderate(args.scale) && moderate(args.eps_levels))
    standardize_windows(args);
  else
    standardize(args);
}
}  // namespace aoie
