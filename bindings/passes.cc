// What a training step does to whole maps, a pass over memory each. The formulas: aoienet/quant/normed.py, nn/tail.py.
// A map is one row of values whose channel runs fastest: float, double, or BF16 as uint16; constants are a value per
// channel. Arithmetic on BF16 is that of float. Sums do not depend on the threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <vector>

#define INLINE inline __attribute__((always_inline))

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename T>
using Array = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr int64_t kRow = 64;         // constants are repeated to about this: whole vectors also of few channels
constexpr int64_t kShare = 1 << 16;  // values that are summed in T; shares are added up in double, in their order

template <typename M>
struct Computed {
  using Type = M;
};
template <>
struct Computed<uint16_t> {
  using Type = float;
};
template <typename M>
using Compute = typename Computed<M>::Type;

INLINE float load(float x) { return x; }
INLINE double load(double x) { return x; }
INLINE float load(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

INLINE void store(float& to, float x) { to = x; }
INLINE void store(double& to, double x) { to = x; }
INLINE void store(uint16_t& to, float x) {  // to nearest, ties to even; NaN stays NaN
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  to = static_cast<uint16_t>((x == x ? rounded : 0x7fc00000u) >> 16);
}

// slope(u) = max(0, height - fall |u|) where low <= u <= high; annealed: height (1 - tanh^2(fall u))
// (aoienet/quant/ste.py).
template <typename T>
struct Shape {
  bool annealed;
  T height, fall, low, high;
};

INLINE float exp_of(float x) {  // for x <= 0, to a few units in the last place
  const float scaled = x * 1.44269504f, y = scaled > -126 ? scaled : -126.0f;
  const float whole = std::floor(y), part = (y - whole) * 0.693147181f;
  const float tail = 0.0416666667f + part * (0.00833333333f + part * (0.00138888889f + part * 0.000198412698f));
  const float sum = 1 + part * (1 + part * (0.5f + part * (0.166666667f + part * tail)));
  const int32_t bits = (static_cast<int32_t>(whole) + 127) * (1 << 23);
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return sum * power;
}
INLINE double exp_of(double x) { return std::exp(x); }

template <bool kAnnealed, typename T>
INLINE T slope(T u, const Shape<T>& s) {
  if (kAnnealed) {
    const T e = exp_of(-2 * s.fall * std::abs(u));
    return s.height * 4 * e / ((1 + e) * (1 + e));
  }
  const T value = s.height - s.fall * std::abs(u);
  const bool inside = (value > 0) & (u >= s.low) & (u <= s.high);  // without a branch
  return inside ? value : T(0);
}

// The values of a map in shares of whole rows of `row` values, the length that constants are repeated to.
struct Shares {
  int64_t channels, row, count, size;

  Shares(int64_t values, int64_t channels_) : channels(channels_) {
    row = channels * std::max<int64_t>(1, kRow / channels);
    size = std::max<int64_t>(1, kShare / row) * row;
    count = (values + size - 1) / size;
  }
};

template <typename T>
std::vector<T> repeated(const Matrix<const T>& constants, const Shares& shares) {
  std::vector<T> out(constants.shape(0) * static_cast<size_t>(shares.row));
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t line = i / static_cast<size_t>(shares.row), at = i % static_cast<size_t>(shares.row);
    out[i] = constants(line, at % static_cast<size_t>(shares.channels));
  }
  return out;
}

// By the threads that PyTorch has: its OpenMP runtime is loaded already, and threads of another one would wait for the
// same cores.
template <typename F>
void for_each_share(const Shares& shares, int64_t values, int threads, const F& work) {
  nb::gil_scoped_release release;
#pragma omp parallel for schedule(static) num_threads(std::max(1, threads))
  for (int64_t i = 0; i < shares.count; ++i) work(i, i * shares.size, std::min((i + 1) * shares.size, values));
}

// Sums per channel of `lines` quantities: T within a share, double across them.
template <typename T>
struct Sums {
  Sums(const Shares& shares_, int64_t lines_)
      : shares(shares_), lines(lines_), parts(static_cast<size_t>(shares.count * lines * shares.channels)) {}

