// What the row kernels of conv_bits share. Each input row is prepared once and kept while output rows need it: its
// words in the order in which the kernel reads them, zeros where the padding is, and the popcount of every position, so
// that rho of a window is a sum of k x kw numbers. The unit that includes this walks the row in chunks of kChunk
// positions: what a chunk needs stays in the first-level cache while the weights of a few output channels pass over it.
#include "ops/conv_bits/border.h"
#include "ops/conv_bits/packed.h"
#include "ops/kernels.h"

namespace aoie {
namespace {

// Places in args.scratch (scratch_bytes of plan.cc), all of 32-bit words.
struct Rows {
  const OpArgs& args;
  const Form form;
  const int64_t words, width, unit;  // words of a plane's position; positions of a padded row; words of a position
  uint32_t* const data;              // [k slots, planes, width, words]; tied: [k slots, width, words, 2]
  int32_t* const counts;             // [k slots, planes, width]: popcounts; tied: of both planes, and of p_1 & p_2
  uint32_t* const totals;            // [k slots, planes, width]: parity of all words of a position (kParity)
  int32_t* const columns;            // [planes, width]: counts of the k rows
  int32_t* const rho;                // [planes, ow]: counts of the windows
  float* const r;                    // [ow]: R of docs/format.md
  int32_t* const border;             // [ow]: offset of the column's constants in h
  uint32_t* const windows;           // [kWide, planes, k * kw * words] (kParity)
  int64_t held[3];                   // the input row in each slot

  explicit Rows(const OpArgs& a)
      : args(a),
        form(static_cast<Form>(*static_cast<const uint32_t*>(a.packed))),
        words((a.c + 31) / 32),
        width(a.w + 2 * a.pad_w),
        unit(words * (form == kTied ? 2 : 1)),
        data(static_cast<uint32_t*>(a.scratch)),
        counts(reinterpret_cast<int32_t*>(data + a.k * a.j * width * words)),
        totals(reinterpret_cast<uint32_t*>(counts + a.k * a.j * width)),
        columns(reinterpret_cast<int32_t*>(totals + a.k * a.j * width)),
        rho(columns + a.j * width),
        r(reinterpret_cast<float*>(rho + a.j * a.ow)),
        border(reinterpret_cast<int32_t*>(r + a.ow)),
        windows(reinterpret_cast<uint32_t*>(border + a.ow)),
        held{-2, -2, -2} {
    for (int64_t ox = 0; ox < a.ow; ++ox)
      border[ox] = static_cast<int32_t>(border_state(ox * a.s - a.pad_w, a.kw, a.w) * a.o_pad);
  }

