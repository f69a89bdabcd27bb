// What the kernels of conv_bits that count words share. Each input row is prepared once and kept while output rows need
// it: its words in the order in which the kernel reads them, zeros where the padding is, and the popcount of every
// position, so that rho of a window is a sum of k x kw numbers. The row is walked in chunks of kWide positions: what a
// chunk needs stays in the first-level cache while the weights of a few output channels pass over it. With n = pc(B'),
// the bits of a channel's weights, each form gives the pc of docs/format.md from what is cheaper to count:
//   kSeparate  pc_j = sum of popcount(B' & b'_j)
//   kTied      pc_1 + pc_2 = n + popcount(b'_1 & b'_2) - sum of popcount(~(b'_1 ^ b'_2) & (b'_1 ^ B')), because
//              (p1 ^ w) + (p2 ^ w) = d + 2 (~d & (p1 ^ w)) with d = p1 ^ p2
//   kParity    2 pc_j = n + rho_j - sum of popcount(a_i), a_i = b'_j ^ B' word by word, of which a full adder takes two
//              at a time
// The unit that includes this defines AOIE_TAIL, Vi (kLanes counts) and vi_float before, and behind it what is declared
// here only; for kParity also write_words and prepare_windows.
#include "ops/conv_bits/border.h"
#include "ops/conv_bits/packed.h"
#include AOIE_TAIL

#define AOIE_UNROLL _Pragma("GCC unroll 16")

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

  int64_t slot(int64_t y) const { return args.k == 1 ? 0 : (y + 3) % 3; }  // y >= -1; k is 1 or 3
  const uint32_t* row(int64_t y, int64_t plane) const {
    return data + (form == kTied ? slot(y) * 2 : slot(y) * args.j + plane) * width * words;
  }
};

// The sum of f(i) over the p64 words of each of count positions.
template <typename F>
inline void count_positions(int64_t count, int64_t p64, int32_t* counts, F f) {
  const auto all = [&](int64_t words) __attribute__((always_inline)) {
    for (int64_t x = 0; x < count; ++x) {
      int64_t sum = 0;
      for (int64_t i = x * words; i < (x + 1) * words; ++i) sum += f(i);
      counts[x] = static_cast<int32_t>(sum);
    }
  };
  p64 == 1 ? all(1) : p64 == 2 ? all(2) : p64 == 4 ? all(4) : all(p64);
}

// Rows of count positions of p64 words each, as the forms read them; words: those of a position that are kept.
template <Form kForm>
inline void write_words(const uint64_t* from, int64_t count, int64_t p64, int64_t words, uint32_t* to) {
  if (words == 2 * p64) {
    __builtin_memcpy(to, from, static_cast<uint64_t>(count * p64) * 8);
    return;
  }
  for (int64_t x = 0; x < count; ++x, from += p64, to += words) {  // the last word is half empty
    for (int64_t i = 0; i < p64 - 1; ++i) __builtin_memcpy(to + 2 * i, from + i, 8);
    to[words - 1] = static_cast<uint32_t>(from[p64 - 1]);
  }
}
// p_1 of a word, then where the planes agree, as do the pads of the last word.
void write_tied_words(const uint64_t* first, const uint64_t* second, int64_t count, int64_t p64, int64_t words,
                      uint32_t* to);

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

