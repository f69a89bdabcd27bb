// conv_bits, conv_int and standardize of every instruction set of this machine equal the reference, bit by bit, in all
// shapes; every op in whole networks too, also strip by strip.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
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

uint64_t scratch_of(const Node& node, int64_t h, int64_t w, int64_t planes) {
  aoie::Value in;
  in.h = h, in.w = w, in.c = node.c, in.j = planes;
  return aoie::scratch_bytes(node, in);
}

void fail(const char* op, int isa, const Case& t) {
  std::printf("%s_%s differs: c=%d o=%d k=%d kw=%d s=%d j=%d h=%d w=%d\n", op, aoie::isa_name(isa), int(t.c), int(t.o),
              int(t.k), int(t.kw), int(t.s), int(t.j), int(t.h), int(t.w));
  std::exit(1);
}

// scales: of the two planes; equal ones may be counted together.
void check(const Case& t, const std::vector<float>& scales) {
  Random random;
  random.state += static_cast<uint64_t>(t.c * 1000003 + t.o * 10007 + t.h * 101 + t.w);
  const int64_t o_pad = (t.o + aoie::kPad - 1) / aoie::kPad * aoie::kPad, pad = t.k / 2, pad_w = t.kw / 2;
  auto bits = random_bits(random, t.j * t.h * t.w, t.c), weight = random_bits(random, t.o * t.k * t.kw, t.c);
  if (t.c % 64 == 0 && t.c >= 3648) {  // the largest counts that there are; of tied planes with weights of 0
    std::fill(bits.begin(), bits.end(), ~uint64_t{0});
    std::fill(weight.begin(), weight.end(), t.c == 3648 ? 0 : ~uint64_t{0});
  }
  Node node;
  aoie_test::HeapArena arena;
  node.op = aoie::Op::conv_bits;
  node.k = t.k;
  node.kw = t.kw;
  node.c = t.c;
  node.o = t.o;
  node.weight = weight.data();
  const auto e = random_floats(random, o_pad), f = random_floats(random, o_pad), h = random_floats(random, 16 * o_pad);
  const int64_t oh = (t.h + 2 * pad - t.k) / t.s + 1, ow = (t.w + 2 * pad_w - t.kw) / t.s + 1, count = oh * ow * t.o;
  node.j = t.j;
  node.pw = pad_w;
  node.plane_scale = {scales.data(), scales.size()};

  std::vector<float> want;
  for (int isa = 0; isa < aoie::kIsaCount; ++isa) {
    if (!aoie::isa_usable(isa)) continue;
    if (!pack_node(&node, isa, &arena)) std::abort();
    std::vector<float> out(static_cast<size_t>(count + kGuard), 12345.0f);
    std::vector<uint64_t> scratch(static_cast<size_t>(scratch_of(node, t.h, t.w, t.j) / 8 + 1));
    aoie::OpArgs args{};
    args.in0 = bits.data(), args.out = out.data(), args.scratch = scratch.data();
    args.j = t.j, args.h = args.in_rows = t.h, args.w = t.w, args.c = t.c, args.p64 = (t.c + 63) / 64;
    args.oh = oh, args.ow = ow, args.o = t.o, args.o_pad = o_pad, args.k = t.k, args.s = t.s, args.pad = pad;
    args.kw = t.kw, args.pad_w = pad_w;
    args.weight = weight.data(), args.packed = node.packed.data();
    args.a = e.data(), args.b = f.data(), args.d = h.data(), args.plane_scale = scales.data();
    node.kernel(args);
    if (isa == aoie::kReference) want = out;
    ++checked;
    if (std::memcmp(out.data(), want.data(), out.size() * 4) != 0) fail("conv_bits", isa, t);
    if (t.o % aoie::kWord != 0) continue;
    std::fill(out.begin(), out.end(), 12345.0f);
    for (int64_t first = 0; first < t.o; first += aoie::kWord) {  // as tasks share a layer of few rows
      args.skip_first = first, args.skip_last = t.o - first - aoie::kWord;
      node.kernel(args);
    }
    if (std::memcmp(out.data(), want.data(), out.size() * 4) != 0) fail("conv_bits by channels", isa, t);
  }
}