  void put(int64_t share, const std::vector<T>& rows) {
    double* part = &parts[static_cast<size_t>(share * lines * shares.channels)];
    for (int64_t i = 0; i < lines * shares.row; ++i)
      part[i / shares.row * shares.channels + i % shares.row % shares.channels] += rows[static_cast<size_t>(i)];
  }

  nb::object array() const {
    const auto size = static_cast<size_t>(lines * shares.channels);
    auto total = std::make_unique<double[]>(size);
    for (size_t i = 0; i < parts.size(); ++i) total[i % size] += parts[i];
    double* data = total.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    const size_t shape[2] = {static_cast<size_t>(lines), static_cast<size_t>(shares.channels)};
    return nb::cast(nb::ndarray<nb::numpy, double, nb::ndim<2>>(data, 2, shape, owner));
  }

  const Shares& shares;
  int64_t lines;
  std::vector<double> parts;
};

// One pass over the values [first, last). `row` values of constants and of sums lie at the same places in each of their
// lines.
template <typename M>
struct Pass {
  using T = Compute<M>;
  const M *x, *grad;  // grad: of what the layer gave out
  M* out;
  const T* lines;             // constants
  const M* beside = nullptr;  // a second map; may be missing
  T* sums = nullptr;
  int64_t row = 0, first = 0, last = 0;
  int planes = 0;
  T low = 0;
  const T* steps = nullptr;
  Shape<T> shape = {};
};

#ifdef __clang__
#define APART _Pragma("clang loop vectorize(assume_safety)")
#define AVX512 "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq"
#else
#define APART _Pragma("GCC ivdep")
#define AVX512 "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq,prefer-vector-width=512"
#endif
// Lines of constants and of sums do not overlap.
#define ROWS(p)                                          \
  for (int64_t at = (p).first; at < (p).last; at += row) \
  APART for (int64_t i = 0, length = std::min(row, (p).last - at); i < length; ++i)

template <typename M, typename T = Compute<M>>
INLINE void stats_pass(const Pass<M>& p) {
  const M* __restrict x = p.x;
  const T* __restrict origin = p.lines;
  T* __restrict sums = p.sums;
  const int64_t row = p.row;
  ROWS(p) {
    const T v = load(x[at + i]) - origin[i];
    sums[i] += v;
    sums[row + i] += v * v;
  }
}

template <int kPlanes, typename M, typename T = Compute<M>>
INLINE void planes_of(const Pass<M>& p) {
  const M* __restrict x = p.x;
  const T* __restrict lines = p.lines;
  M* __restrict out = p.out;
  const int64_t row = p.row;
  const T low = p.low, step[2] = {p.steps[0], p.steps[kPlanes - 1]};
  ROWS(p) {
    const T v = load(x[at + i]);
    T q = low;
    for (int j = 0; j < kPlanes; ++j) {
      const T *gain = lines + 2 * j * row, *offset = gain + row;
      q += v * gain[i] + offset[i] >= 0 ? step[j] : T(0);
    }
    store(out[at + i], q);
  }
}

// Of one plane at one place; not a loop over planes, which would keep the loop over places from being vectorised.
template <bool kAnnealed, typename T>
INLINE T plane_gradient(T h, T g, const T* lines, T* sums, int64_t row, const Shape<T>& shape) {
  const T weight = lines[0], u = h * lines[row] + lines[2 * row], d_p = slope<kAnnealed>(u, shape) * g;
  sums[0] += d_p;
  sums[row] += d_p * h;
  sums[2 * row] += u >= 0 ? g : T(0);
  return d_p * weight;
}

template <int kPlanes, bool kAnnealed, typename M, typename T = Compute<M>>
INLINE void gradient_of(const Pass<M>& p) {
  const M* __restrict x = p.x, * __restrict grad = p.grad;
  const T* __restrict lines = p.lines;
  M* __restrict out = p.out;
  T* __restrict sums = p.sums;
  const int64_t row = p.row;
  const T *scale = lines, *shift = lines + row;
  const Shape<T> shape = p.shape;
  ROWS(p) {
    const T h = load(x[at + i]) * scale[i] + shift[i], g = load(grad[at + i]);
    sums[i] += g;
    T d_h = plane_gradient<kAnnealed>(h, g, lines + 2 * row + i, sums + row + i, row, shape);
    if (kPlanes > 1) d_h += plane_gradient<kAnnealed>(h, g, lines + 5 * row + i, sums + 4 * row + i, row, shape);
    store(out[at + i], d_h);
  }
}

