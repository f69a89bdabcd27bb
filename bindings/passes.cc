// What a training step does to whole maps, a pass over memory each. The formulas: aoienet/quant/normed.py,
// nn/activation/maxout.py. A map is one row of values whose channel runs fastest; constants are a value per channel.
// Sums do not depend on the threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#define INLINE inline __attribute__((always_inline))

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename T>
using Array = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr int64_t kRow = 256;        // constants are repeated to about this: whole vectors also of few channels
constexpr int64_t kShare = 1 << 16;  // values that are summed in T; shares are added up in double, in their order

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
template <typename T>
struct Pass {
  const T *x, *grad;  // grad: of what the layer gave out
  T* out;
  const T* lines;  // constants
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

template <int kPlanes, typename T>
INLINE void planes_of(const Pass<T>& p) {
  const T* __restrict x = p.x, * __restrict lines = p.lines;
  T* __restrict out = p.out;
  const int64_t row = p.row;
  const T low = p.low, step[2] = {p.steps[0], p.steps[kPlanes - 1]};
  ROWS(p) {
    T q = low;
    for (int j = 0; j < kPlanes; ++j) {
      const T *gain = lines + 2 * j * row, *offset = gain + row;
      q += x[at + i] * gain[i] + offset[i] >= 0 ? step[j] : T(0);
    }
    out[at + i] = q;
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

template <int kPlanes, bool kAnnealed, typename T>
INLINE void gradient_of(const Pass<T>& p) {
  const T* __restrict x = p.x, * __restrict grad = p.grad, * __restrict lines = p.lines;
  T* __restrict out = p.out, * __restrict sums = p.sums;
  const int64_t row = p.row;
  const T *scale = lines, *shift = lines + row;
  const Shape<T> shape = p.shape;
  ROWS(p) {
    const T h = x[at + i] * scale[i] + shift[i], g = grad[at + i];
    sums[i] += g;
    T d_h = plane_gradient<kAnnealed>(h, g, lines + 2 * row + i, sums + row + i, row, shape);
    if (kPlanes > 1) d_h += plane_gradient<kAnnealed>(h, g, lines + 5 * row + i, sums + 4 * row + i, row, shape);
    out[at + i] = d_h;
  }
}

template <typename T>
INLINE void planes_pass(const Pass<T>& p) {
  p.planes == 1 ? planes_of<1>(p) : planes_of<2>(p);
}

template <typename T>
INLINE void gradient_pass(const Pass<T>& p) {
  if (p.shape.annealed)
    p.planes == 1 ? gradient_of<1, true>(p) : gradient_of<2, true>(p);
  else
    p.planes == 1 ? gradient_of<1, false>(p) : gradient_of<2, false>(p);
}

template <typename T>
INLINE void join_pass(const Pass<T>& p) {
  const T* __restrict x = p.x, * __restrict lines = p.lines;
  T* __restrict out = p.out;
  const int64_t row = p.row;
  const T *by_d = lines, *by_x = lines + row, *constant = by_x + row;
  ROWS(p) out[at + i] = out[at + i] * by_d[i] + x[at + i] * by_x[i] + constant[i];
}

template <typename T>
INLINE void slopes_pass(const Pass<T>& p) {
  const T* __restrict x = p.x, * __restrict lines = p.lines;
  T* __restrict out = p.out;
  const int64_t row = p.row;
  const T *pos = lines, *neg = lines + row;
  ROWS(p) {
    const T v = x[at + i], up = pos[i], down = neg[i];
    out[at + i] = v * (v >= 0 ? up : down);
  }
}

template <typename T>
INLINE void slopes_gradient_pass(const Pass<T>& p) {
  const T* __restrict x = p.x, * __restrict grad = p.grad, * __restrict lines = p.lines;
  T* __restrict out = p.out, * __restrict sums = p.sums;
  const int64_t row = p.row;
  const T *pos = lines, *neg = lines + row;
  T *above = sums, *below = sums + row;
  ROWS(p) {
    const T v = x[at + i], g = grad[at + i], product = v * g, up = pos[i], down = neg[i];
    above[i] += v >= 0 ? product : T(0);
    below[i] += v >= 0 ? T(0) : product;
    out[at + i] = g * (v >= 0 ? up : down);
  }
}

// float for the widest vectors that the processor has; double, which only tests use, as the compiler likes.
#ifdef __x86_64__
#define FOR(name, isa, isa_flags) \
  __attribute__((target(isa_flags))) void name##_##isa(const Pass<float>& p) { name##_pass(p); }
#define BOTH(name)                                                                 \
  FOR(name, avx512, AVX512)                                                        \
  FOR(name, avx2, "avx2,fma")                                                      \
  void name##_plain(const Pass<float>& p) { name##_pass(p); }                      \
  void run_##name(const Pass<float>& p) {                                          \
    const int level = vectors();                                                   \
    level == 2 ? name##_avx512(p) : level == 1 ? name##_avx2(p) : name##_plain(p); \
  }                                                                                \
  void run_##name(const Pass<double>& p) { name##_pass(p); }

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
#define BOTH(name)                                          \
  void run_##name(const Pass<float>& p) { name##_pass(p); } \
  void run_##name(const Pass<double>& p) { name##_pass(p); }
#endif

BOTH(planes)
BOTH(gradient)
BOTH(join)
BOTH(slopes)
BOTH(slopes_gradient)

void check(bool holds, const char* rule) {
  if (!holds) throw std::invalid_argument(rule);
}

template <typename T>
Shares shares_of(const Array<const T>& x, const Array<T>& out, const Matrix<const T>& lines, size_t wanted) {
  check(x.size() == out.size(), "maps have as many values as each other.");
  check(lines.shape(0) == wanted, "the number of lines of constants is that of the pass.");
  check(lines.shape(1) > 0 && x.size() % lines.shape(1) == 0, "a map has whole positions of its channels.");
  return Shares(static_cast<int64_t>(x.size()), static_cast<int64_t>(lines.shape(1)));
}

// Runs a pass share by share; with `sums` lines of sums per channel, which it returns.
template <typename T>
nb::object run(void (*one)(const Pass<T>&), Pass<T> pass, const Shares& shares, int64_t values, int64_t sums,
               int threads) {
  Sums<T> total(shares, sums);
  pass.row = shares.row;
  for_each_share(shares, values, threads, [&](int64_t share, int64_t first, int64_t last) {
    std::vector<T> rows(static_cast<size_t>(sums * shares.row));
    Pass<T> p = pass;
    p.first = first, p.last = last, p.sums = rows.data();
    one(p);
    total.put(share, rows);
  });
  return total.array();
}

// lines: gain, offset of each plane. out = low + the sum of the steps of the planes whose gain x + offset >= 0.
template <typename T>
void planes(Array<const T> x, Array<T> out, Matrix<const T> lines, Array<const T> steps, double low, int threads) {
  check(steps.size() == 1 || steps.size() == 2, "one plane or two.");
  const Shares shares = shares_of(x, out, lines, 2 * steps.size());
  const std::vector<T> rows = repeated(lines, shares);
  Pass<T> pass{x.data(), nullptr, out.data(), rows.data()};
  pass.planes = static_cast<int>(steps.size()), pass.low = static_cast<T>(low), pass.steps = steps.data();
  run<T>(run_planes, pass, shares, x.size(), 0, threads);
}

// lines: scale, shift, then weight, rate, offset of each plane; with h = scale x + shift, u = rate h + offset and d_p =
// slope(u) grad out = the sum of weight d_p. Returns the sums of grad, then of d_p, h d_p and grad where u >= 0 of each
// plane.
template <typename T>
nb::object gradient(Array<const T> x, Array<const T> grad, Array<T> out, Matrix<const T> lines, bool annealed,
                    double height, double fall, double low, double high, int threads) {
  check(lines.shape(0) == 5 || lines.shape(0) == 8, "one plane or two.");
  check(grad.size() == x.size(), "maps have as many values as each other.");
  const Shares shares = shares_of(x, out, lines, lines.shape(0));
  const std::vector<T> rows = repeated(lines, shares);
  Pass<T> pass{x.data(), grad.data(), out.data(), rows.data()};
  pass.planes = static_cast<int>(lines.shape(0) - 2) / 3;
  pass.shape = {annealed, static_cast<T>(height), static_cast<T>(fall), static_cast<T>(low), static_cast<T>(high)};
  return run<T>(run_gradient, pass, shares, x.size(), 1 + 3 * pass.planes, threads);
}

// lines: by_d, by_x, constant. d = by_d d + by_x x + constant.
template <typename T>
void join(Array<T> d, Array<const T> x, Matrix<const T> lines, int threads) {
  const Shares shares = shares_of(x, d, lines, 3);
  const std::vector<T> rows = repeated(lines, shares);
  run<T>(run_join, {x.data(), nullptr, d.data(), rows.data()}, shares, x.size(), 0, threads);
}

// lines: pos, neg. out = pos x where x >= 0, neg x elsewhere.
template <typename T>
void slopes(Array<const T> x, Array<T> out, Matrix<const T> lines, int threads) {
  const Shares shares = shares_of(x, out, lines, 2);
  const std::vector<T> rows = repeated(lines, shares);
  run<T>(run_slopes, {x.data(), nullptr, out.data(), rows.data()}, shares, x.size(), 0, threads);
}

// The gradient of that. Returns the sums of x grad where x >= 0, and elsewhere.
template <typename T>
nb::object slopes_gradient(Array<const T> x, Array<const T> grad, Array<T> out, Matrix<const T> lines, int threads) {
  check(grad.size() == x.size(), "maps have as many values as each other.");
  const Shares shares = shares_of(x, out, lines, 2);
  const std::vector<T> rows = repeated(lines, shares);
  return run<T>(run_slopes_gradient, {x.data(), grad.data(), out.data(), rows.data()}, shares, x.size(), 2, threads);
}

template <typename T>
void define(nb::module_& m) {
  // An array that is converted is a copy: what is written into it would be lost.
  const auto row = [](const char* name) { return nb::arg(name).noconvert(); };
  const auto x = row("x"), grad = row("grad"), out = row("out"), lines = row("lines");
  m.def("planes", &planes<T>, x, out, lines, row("steps"), "low"_a, "threads"_a);
  m.def("gradient", &gradient<T>, x, grad, out, lines, "annealed"_a, "height"_a, "fall"_a, "low"_a, "high"_a,
        "threads"_a);
  m.def("join", &join<T>, row("d"), x, lines, "threads"_a);
  m.def("slopes", &slopes<T>, x, out, lines, "threads"_a);
  m.def("slopes_gradient", &slopes_gradient<T>, x, grad, out, lines, "threads"_a);
}

}  // namespace

NB_MODULE(_passes, m) {
  define<float>(m);
  define<double>(m);
}
