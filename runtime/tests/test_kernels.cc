// conv_bits of every instruction set of this machine equals the reference, bit by bit.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cpu.h"
#include "heap_arena.h"
#include "model.h"
#include "model_builder.h"

namespace {

using aoie::Node;
using aoie_test::Random;

constexpr int kGuard = 64;  // floats behind the output that nobody may touch

int checked = 0;

struct Case {
  int64_t c, o, k, kw, s, j, h, w;
};

std::vector<float> random_floats(Random& random, int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  for (float& v : out) v = random.unit();
  return out;
}

std::vector<uint64_t> random_bits(Random& random, int64_t positions, int64_t c) {
  const int64_t words = (c + 63) / 64;
  std::vector<uint64_t> out(static_cast<size_t>(positions * words));
  for (int64_t i = 0; i < positions * words; ++i) {
    out[static_cast<size_t>(i)] = random.next() | (random.next() & random.next());
    if (c % 64 != 0 && i % words == words - 1) out[static_cast<size_t>(i)] &= (uint64_t{1} << (c % 64)) - 1;
  }
  return out;
}

void check(const Case& t) {
  Random random;
  random.state += static_cast<uint64_t>(t.c * 1000003 + t.o * 10007 + t.h * 101 + t.w);
  const int64_t o_pad = (t.o + aoie::kPad - 1) / aoie::kPad * aoie::kPad, pad = t.k / 2, pad_w = t.kw / 2;
  const auto bits = random_bits(random, t.j * t.h * t.w, t.c), weight = random_bits(random, t.o * t.k * t.kw, t.c);
  Node node;
  aoie_test::HeapArena arena;
  node.op = aoie::Op::conv_bits;
  node.k = t.k;
  node.kw = t.kw;
  node.c = t.c;
  node.o = t.o;
  node.weight = weight.data();
  const auto e = random_floats(random, o_pad), f = random_floats(random, o_pad), h = random_floats(random, 16 * o_pad);
  const float plane_scale[2] = {0.37f, -1.73f};
  const int64_t oh = (t.h + 2 * pad - t.k) / t.s + 1, ow = (t.w + 2 * pad_w - t.kw) / t.s + 1, count = oh * ow * t.o;
  const int64_t scratch_words = t.j * t.k * (t.w + 2 * pad_w) * ((t.c + 31) / 32);

  std::vector<float> want;
  for (int isa = 0; isa < aoie::kIsaCount; ++isa) {
    if (!aoie::isa_usable(isa)) continue;
    if (!pack_node(&node, isa, &arena)) std::abort();
    std::vector<float> out(static_cast<size_t>(count + kGuard), 12345.0f);
    std::vector<uint32_t> scratch(static_cast<size_t>(scratch_words));
    aoie::OpArgs args{};
    args.in0 = bits.data(), args.out = out.data(), args.scratch = scratch.data();
    args.j = t.j, args.h = t.h, args.w = t.w, args.c = t.c, args.p64 = (t.c + 63) / 64;
    args.oh = oh, args.ow = ow, args.o = t.o, args.o_pad = o_pad, args.k = t.k, args.s = t.s, args.pad = pad;
    args.kw = t.kw, args.pad_w = pad_w;
    args.weight = weight.data(), args.packed = node.packed.data();
    args.a = e.data(), args.b = f.data(), args.d = h.data(), args.plane_scale = plane_scale;
    node.kernel(args);
    if (isa == aoie::kReference) want = out;
    ++checked;
    if (std::memcmp(out.data(), want.data(), out.size() * 4) != 0) {
      std::printf("conv_bits_%s differs: c=%d o=%d k=%d kw=%d s=%d j=%d h=%d w=%d\n", aoie::isa_name(isa), int(t.c),
                  int(t.o), int(t.k), int(t.kw), int(t.s), int(t.j), int(t.h), int(t.w));
      std::exit(1);
    }
  }
}

}  // namespace

int main() {
  const int64_t sizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 3}, {1, 7}, {5, 4}, {4, 9}, {7, 11}};
  const int64_t outputs[] = {1, 8, 13, 16, 21};
  int turn = 0;
  for (int64_t c : {1, 3, 31, 32, 33, 63, 64, 65, 97, 127, 128, 577})
    for (int64_t k : {1, 3})
      for (int64_t kw : {1, 3})
        for (int64_t s : {1, 2})
          for (int64_t j : {1, 2})
            for (const auto& size : sizes) check({c, outputs[turn++ % 5], k, kw, s, j, size[0], size[1]});
  // Whole networks: every instruction set gives the same logits.
  for (int c : {1, 7, 16, 40, 65})
    for (int planes : {1, 2}) {
      const auto file = aoie_test::small_file(c, c + 3, planes);
      std::vector<uint8_t> image(37 * 29);
      Random random;
      for (auto& u : image) u = static_cast<uint8_t>(random.next() >> 56);
      std::vector<float> want;
      for (int isa = 0; isa < aoie::kIsaCount; ++isa) {
        if (!aoie::isa_usable(isa)) continue;
        aoie_model* model = nullptr;
        char message[256] = "";
        if (aoie_open_isa(file.data(), file.size(), aoie::isa_name(isa), &model, message, sizeof message) != AOIE_OK) {
          std::printf("%s\n", message);
          return 1;
        }
        aoie_plan_result plan;
        if (aoie_plan(model, 37, 29, &plan, nullptr, 0) != AOIE_OK) return 1;
        void* memory = std::aligned_alloc(64, plan.workspace_bytes);
        std::vector<float> out(static_cast<size_t>(plan.grid_h * plan.grid_w * plan.classes));
        if (aoie_run(model, image.data(), 37, 29, memory, plan.workspace_bytes, out.data()) != AOIE_OK) return 1;
        if (aoie_run(model, image.data(), 37, 29, memory, plan.workspace_bytes - 1, out.data()) != AOIE_BAD_ARGUMENT)
          return 1;
        std::free(memory);
        aoie_close(model);
        if (isa == 0) want = out;
        if (std::memcmp(want.data(), out.data(), out.size() * 4) != 0) {
          std::printf("logits differ on %s, c=%d planes=%d\n", aoie::isa_name(isa), c, planes);
          return 1;
        }
      }
    }
  std::printf("%d kernel runs equal the reference\n", checked);
  return checked > 0 ? 0 : 1;
}