template <typename M>
INLINE void planes_pass(const Pass<M>& p) {
  p.planes == 1 ? planes_of<1>(p) : planes_of<2>(p);
}

template <typename M>
INLINE void gradient_pass(const Pass<M>& p) {
  if (p.shape.annealed)
    p.planes == 1 ? gradient_of<1, true>(p) : gradient_of<2, true>(p);
  else
    p.planes == 1 ? gradient_of<1, false>(p) : gradient_of<2, false>(p);
}

template <typename M, typename T = Compute<M>>
INLINE void join_pass(const Pass<M>& p) {
  const M *x = p.x, *d = p.grad;
  const T* __restrict lines = p.lines;
  M* out = p.out;  // may be d or x
  const int64_t row = p.row;
  const T *by_d = lines, *by_x = lines + row, *constant = by_x + row;
  ROWS(p) store(out[at + i], load(d[at + i]) * by_d[i] + load(x[at + i]) * by_x[i] + constant[i]);
}

// What an activation of two slopes sees at one place, and gives out.
template <bool kBeside, typename M, typename T = Compute<M>>
struct Bend {
  T apart, above, slope, value;

  INLINE Bend(const Pass<M>& p, int64_t at, int64_t i) {
    const int64_t row = p.row;
    const T *gain = p.lines + row + i, *offset = gain + row, *pos = offset + row, *neg = pos + row, *after = neg + row;
    apart = load(p.x[at + i]) - p.lines[i];
    T v = apart * *gain + *offset;
    if (kBeside) v += load(p.beside[at + i]);
    above = v;
    const T up = *pos, down = *neg;
    slope = v > 0 ? up : down;
    value = v * slope + *after;
  }
};

template <bool kBeside, typename M>
INLINE void bend_of(const Pass<M>& p) {
  const int64_t row = p.row;
  ROWS(p) store(p.out[at + i], Bend<kBeside, M>(p, at, i).value);
}

template <bool kBeside, bool kGrad, typename M, typename T = Compute<M>>
INLINE void bend_sums_with(const Pass<M>& p) {
  const int64_t row = p.row;
  T* __restrict sums = p.sums;
  ROWS(p) {
    const T v = Bend<kBeside, M>(p, at, i).value;
    T g = v;
    if (kGrad) g = load(p.grad[at + i]);
    sums[i] += g;
    sums[row + i] += g * v;
  }
}

template <bool kBeside, typename M>
INLINE void bend_sums_of(const Pass<M>& p) {
  p.grad ? bend_sums_with<kBeside, true>(p) : bend_sums_with<kBeside, false>(p);
}

template <bool kBeside, typename M, typename T = Compute<M>>
INLINE void bend_gradient_of(const Pass<M>& p) {
  const int64_t row = p.row;
  T* __restrict sums = p.sums;
  const T *by_grad = p.lines + 6 * row, *by_value = by_grad + row, *constant = by_value + row;
  ROWS(p) {
    const Bend<kBeside, M> b(p, at, i);
    const T d = load(p.grad[at + i]) * by_grad[i] + b.value * by_value[i] + constant[i];
    const T product = d * b.above, d_v = d * b.slope;
    sums[i] += d;
    sums[row + i] += b.above > 0 ? product : T(0);
    sums[2 * row + i] += b.above > 0 ? T(0) : product;
    sums[3 * row + i] += d_v;
    sums[4 * row + i] += d_v * b.apart;
    store(p.out[at + i], d_v);
  }
}

#define WITH_OR_WITHOUT(name)                            \
  template <typename M>                                  \
  INLINE void name##_pass(const Pass<M>& p) {            \
    p.beside ? name##_of<true>(p) : name##_of<false>(p); \
  }
WITH_OR_WITHOUT(bend)
WITH_OR_WITHOUT(bend_sums)
WITH_OR_WITHOUT(bend_gradient)

// float and BF16 for the widest vectors that the processor has; double, which only tests use, as the compiler likes.
#ifdef __x86_64__
#define FOR(name, isa, isa_flags)                                          \
  template <typename M>                                                    \
  __attribute__((target(isa_flags))) void name##_##isa(const Pass<M>& p) { \
    name##_pass(p);                                                        \
  }