// bits: of the weights; those of 8 take another way on AVX-512.
void check_conv_int(const Case& t, int bits) {
  Random random;
  random.state += static_cast<uint64_t>(t.c * 1000003 + t.o * 10007 + t.w);
  const int64_t o_pad = (t.o + aoie::kPad - 1) / aoie::kPad * aoie::kPad;
  std::vector<int8_t> image(static_cast<size_t>(t.h * t.w * t.c));
  std::vector<int16_t> weight(static_cast<size_t>(t.o * t.k * t.k * t.c));
  for (auto& v : image) v = static_cast<int8_t>(random.next() >> 56);
  for (auto& v : weight) v = static_cast<int16_t>(static_cast<int64_t>(random.next()) >> (64 - bits));
  Node node;
  aoie_test::HeapArena arena;
  node.op = aoie::Op::conv_int;
  node.k = node.kw = t.k, node.c = t.c, node.o = t.o, node.p = t.k / 2, node.weight = weight.data();
  const auto scale = random_floats(random, o_pad), bias = random_floats(random, o_pad);
  aoie::OpArgs args{};
  args.in0 = image.data(), args.weight = weight.data(), args.a = scale.data(), args.b = bias.data();
  args.h = t.h, args.w = t.w, args.c = t.c, args.o = t.o, args.o_pad = o_pad, args.k = t.k, args.s = t.s;
  args.pad = t.k / 2;
  args.oh = (t.h + 2 * args.pad - t.k) / t.s + 1, args.ow = (t.w + 2 * args.pad - t.k) / t.s + 1;
  std::vector<float> want;
  for (int isa = 0; isa < aoie::kIsaCount; ++isa) {
    if (!aoie::isa_usable(isa)) continue;
    if (!pack_node(&node, isa, &arena)) std::abort();
    std::vector<float> out(static_cast<size_t>(args.oh * args.ow * t.o + kGuard), 12345.0f);
    std::vector<uint64_t> scratch(static_cast<size_t>(scratch_of(node, t.h, t.w, 1) / 8 + 1));
    args.out = out.data(), args.scratch = scratch.data(), args.packed = node.packed.data();
    node.kernel(args);
    if (isa == aoie::kReference) want = out;
    ++checked;
    if (std::memcmp(out.data(), want.data(), out.size() * 4) != 0) fail("conv_int", isa, t);
  }
}

// Pictures of noise, of two levels and of one, whose windows are clipped on all sides; parts of their rows too.
void check_standardize(int64_t h, int64_t w, int64_t window, uint64_t mask, double eps, double scale) {
  Random random;
  random.state += static_cast<uint64_t>(h * 1009 + w * 31 + window) + mask;
  std::vector<uint8_t> image(static_cast<size_t>(h * w));
  for (auto& u : image) u = static_cast<uint8_t>(100 + ((random.next() >> 56) & mask));
  Node node;
  node.op = aoie::Op::standardize;
  aoie::OpArgs args{};
  args.in0 = image.data(), args.h = args.oh = h, args.w = args.ow = w, args.c = args.o = 1;
  args.window = window, args.eps_levels = eps, args.scale = scale;
  for (const int64_t skip : {int64_t{0}, h / 3}) {
    args.skip_top = skip, args.skip_bottom = skip / 2;
    std::vector<int8_t> want;
    for (int isa = 0; isa < aoie::kIsaCount; ++isa) {
      if (!aoie::isa_usable(isa)) continue;
      std::vector<int8_t> out(static_cast<size_t>(h * w + kGuard), 99);
      std::vector<uint64_t> scratch(static_cast<size_t>(scratch_of(node, h, w, 1) / 8));
      args.out = out.data(), args.scratch = scratch.data();
      aoie::find_kernel(node.op, isa).kernel(args);
      if (isa == aoie::kReference) want = out;
      ++checked;
      if (out != want) fail("standardize", isa, {1, 1, window, window, 1, 1, h, w});
    }
  }
}

