// Binary convolutions against what the CPU could do: XOR, popcount and add of vectors that are in registers or in the
// first-level cache, measured in the same process, round by round. One thread, CPU time. Prints one JSON object.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <new>
#include <vector>

#include "cpu.h"
#include "heap_arena.h"
#include "limits.h"
#include "model.h"
#include "model_builder.h"

namespace {

struct Shape {
  int64_t c, side, k, s, planes;
  bool tied, tail;
};

double cpu_ms() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// As the runtime hands its memory to the kernels: a vector that straddles two lines of the cache costs two accesses.
template <typename T>
struct Aligned {
  using value_type = T;
  Aligned() = default;
  template <typename U>
  Aligned(const Aligned<U>&) {}
  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* at, size_t) { ::operator delete(at, std::align_val_t{64}); }
  bool operator==(const Aligned&) const { return true; }
  bool operator!=(const Aligned&) const { return false; }
};
template <typename T>
using Vector = std::vector<T, Aligned<T>>;

// One convolution c -> c with everything that its kernel reads.
struct Convolution {
  Shape shape;
  Vector<uint64_t> in, weight, scratch, bits, flips;
  Vector<float> ones, plane_scale, out;
  aoie_test::HeapArena arena;
  aoie::Node node;
  aoie::OpArgs args{};
  aoie::Tail tail{};

  Convolution(const Shape& t, int isa) : shape(t) {
    const int64_t words = (t.c + 63) / 64, side = (t.side - 1) / t.s + 1, area = t.side * t.side;
    aoie_test::Random random;
    in.resize(static_cast<size_t>(t.planes * area * words));
    weight.resize(static_cast<size_t>(t.c * t.k * t.k * words));
    for (auto& v : in) v = random.next();
    for (auto& v : weight) v = random.next();
    plane_scale = {1.0f, t.tied ? 1.0f : 0.75f};
    ones.assign(static_cast<size_t>(16 * t.c), 0.5f);
    out.resize(static_cast<size_t>(side * side * t.c));
    scratch.resize(static_cast<size_t>((t.side + 80) * t.planes * 9 * (words + 4) * 4));
    bits.resize(static_cast<size_t>(2 * side * side * words));
    flips.assign(static_cast<size_t>(2 * words), 0);
    node.op = aoie::Op::conv_bits;
    node.k = node.kw = t.k, node.c = t.c, node.o = t.c, node.j = t.planes, node.weight = weight.data();
    node.plane_scale = {plane_scale.data(), plane_scale.size()};
    if (!pack_node(&node, isa, &arena)) std::abort();
    args.in0 = in.data(), args.out = out.data(), args.scratch = scratch.data();
    args.j = t.planes, args.h = args.w = args.in_rows = t.side, args.c = t.c, args.p64 = words;
    args.oh = args.ow = side, args.o = args.o_pad = t.c;
    args.k = args.kw = t.k, args.s = t.s, args.pad = args.pad_w = t.k / 2;
    args.weight = weight.data(), args.packed = node.packed.data();
    args.a = args.b = args.d = ones.data(), args.plane_scale = plane_scale.data();
    tail.add = out.data(), tail.add_channels = t.c, tail.out = out.data(), tail.bits = bits.data(),
    tail.planes = t.planes, tail.plane_rows = side;
    tail.pos = tail.pos_shift = tail.neg = tail.neg_shift = tail.knee = tail.threshold = ones.data();
    tail.flip_bits = flips.data();
    if (t.tail) args.tail = &tail;
  }

  double macs() const { return double(args.oh * args.ow * args.o * args.c * args.k * args.k * args.j); }

  // T binary MACs per second of both planes together.
  double rate() {
    const int repeats = std::max(1, static_cast<int>(5e8 / macs()));
    node.kernel(args);  // what the shape before it left in the caches is not this one's
    const double start = cpu_ms();
    for (int i = 0; i < repeats; ++i) node.kernel(args);
    return macs() * repeats / (cpu_ms() - start) / 1e9;
  }
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

double quantile(std::vector<double> v, double share) {
  std::sort(v.begin(), v.end());
  return v[static_cast<size_t>(share * static_cast<double>(v.size() - 1) + 0.5)];
}

double peak_rate(double (*loop)(int64_t)) {
  const double start = cpu_ms(), macs = loop(200000);
  return macs / (cpu_ms() - start) / 1e9;
}

}  // namespace

int main(int count, char** words) {
  const int rounds = count > 1 ? std::atoi(words[1]) : 15;
  const int isa = count > 2 ? aoie::choose_isa(words[2], {nullptr, 0}) : aoie::kAvx512;
  if (isa != aoie::kAvx512 && isa != aoie::kAvx2) return std::fprintf(stderr, "takes rounds, then avx512 or avx2\n"), 1;
  if (!aoie::isa_usable(isa)) return std::fprintf(stderr, "this machine lacks %s\n", aoie::isa_name(isa)), 1;
  double (*peak)(int64_t) = isa == aoie::kAvx512 ? aoie_limits::popcount_avx512 : aoie_limits::shuffle_avx2;
  std::deque<Convolution> all;  // they stay where they are
  for (const int64_t c : {64, 128, 256, 512})
    for (const bool tail : {false, true}) {
      const int64_t side = c == 64 ? 56 : c == 128 ? 28 : c == 256 ? 28 : 14;
      all.emplace_back(Shape{c, side, 3, 1, 1, false, tail}, isa);
      all.emplace_back(Shape{c, side, 3, 1, 2, true, tail}, isa);
      all.emplace_back(Shape{c, side, 3, 1, 2, false, tail}, isa);
      all.emplace_back(Shape{c, side, 1, 1, 1, false, tail}, isa);
    }
  std::vector<double> peaks;
  std::vector<std::vector<double>> ratios(all.size()), rates(all.size());
  for (int round = -1; round < rounds; ++round)
    for (size_t i = 0; i < all.size(); ++i) {
      const double before = peak_rate(peak), rate = all[i].rate(), after = peak_rate(peak);
      if (round < 0) continue;
      peaks.push_back(before), rates[i].push_back(rate), ratios[i].push_back(2 * rate / (before + after));
    }
  std::printf("{\"isa\": \"%s\", \"rounds\": %d, \"peak_tmacs\": %.4f, \"rows\": [", aoie::isa_name(isa), rounds,
              median(peaks));
  for (size_t i = 0; i < all.size(); ++i) {
    const Shape& t = all[i].shape;
    std::printf(
        "%s\n {\"c\": %d, \"side\": %d, \"k\": %d, \"planes\": %d, \"tied\": %s, \"tail\": %s, \"tmacs\": %.4f, "
        "\"of_peak\": %.3f, \"quartiles\": [%.3f, %.3f]}",
        i == 0 ? "" : ",", int(t.c), int(t.side), int(t.k), int(t.planes), t.tied ? "true" : "false",
        t.tail ? "true" : "false", median(rates[i]), median(ratios[i]), quantile(ratios[i], 0.25),
        quantile(ratios[i], 0.75));
  }
  std::printf("\n]}\n");
  return 0;
}