template <Form kForm>
void prepare_row(Rows& rows, int64_t y) {
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
  const auto ones = [](uint64_t word) { return __builtin_popcountll(word); };
  if (kForm == kTied) {
    count_positions(args.w, args.p64, counts, [&](int64_t i) { return ones(in[i]) + ones(in[plane + i]); });
    count_positions(args.w, args.p64, counts + width, [&](int64_t i) { return ones(in[i] & in[plane + i]); });
    return write_tied_words(in, in + plane, args.w, args.p64, words, to);
  }
  for (int64_t j = 0; j < planes; ++j, in += plane, counts += width, to += width * words) {
    count_positions(args.w, args.p64, counts, [&](int64_t i) { return ones(in[i]); });
    write_words<kForm>(in, args.w, args.p64, words, to);
    if (kForm != kParity) continue;
    uint32_t* end = to + args.w * words;
    for (int64_t i = 0; i < args.pad_w * words; i += 2) end[i] = end[-2] ^ end[-1];  // zeros change no parity
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

// What the positions of one output row have in common.
struct Line {
  const OpArgs& args;
  const Rows& rows;
  const Finish& finish;
  const float* h;  // of the row's border state
  const uint32_t *ones, *weights;
  int64_t size;              // words of one output channel
  const uint32_t* at[2][3];  // by plane: the input rows
};

// pc of plane j (kTied: of both), as integers.
template <Form kForm, int kPlanes, int kVecs, int kCount>
inline void counts_of(const Line& b, int64_t j, int64_t ox, int64_t o, Vi (&total)[kVecs][kCount]);
// What else a form makes of a chunk before it is counted.
template <Form kForm>
inline void prepare_windows(const Line&, int64_t, int64_t) {}

// kCount positions from ox on, kVecs vectors of output channels from o on.
template <Form kForm, int kPlanes, int kVecs, int kCount>
__attribute__((noinline)) void positions(const Line& b, int64_t ox, int64_t o, int64_t at_out) {
  const OpArgs& args = b.args;
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) expect<kCount>(b.finish, at_out + ox, o + v * kLanes);
  Vf c[kVecs][kCount];
  AOIE_UNROLL for (int j = 0; j < (kForm == kTied ? 1 : kPlanes); ++j) {
    Vi total[kVecs][kCount];
    counts_of<kForm, kPlanes, kVecs, kCount>(b, j, ox, o, total);
    const Vf scale = vf_all(args.plane_scale[j]);
    AOIE_UNROLL for (int v = 0; v < kVecs; ++v) AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
      const Vf count = vi_float(total[v][i]), plane = kForm == kTied ? count : vf_mul(scale, count);  // tied: 1
      c[v][i] = j == 0 ? plane : vf_add(c[v][i], plane);
    }
  }
  AOIE_UNROLL for (int v = 0; v < kVecs; ++v) {
    const int64_t first = o + v * kLanes, left = args.o - first;
    if (kLanes < kPad && left <= 0) break;  // a vector of pads
    const Vf e = vf_load(args.a + first), f = vf_load(args.b + first);
    Vf y[kCount];
    AOIE_UNROLL for (int i = 0; i < kCount; ++i) {
      const Vf products = vf_add(vf_mul(e, c[v][i]), vf_mul(f, vf_all(b.rows.r[ox + i])));
      y[i] = vf_add(products, vf_load(b.h + b.rows.border[ox + i] + first));
    }
    finish<kCount>(b.finish, at_out + ox, first, left < kLanes ? left : kLanes, y);
  }
}

// kCount positions from ox on: the call's output channels, block by block as they are packed.
template <Form kForm, int kPlanes, int kCount>
void channels(const Line& b, int64_t ox, int64_t at_out) {
  constexpr int kVecs = static_cast<int>(block_of(kLanes, kForm) / kLanes);
  int64_t o = b.args.skip_first;
  const int64_t end = b.args.o_pad - b.args.skip_last;
  for (; o + kVecs * kLanes <= end; o += kVecs * kLanes) positions<kForm, kPlanes, kVecs, kCount>(b, ox, o, at_out);
  const int64_t left = (end - o) / kLanes;
  if (kVecs == 4 && left == 3) positions<kForm, kPlanes, 3, kCount>(b, ox, o, at_out);
  if (kVecs == 4 && left == 2) positions<kForm, kPlanes, 2, kCount>(b, ox, o, at_out);
  if (kVecs * kLanes > kPad && left == 1) positions<kForm, kPlanes, 1, kCount>(b, ox, o, at_out);
}

template <Form kForm, int kPlanes>
void conv_bits_as(const OpArgs& args) {
  Rows rows(args);
  const Finish finish(args);
  const auto* packed = static_cast<const uint32_t*>(args.packed);
  Line b{args,
         rows,
         finish,
         nullptr,
         packed + kPackedHead,
         packed + kPackedHead + args.o_pad,
         args.k * args.kw * rows.words,
         {}};
  for (int64_t oy = args.skip_top; oy < args.oh - args.skip_bottom; ++oy) {
    const int64_t top = oy * args.s - args.pad, at_out = oy * args.ow;
    for (int64_t ky = 0; ky < args.k; ++ky) prepare_row<kForm>(rows, top + ky);
    for (int64_t j = 0; j < args.j; ++j)
      for (int64_t ky = 0; ky < 3; ++ky) b.at[j][ky] = rows.row(ky < args.k ? top + ky : top, j);
    prepare_sums(rows, top);
    clear_bits(args, at_out);
    b.h = args.d + border_state(top, args.k, args.h) * 4 * args.o_pad;
    const int64_t end = args.ow - args.skip_right;
    for (int64_t ox = args.skip_left; ox < end; ox += kWide) {
      const int64_t count = end - ox < kWide ? end - ox : kWide;
      prepare_windows<kForm>(b, ox, count);
      if (count == 4) channels<kForm, kPlanes, 4>(b, ox, at_out);
      if (count == 3) channels<kForm, kPlanes, 3>(b, ox, at_out);
      if (count == 2) channels<kForm, kPlanes, 2>(b, ox, at_out);
      if (count == 1) channels<kForm, kPlanes, 1>(b, ox, at_out);
    }
  }
}

}  // namespace
}  // namespace aoie