void check_standardize_all() {
  for (const int64_t window : {int64_t{0}, int64_t{1}, int64_t{3}, int64_t{65}, int64_t{181}, int64_t{183}})
    for (const uint64_t mask : {uint64_t{0}, uint64_t{1}, uint64_t{15}, uint64_t{255}})
      for (const int64_t w : {int64_t{1}, int64_t{15}, int64_t{16}, int64_t{17}, int64_t{73}, int64_t{81}, int64_t{88},
                              int64_t{140}, int64_t{401}})
        check_standardize(w % 2 == 0 ? 70 : 9, w, window, mask, 2.0, 32.0);
  check_standardize(300, 400, 65, 255, 1e-300, 32.0);
  check_standardize(300, 400, 65, 255, 1e-3, 1000.0);
  check_standardize(300, 400, 9, 3, 0.01, 500.0);
}

void run_one_by_one(void*, void (*task)(void*, int), void* argument, int count) {
  for (int i = 0; i < count; ++i) task(argument, i);
}

// Corners, a middle and all of a grid have the bits of `all`, its logits, also strip by strip. Memory is filled with
// NaN, which what is left out must not reach.
bool parts_equal(const aoie_model* model, const std::vector<uint8_t>& image, int64_t h, int64_t w,
                 const std::vector<float>& all) {
  aoie_plan_result plan;
  if (aoie_plan(model, h, w, &plan, nullptr, 0) != AOIE_OK) return false;
  const int32_t gh = plan.grid_h, gw = plan.grid_w;
  const aoie_part parts[] = {{0, 0, 1, 1},       {gh - 1, gw - 1, 1, 1}, {gh / 2, gw / 3, (gh + 4) / 5, (gw + 2) / 3},
                             {gh / 3, 0, 1, gw}, {0, gw / 2, gh, 1},     {0, 0, gh, gw}};
  for (const aoie_part& part : parts) {
    const uint64_t bytes = aoie_part_bytes(model, h, w, &part);
    void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    std::memset(memory, 0xFF, bytes);
    const size_t row = static_cast<size_t>(part.columns * plan.classes);
    std::vector<float> out(static_cast<size_t>(part.rows) * row);
    bool equal = bytes > 0 && aoie_run_part(model, image.data(), h, w, &part, memory, bytes, out.data()) == AOIE_OK;
    for (int32_t y = 0; equal && y < part.rows; ++y) {
      const auto at = static_cast<size_t>((int64_t{part.y} + y) * gw + part.x) * static_cast<size_t>(plan.classes);
      equal = std::memcmp(out.data() + static_cast<size_t>(y) * row, all.data() + at, row * 4) == 0;
    }
    std::free(memory);
    if (!equal) return false;
  }
  return true;
}