#define ALL(name)                                                                 \
  FOR(name, avx512, AVX512)                                                       \
  FOR(name, avx2, "avx2,fma")                                                     \
  template <typename M>                                                           \
  void run_##name(const Pass<M>& p) {                                             \
    const int level = std::is_same_v<M, double> ? 0 : vectors();                  \
    level == 2 ? name##_avx512(p) : level == 1 ? name##_avx2(p) : name##_pass(p); \
  }

int vectors() {
  static const int level = [] {
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    return avx2 && avx512 ? 2 : avx2 ? 1 : 0;
  }();
  return level;
}
#else
#define ALL(name)                     \
  template <typename M>               \
  void run_##name(const Pass<M>& p) { \
    name##_pass(p);                   \
  }
#endif

ALL(stats)
ALL(planes)
ALL(gradient)
ALL(join)
ALL(bend)
ALL(bend_sums)
ALL(bend_gradient)

void check(bool holds, const char* rule) {
  if (!holds) throw std::invalid_argument(rule);
}

template <typename... Maps>
void check_sizes(const Maps&... maps) {
  const size_t sizes[] = {maps.size()...};
  for (const size_t size : sizes) check(size == sizes[0], "maps have as many values as each other.");
}

template <typename M, typename T = Compute<M>>
Shares shares_of(const Array<const M>& x, const Matrix<const T>& lines, size_t wanted) {
  check(lines.shape(0) == wanted, "the number of lines of constants is that of the pass.");
  check(lines.shape(1) > 0 && x.size() % lines.shape(1) == 0, "a map has whole positions of its channels.");
  return Shares(static_cast<int64_t>(x.size()), static_cast<int64_t>(lines.shape(1)));
}

// Runs a pass share by share; with `sums` lines of sums per channel, which it returns.
template <typename M, typename T = Compute<M>>
nb::object run(void (*one)(const Pass<M>&), Pass<M> pass, const Shares& shares, int64_t values, int64_t sums,
               int threads) {
  Sums<T> total(shares, sums);
  pass.row = shares.row;
  for_each_share(shares, values, threads, [&](int64_t share, int64_t first, int64_t last) {
    std::vector<T> rows(static_cast<size_t>(sums * shares.row));
    Pass<M> p = pass;
    p.first = first, p.last = last, p.sums = rows.data();
    one(p);
    total.put(share, rows);
  });
  return total.array();
}

// lines: origin. Returns the sums of x - origin and of its square.
template <typename M>
nb::object stats(Array<const M> x, Matrix<const Compute<M>> lines, int threads) {
  const Shares shares = shares_of(x, lines, 1);
  const auto rows = repeated(lines, shares);
  return run<M>(run_stats, {x.data(), nullptr, nullptr, rows.data()}, shares, x.size(), 2, threads);
}

// lines: gain, offset of each plane. out = low + the sum of the steps of the planes whose gain x + offset >= 0.
template <typename M, typename T = Compute<M>>
void planes(Array<const M> x, Array<M> out, Matrix<const T> lines, Array<const T> steps, double low, int threads) {
  check(steps.size() == 1 || steps.size() == 2, "one plane or two.");
  check_sizes(x, out);
  const Shares shares = shares_of(x, lines, 2 * steps.size());
  const auto rows = repeated(lines, shares);
  Pass<M> pass{x.data(), nullptr, out.data(), rows.data()};
  pass.planes = static_cast<int>(steps.size()), pass.low = static_cast<T>(low), pass.steps = steps.data();
  run<M>(run_planes, pass, shares, x.size(), 0, threads);
}

// lines: scale, shift, then weight, rate, offset of each plane; with h = scale x + shift, u = rate h + offset and d_p =
// slope(u) grad out = the sum of weight d_p. Returns the sums of grad, then of d_p, h d_p and grad where u >= 0 of each
// plane.
template <typename M, typename T = Compute<M>>
nb::object gradient(Array<const M> x, Array<const M> grad, Array<M> out, Matrix<const T> lines, bool annealed,
                    double height, double fall, double low, double high, int threads) {
  check(lines.shape(0) == 5 || lines.shape(0) == 8, "one plane or two.");
  check_sizes(x, grad, out);
  const Shares shares = shares_of(x, lines, lines.shape(0));
  const auto rows = repeated(lines, shares);
  Pass<M> pass{x.data(), grad.data(), out.data(), rows.data()};
  pass.planes = static_cast<int>(lines.shape(0) - 2) / 3;
  pass.shape = {annealed, static_cast<T>(height), static_cast<T>(fall), static_cast<T>(low), static_cast<T>(high)};
  return run<M>(run_gradient, pass, shares, x.size(), 1 + 3 * pass.planes, threads);
}

