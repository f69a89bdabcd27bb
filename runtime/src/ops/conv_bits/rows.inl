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
  uint32_t* const data;     // [k slots, planes, width, words]; tied: [k slots, width, words, 2]; kParity: every
                            // even word is the parity of the words of the row up to it
  int32_t* const counts;    // [k slots, planes, width]: popcounts; tied: of both planes, and of p_1 & p_2
  int32_t* const columns;   // [planes, width]: counts of the k rows
  int32_t* const rho;       // [planes, ow]: counts of the windows
  float* const r;           // [ow]: R of docs/format.md
  int32_t* const border;    // [ow]: offset of the column's constants in h
  uint32_t* const windows;  // [kWide, planes, k * kw * words] (kParity), and kPad words behind
  int64_t held[3];          // the input row in each slot

  explicit Rows(const OpArgs& a)
      : args(a),
        form(static_cast<Form>(*static_cast<const uint32_t*>(a.packed))),
        words((a.c + 31) / 32),
        width(a.w + 2 * a.pad_w),
        unit(words * (form == kTied ? 2 : 1)),
        data(static_cast<uint32_t*>(a.scratch)),
        counts(reinterpret_cast<int32_t*>(data + a.k * a.j * width * words)),
        columns(counts + a.k * a.j * width),
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

// Input rows of count positions of p64 words each, as the forms read them; the unit has them. The popcounts of the
// positions go to counts, for two tied planes those of both and of p_1 & p_2. words: those of a position that are kept.
void prepare_plane_row(const uint64_t* from, int64_t count, int64_t p64, int64_t words, uint32_t* to, int32_t* counts);
void prepare_tied_row(const uint64_t* first, const uint64_t* second, int64_t count, int64_t p64, int64_t words,
                      uint32_t* to, int32_t* both, int32_t* high);
uint32_t prepare_parity_row(const uint64_t* from, int64_t count, int64_t p64, uint32_t* to, int32_t* counts);

// Positions begin ... end - 1 of a prepared row are outside of the picture: 0 bits.
inline void clear(const Rows& rows, int64_t slot, int64_t begin, int64_t end) {
  const int64_t planes = rows.args.j, width = rows.width, words = rows.words;
  for (int64_t j = 0; j < planes; ++j)
    for (int64_t x = begin; x < end; ++x) rows.counts[(slot * planes + j) * width + x] = 0;
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
  const int64_t plane = args.in_rows * args.w * args.p64;
  int32_t* counts = rows.counts + slot * planes * width + args.pad_w;
  uint32_t* to = rows.data + slot * planes * width * words + args.pad_w * rows.unit;
  if (rows.form == kTied) return prepare_tied_row(in, in + plane, args.w, args.p64, words, to, counts, counts + width);
  for (int64_t j = 0; j < planes; ++j, in += plane, counts += width, to += width * words) {
    if (rows.form != kParity) {
      prepare_plane_row(in, args.w, args.p64, words, to, counts);
      continue;
    }
    const uint32_t parity = prepare_parity_row(in, args.w, args.p64, to, counts);
    for (int64_t i = 0; i < args.pad_w * words; i += 2) to[args.w * words + i] = parity;  // zeros change no parity
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