// A picture so large that it goes strip by strip, with one task and with three, against whole maps.
bool strips_equal_steps(const std::vector<unsigned char>& file) {
  aoie_model* model = nullptr;
  if (aoie_open(file.data(), file.size(), &model, nullptr, 0) != AOIE_OK) return false;
  const int64_t h = 1203, w = 601;
  std::vector<uint8_t> image(static_cast<size_t>(h * w));
  Random random;
  for (auto& u : image) u = static_cast<uint8_t>(random.next() >> 56);
  std::vector<aoie::Value> values(aoie::kMaxValues);
  std::vector<int> live(aoie::kMaxValues);
  aoie::Plan plan{values.data(), live.data()};
  aoie_plan_result sizes;
  aoie_value last;
  bool equal = make_plan(*model, h, w, nullptr, false, 1, &plan, {nullptr, 0}) == AOIE_OK && plan.strips &&
               aoie_plan(model, h, w, &sizes, nullptr, 0) == AOIE_OK &&
               aoie_value_at(model, h, w, aoie_value_count(model) - 1, &last) == AOIE_OK;
  const uint64_t bytes = std::max(sizes.trace_bytes, aoie_parallel_bytes(model, h, w, 3));
  void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  std::vector<float> one(static_cast<size_t>(sizes.grid_h * sizes.grid_w * sizes.classes)), three = one;
  equal = equal && aoie_run(model, image.data(), h, w, memory, bytes, one.data()) == AOIE_OK;
  equal = equal && aoie_run_parallel(model, image.data(), h, w, memory, bytes, three.data(), 3, &run_one_by_one,
                                     nullptr) == AOIE_OK;
  equal = equal && aoie_trace(model, image.data(), h, w, memory, bytes) == AOIE_OK;
  const auto* want = static_cast<unsigned char*>(memory) + last.offset;
  equal = equal && std::memcmp(one.data(), want, one.size() * 4) == 0 &&
          std::memcmp(three.data(), want, one.size() * 4) == 0 && parts_equal(model, image, h, w, one);
  std::free(memory);
  aoie_close(model);
  return equal;
}

// All values of the graph one after the other, then the logits of a run and of a run in three tasks. Memory is filled
// before: what an op leaves out shows.
std::vector<unsigned char> values_of(const std::vector<unsigned char>& file, int isa, int64_t h, int64_t w) {
  aoie_model* model = nullptr;
  char message[256] = "";
  if (aoie_open_isa(file.data(), file.size(), aoie::isa_name(isa), &model, message, sizeof message) != AOIE_OK) {
    std::printf("%s\n", message);
    std::exit(1);
  }
  aoie_plan_result plan;
  if (aoie_plan(model, h, w, &plan, nullptr, 0) != AOIE_OK) std::exit(1);
  std::vector<uint8_t> image(static_cast<size_t>(h * w));
  Random random;
  for (auto& u : image) u = static_cast<uint8_t>(random.next() >> 56);
  const uint64_t three = aoie_parallel_bytes(model, h, w, 3), bytes = std::max({plan.trace_bytes, three});
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(64, bytes));
  std::vector<unsigned char> all;
  std::memset(memory, 0xFF, bytes);
  if (aoie_trace(model, image.data(), h, w, memory, plan.trace_bytes) != AOIE_OK) std::exit(1);
  for (int i = 0; i < aoie_value_count(model); ++i) {
    aoie_value value;
    if (aoie_value_at(model, h, w, i, &value) != AOIE_OK) continue;  // an id that the graph does not use
    all.insert(all.end(), memory + value.offset, memory + value.offset + value.bytes);
  }
  std::vector<float> out(static_cast<size_t>(plan.grid_h * plan.grid_w * plan.classes));
  const auto* logits = reinterpret_cast<const unsigned char*>(out.data());
  for (const int tasks : {1, 3}) {
    std::memset(memory, 0xFF, bytes);
    const int status = tasks == 1 ? aoie_run(model, image.data(), h, w, memory, plan.workspace_bytes, out.data())
                                  : aoie_run_parallel(model, image.data(), h, w, memory, three, out.data(), tasks,
                                                      &run_one_by_one, nullptr);
    if (status != AOIE_OK) std::exit(1);
    if (tasks > 1 && std::memcmp(all.data() + all.size() - out.size() * 4, logits, out.size() * 4) != 0) {
      std::printf("a network of %zu bytes differs in %d tasks on %s\n", file.size(), tasks, aoie::isa_name(isa));
      std::exit(1);
    }
    all.insert(all.end(), logits, logits + out.size() * 4);
  }
  if (!parts_equal(model, image, h, w, out)) {
    std::printf("a part of a network of %zu bytes differs on %s\n", file.size(), aoie::isa_name(isa));
    std::exit(1);
  }
  std::free(memory);
  aoie_close(model);
  return all;
}