// lines: by_d, by_x, constant. out = by_d d + by_x x + constant; out may be d or x.
template <typename M>
void join(Array<const M> d, Array<const M> x, Array<M> out, Matrix<const Compute<M>> lines, int threads) {
  check_sizes(x, d, out);
  const Shares shares = shares_of(x, lines, 3);
  const auto rows = repeated(lines, shares);
  run<M>(run_join, {x.data(), d.data(), out.data(), rows.data()}, shares, x.size(), 0, threads);
}

// lines: center, gain, offset, pos, neg, after. With v = gain (x - center) + offset + beside, out = v (pos where v > 0,
// neg elsewhere) + after. No `beside`: 0.
template <typename M>
void bend(Array<const M> x, std::optional<Array<const M>> beside, Array<M> out, Matrix<const Compute<M>> lines,
          int threads) {
  check_sizes(x, beside.value_or(x), out);
  const Shares shares = shares_of(x, lines, 6);
  const auto rows = repeated(lines, shares);
  const M* second = beside ? beside->data() : nullptr;
  run<M>(run_bend, {x.data(), nullptr, out.data(), rows.data(), second}, shares, x.size(), 0, threads);
}

// Returns the sums of grad and of grad out; no `grad`: out itself.
template <typename M>
nb::object bend_sums(Array<const M> x, std::optional<Array<const M>> beside, std::optional<Array<const M>> grad,
                     Matrix<const Compute<M>> lines, int threads) {
  check_sizes(x, beside.value_or(x), grad.value_or(x));
  const Shares shares = shares_of(x, lines, 6);
  const auto rows = repeated(lines, shares);
  const M *second = beside ? beside->data() : nullptr, *third = grad ? grad->data() : nullptr;
  return run<M>(run_bend_sums, {x.data(), third, nullptr, rows.data(), second}, shares, x.size(), 2, threads);
}

// Three more lines: by_grad, by_out, constant. With d = by_grad grad + by_out out + constant, d_v = d (pos or neg) is
// written. Returns the sums of d, d v where v > 0, d v elsewhere, d_v, d_v (x - center).
template <typename M>
nb::object bend_gradient(Array<const M> x, std::optional<Array<const M>> beside, Array<const M> grad, Array<M> out,
                         Matrix<const Compute<M>> lines, int threads) {
  check_sizes(x, beside.value_or(x), grad, out);
  const Shares shares = shares_of(x, lines, 9);
  const auto rows = repeated(lines, shares);
  const M* second = beside ? beside->data() : nullptr;
  return run<M>(run_bend_gradient, {x.data(), grad.data(), out.data(), rows.data(), second}, shares, x.size(), 5,
                threads);
}

template <typename M>
void define(nb::module_& m) {
  // An array that is converted is a copy: what is written into it would be lost.
  const auto row = [](const char* name) { return nb::arg(name).noconvert(); };
  const auto x = row("x"), grad = row("grad"), out = row("out"), lines = row("lines");
  const auto beside = nb::arg("beside").noconvert().none();
  m.def("stats", &stats<M>, x, lines, "threads"_a);
  m.def("planes", &planes<M>, x, out, lines, row("steps"), "low"_a, "threads"_a);
  m.def("gradient", &gradient<M>, x, grad, out, lines, "annealed"_a, "height"_a, "fall"_a, "low"_a, "high"_a,
        "threads"_a);
  m.def("join", &join<M>, row("d"), x, out, lines, "threads"_a);
  m.def("bend", &bend<M>, x, beside, out, lines, "threads"_a);
  m.def("bend_sums", &bend_sums<M>, x, beside, row("grad").none(), lines, "threads"_a);
  m.def("bend_gradient", &bend_gradient<M>, x, beside, grad, out, lines, "threads"_a);
}

}  // namespace

NB_MODULE(_passes, m) {
  define<float>(m);
  define<double>(m);
  define<uint16_t>(m);
}
