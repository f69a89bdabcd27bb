// Time of single kernels on one thread, best of 5 rounds: conv_bits 64 -> 64 channels 3x3 at 64x64, standardize, and
// others.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "heap_arena.h"
#include "model.h"
#include "model_builder.h"

namespace {

using aoie::Op;

template <typename F>
double best_ms(int repeats, F f) {
  double best = 1e30;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) f();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    best = took.count() / repeats < best ? took.count() / repeats : best;
  }
  return best;
}

// weights: the bits that a pair of 16-bit weights may have; conv_int takes another way where they fit into bytes.
void bench(Op op, int isa, int64_t h, int64_t w, int64_t c, int64_t o, int64_t j, int64_t k, int64_t s,
           uint32_t weights = 0x007F007Fu) {
  const aoie::Choice choice = aoie::find_kernel(op, isa);
  if (choice.isa != isa) return;
  aoie_test::Random random;
  std::vector<uint64_t> in(static_cast<size_t>(h * w * (c + 64))), weight(static_cast<size_t>(o * k * k * c + 64));
  for (auto& v : in) v = random.next() & 0x3F7FFFFF3F7FFFFFull;
  for (auto& v : weight) v = random.next() & (uint64_t{weights} << 32 | weights);
  std::vector<float> constants(static_cast<size_t>(16 * (o + c + 64)), 0.5f), out(static_cast<size_t>(h * w * (o + c)));
  std::vector<uint64_t> scratch(static_cast<size_t>((w + 64) * (c + 8) * k * j + 4 * (w + 16)));
  aoie::Node node;
  aoie_test::HeapArena arena;
  node.op = op, node.k = node.kw = k, node.c = c, node.o = o, node.weight = weight.data();
  if (!pack_node(&node, isa, &arena)) std::abort();
  aoie::OpArgs args{};
  args.in0 = args.in1 = in.data(), args.out = out.data(), args.scratch = scratch.data();
  args.j = j, args.h = args.in_rows = args.out_rows = h, args.w = w, args.c = c, args.p64 = (c + 63) / 64,
  args.oh = (h + s - 1) / s, args.ow = (w + s - 1) / s, args.o = o;
  args.o_pad = (o + 15) / 16 * 16, args.k = k, args.kw = k, args.s = s, args.pad = args.pad_w = k / 2, args.groups = 1,
  args.weight = weight.data(), args.packed = node.packed.data();
  args.a = args.b = args.d = args.e = args.knee = args.plane_scale = constants.data();
  std::vector<uint8_t> flip(static_cast<size_t>(j * c + 64), 0);
  args.flip = flip.data(), args.flip_bits = scratch.data();
  args.window = 65, args.eps_levels = 2.0, args.scale = 32.0;
  const double ms = best_ms(isa == 0 ? 2 : 20, [&] { node.kernel(args); });
  std::printf("%-12s %-10s h=%d w=%d c=%d o=%d planes=%d k=%d s=%d  %8.3f ms  %8.1f Mpositions/s\n", aoie::op_name(op),
              aoie::isa_name(isa), int(h), int(w), int(c), int(o), int(j), int(k), int(s), ms,
              double(args.oh * args.ow) / ms / 1e3);
}

}  // namespace

int main() {
  for (int isa = 0; isa < aoie::kIsaCount; ++isa) {
    if (!aoie::isa_usable(isa)) continue;
    bench(Op::conv_bits, isa, 64, 64, 64, 64, 1, 3, 1);
    bench(Op::conv_bits, isa, 64, 64, 64, 64, 2, 3, 1);
    bench(Op::conv_bits, isa, 32, 32, 256, 256, 2, 3, 1);
    bench(Op::conv_bits, isa, 64, 64, 64, 64, 2, 1, 1);
    bench(Op::standardize, isa, 1024, 1024, 1, 1, 1, 1, 1);
    for (const uint32_t weights : {0x007F007Fu, 0x7FFF7FFFu}) {
      std::printf("stem weights of %d bits:\n", weights == 0x007F007Fu ? 8 : 16);
      bench(Op::conv_int, isa, 256, 256, 1, 64, 1, 7, 4, weights);
      bench(Op::conv_int, isa, 224, 224, 3, 64, 1, 7, 2, weights);
    }
    bench(Op::binarize, isa, 64, 64, 64, 64, 2, 1, 1);
    bench(Op::slopes, isa, 64, 64, 64, 64, 1, 1, 1);
    bench(Op::add, isa, 64, 64, 64, 64, 1, 1, 1);
    bench(Op::avgpool2, isa, 64, 64, 64, 64, 1, 2, 2);
    bench(Op::conv_f32, isa, 64, 64, 64, 64, 1, 1, 1);
    bench(Op::conv_f32, isa, 64, 64, 64, 64, 1, 3, 1);
  }
  return 0;
}