// Every op of a network on every instruction set.
void check_network(const std::vector<unsigned char>& file, int64_t h, int64_t w) {
  const std::vector<unsigned char> want = values_of(file, aoie::kReference, h, w);
  for (int isa = 1; isa < aoie::kIsaCount; ++isa) {
    if (!aoie::isa_usable(isa)) continue;
    ++checked;
    if (values_of(file, isa, h, w) == want) continue;
    std::printf("a network of %zu bytes differs on %s\n", file.size(), aoie::isa_name(isa));
    std::exit(1);
  }
}

void check_small(int c, int planes, bool tied) {
  const auto file = aoie_test::small_file(c, c + 3, planes, tied);
  if (c > 1 && !strips_equal_steps(file)) {
    std::printf("strips differ from steps, c=%d planes=%d tied=%d\n", c, planes, tied);
    std::exit(1);
  }
  check_network(file, 37, 29);
}

// A line of kernels.inc is what runs on its instruction set: a kernel that nobody finds would pass every other check.
void check_found(aoie::Op op, const char* isa, aoie::Kernel kernel) {
  for (int i = 0; i < aoie::kIsaCount; ++i) {
    const aoie::Choice found = aoie::find_kernel(op, i);
    if (std::strcmp(isa, aoie::isa_name(i)) == 0 && found.isa == i && found.kernel == kernel) return;
  }
  std::printf("the kernel %s_%s is not found\n", aoie::op_name(op), isa);
  std::exit(1);
}

}  // namespace

int main() {
#define AOIE_KERNEL(op, isa) check_found(aoie::Op::op, #isa, &aoie::op##_##isa);
#include "ops/kernels.inc"
#undef AOIE_KERNEL
  const int64_t sizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 3}, {1, 7}, {5, 4}, {4, 9}, {7, 11}};
  const int64_t outputs[] = {1, 8, 13, 16, 21, 40, 128, 130};
  size_t turn = 0;
  for (int64_t c : {1, 3, 31, 32, 33, 63, 64, 65, 97, 127, 128, 200, 256, 320, 577})
    for (int64_t k : {1, 3})
      for (int64_t kw : {1, 3})
        for (int64_t s : {1, 2})
          for (int64_t j : {1, 2})
            for (const auto& size : sizes)
              for (const auto& scales : {std::vector<float>{0.37f, -1.73f}, {1.0f, 1.0f}})
                check({c, outputs[turn++ % std::size(outputs)], k, kw, s, j, size[0], size[1]}, scales);
  for (int64_t c : {3584, 3648, 4096})
    for (const auto& scales : {std::vector<float>{0.37f, -1.73f}, {1.0f, 1.0f}})
      check({c, 33, 3, 3, 1, 2, 3, 4}, scales);
  for (int64_t c : {1, 3})
    for (int64_t k : {1, 3, 5, 7, 11})
      for (int64_t s : {1, 2, 4})
        for (const auto& size : sizes)
          for (const int bits : {16, 8})
            check_conv_int({c, outputs[turn++ % std::size(outputs)], k, k, s, 1, size[0] + 4, size[1] + 9}, bits);
  check_standardize_all();
  for (int c : {1, 7, 16, 40, 65})
    for (int planes : {1, 2}) check_small(c, planes, false);
  for (int c : {7, 40, 65}) check_small(c, 2, true);
  for (const int planes : {1, 2})  // three tasks share 7 rows by channels
    check_network(aoie_test::small_file(40, 192, planes), 7, 29);
  check_network(aoie_test::small_file(40, 192, 2, true), 7, 29);
  check_network(aoie_test::hourglass_scan_file(), 37, 29);
  check_network(aoie_test::hourglass_scan_file(), 1204, 600);  // so large, and of whole maps
  check_network(aoie_test::row_file(), 1, 5);
  for (const int n : {1, 3, 11})
    for (const bool tied : {false, true}) check_network(aoie_test::mixed_file(n, tied), 8, 8);
  std::printf("%d kernel runs equal the reference\n", checked);
  return checked > 0 ? 0 : 1;
}