  int64_t slot(int64_t y) const { return (y + args.k) % args.k; }  // y >= -1
  const uint32_t* row(int64_t y, int64_t plane) const {
    return data + (form == kTied ? slot(y) * 2 : slot(y) * args.j + plane) * width * words;
  }
};

inline uint32_t word_at(const uint64_t* position, int64_t word) {
  return static_cast<uint32_t>(position[word / 2] >> (word % 2 * 32));
}

// One plane of one position: its popcount, and its words.
inline int32_t prepare_plane(const uint64_t* from, int64_t words, uint32_t* to) {
  int32_t count = 0;
  for (int64_t word = 0; word < words; ++word) {
    to[word] = word_at(from, word);
    count += __builtin_popcount(to[word]);
  }
  return count;
}

// The same for an even number of words, where every even word becomes the parity of those up to it.
inline int32_t prepare_parity(const uint64_t* from, int64_t words, uint32_t* to, uint32_t* total) {
  int64_t count = 0;
  uint32_t odd = 0;
  for (int64_t i = 0; i < words / 2; ++i) {
    const uint64_t two = from[i], mixed = two ^ odd;
    count += __builtin_popcountll(two);
    __builtin_memcpy(to + 2 * i, &mixed, 8);
    odd = static_cast<uint32_t>(mixed) ^ static_cast<uint32_t>(two >> 32);
  }
  *total = odd;
  return static_cast<int32_t>(count);
}

// Both planes of one position, word by word: p_1, and where the planes agree. The pads of the last word agree.
inline void prepare_tied(const uint64_t* first, const uint64_t* second, int64_t words, uint32_t* to, int32_t* both,
                         int32_t* high) {
  int32_t count = 0, common = 0;
  for (int64_t word = 0; word < words; ++word) {
    const uint32_t p1 = word_at(first, word), p2 = word_at(second, word);
    count += __builtin_popcount(p1) + __builtin_popcount(p2);
    common += __builtin_popcount(p1 & p2);
    to[2 * word] = p1;
    to[2 * word + 1] = ~(p1 ^ p2);
  }
  *both = count;
  *high = common;
}

// prepare_plane and prepare_tied for count positions of whole 64-bit words; the unit has them.
void prepare_plane_row(const uint64_t* from, int64_t count, int64_t p64, uint32_t* to, int32_t* counts);
void prepare_tied_row(const uint64_t* first, const uint64_t* second, int64_t count, int64_t p64, uint32_t* to,
                      int32_t* both, int32_t* high);

// Positions begin ... end - 1 of a prepared row are outside of the picture: 0 bits.
inline void clear(const Rows& rows, int64_t slot, int64_t begin, int64_t end) {
  const int64_t planes = rows.args.j, width = rows.width, words = rows.words;
  for (int64_t j = 0; j < planes; ++j)
    for (int64_t x = begin; x < end; ++x)
      rows.counts[(slot * planes + j) * width + x] = 0, rows.totals[(slot * planes + j) * width + x] = 0;
  uint32_t* to = rows.data + slot * planes * width * words;
  if (rows.form == kTied) {
    for (int64_t i = begin * words; i < end * words; ++i) to[2 * i] = 0, to[2 * i + 1] = UINT32_MAX;
    return;
  }
  for (int64_t j = 0; j < planes; ++j)
    for (int64_t i = begin * words; i < end * words; ++i) to[j * width * words + i] = 0;
}

inline void prepare_row(Rows& rows, int64_t y) {
  const OpArgs& args = rows.args;
  const int64_t slot = rows.slot(y), words = rows.words, width = rows.width, planes = args.j;
  if (rows.held[slot] == y) return;
  rows.held[slot] = y;
  if (y < 0 || y >= args.h) return clear(rows, slot, 0, width);
  clear(rows, slot, 0, args.pad_w);
  clear(rows, slot, width - args.pad_w, width);
  const uint64_t* in = static_cast<const uint64_t*>(args.in0) + y * args.w * args.p64;
  const int64_t plane = args.h * args.w * args.p64;
  int32_t* counts = rows.counts + slot * planes * width;
  uint32_t* totals = rows.totals + slot * planes * width;
  uint32_t* to = rows.data + slot * planes * width * words;
  const bool whole = words == 2 * args.p64;
  if (rows.form == kTied && whole)
    return prepare_tied_row(in, in + plane, args.w, args.p64, to + args.pad_w * 2 * words, counts + args.pad_w,
                            counts + width + args.pad_w);
  if (rows.form == kTied) {
    for (int64_t x = 0, place = args.pad_w; x < args.w; ++x, ++place)
      prepare_tied(in + x * args.p64, in + plane + x * args.p64, words, to + place * 2 * words, counts + place,
                   counts + width + place);
    return;
  }
  for (int64_t j = 0; j < planes; ++j, in += plane) {
    const int64_t first = j * width + args.pad_w;
    if (rows.form == kParity)
      for (int64_t x = 0; x < args.w; ++x)
        counts[first + x] = prepare_parity(in + x * args.p64, words, to + (first + x) * words, totals + first + x);
    else if (whole)
      prepare_plane_row(in, args.w, args.p64, to + first * words, counts + first);
    else
      for (int64_t x = 0; x < args.w; ++x)
        counts[first + x] = prepare_plane(in + x * args.p64, words, to + (first + x) * words);
  }
}

// Sums over kernels of kTaps columns, every s positions.
template <int kTaps, int kStep>
inline void add_columns(const int32_t* __restrict columns, int64_t count, int32_t* __restrict rho) {
  for (int64_t ox = 0; ox < count; ++ox) {
    int32_t sum = 0;
    for (int kx = 0; kx < kTaps; ++kx) sum += columns[ox * kStep + kx];
    rho[ox] = sum;
  }
}

// rho of one plane for every window of an output row whose first input row is top.
inline void sum_windows(const Rows& rows, int64_t top, int64_t j) {
  const OpArgs& args = rows.args;
  const auto counts = [&](int64_t ky) { return rows.counts + (rows.slot(top + ky) * args.j + j) * rows.width; };
  int32_t* __restrict columns = rows.columns + j * rows.width;
  const int32_t *first = counts(0), *second = counts(args.k / 2), *third = counts(args.k - 1);
  if (args.k == 1)
    for (int64_t x = 0; x < rows.width; ++x) columns[x] = first[x];
  else
    for (int64_t x = 0; x < rows.width; ++x) columns[x] = first[x] + second[x] + third[x];
  int32_t* rho = rows.rho + j * args.ow;
  if (args.kw == 3)
    args.s == 1 ? add_columns<3, 1>(columns, args.ow, rho) : add_columns<3, 2>(columns, args.ow, rho);
  else
    args.s == 1 ? add_columns<1, 1>(columns, args.ow, rho) : add_columns<1, 2>(columns, args.ow, rho);
}

// rho and R of every window of an output row.
inline void prepare_sums(const Rows& rows, int64_t top) {
  const OpArgs& args = rows.args;
  for (int64_t j = 0; j < args.j; ++j) sum_windows(rows, top, j);
  const float first = args.plane_scale[0], second = args.plane_scale[args.j - 1];
  const int32_t *rho = rows.rho, *rho2 = rows.rho + (args.j - 1) * args.ow;
  float* __restrict r = rows.r;
  if (args.j == 2 && rows.form != kTied)
    for (int64_t ox = 0; ox < args.ow; ++ox)
      r[ox] = first * static_cast<float>(rho[ox]) + second * static_cast<float>(rho2[ox]);
  else
    for (int64_t ox = 0; ox < args.ow; ++ox) r[ox] = first * static_cast<float>(rho[ox]);
}

}  // namespace
}  // namespace aoie
