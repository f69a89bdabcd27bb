// Nothing is allocated once a model is open. The linker hands every call of malloc and its kin to the functions below
// (--wrap, CMakeLists.txt), and operator new is replaced: what the library would allocate is counted.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "aoienet/aoienet.h"
#include "model_builder.h"

namespace {
int allocations = 0;
}

extern "C" {
void* __real_malloc(size_t);
void* __real_calloc(size_t, size_t);
void* __real_realloc(void*, size_t);
void* __real_aligned_alloc(size_t, size_t);
int __real_posix_memalign(void**, size_t, size_t);
void* __wrap_malloc(size_t bytes) { return ++allocations, __real_malloc(bytes); }
void* __wrap_calloc(size_t count, size_t bytes) { return ++allocations, __real_calloc(count, bytes); }
void* __wrap_realloc(void* block, size_t bytes) { return ++allocations, __real_realloc(block, bytes); }
void* __wrap_aligned_alloc(size_t align, size_t bytes) { return ++allocations, __real_aligned_alloc(align, bytes); }
int __wrap_posix_memalign(void** out, size_t align, size_t bytes) {
  return ++allocations, __real_posix_memalign(out, align, bytes);
}
}

void* operator new(size_t bytes) {
  if (void* block = std::malloc(bytes)) return block;
  std::abort();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

namespace {

void expect(bool truth, const char* what, const aoie_model* model = nullptr) {
  if (truth) return;
  std::printf("failed: %s on %s\n", what, model == nullptr ? "?" : aoie_isa_name(model));
  std::exit(1);
}

void one_by_one(void*, void (*task)(void*, int), void* argument, int count) {
  for (int i = 0; i < count; ++i) task(argument, i);
}

void check(const std::vector<unsigned char>& file, const char* isa, int64_t h, int64_t w) {
  aoie_model* model = nullptr;
  char message[200];
  allocations = 0;
  expect(aoie_open_isa(file.data(), file.size(), isa, &model, message, sizeof message) == AOIE_OK, "a model");
  expect(allocations > 0, "a model on the heap is counted", model);

  aoie_plan_result plan;
  expect(aoie_plan(model, h, w, &plan, nullptr, 0) == AOIE_OK, "a plan", model);
  const aoie_part part{plan.grid_h / 2, 0, 1, plan.grid_w};
  const uint64_t bytes = std::max({plan.workspace_bytes, plan.trace_bytes, aoie_parallel_bytes(model, h, w, 3),
                                   aoie_part_bytes(model, h, w, &part)});
  const std::vector<uint8_t> image(static_cast<size_t>(h * w), 77);
  std::vector<float> out(static_cast<size_t>(plan.grid_h) * static_cast<size_t>(plan.grid_w * plan.classes));
  void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  aoie_scan scan;
  const bool scans = aoie_scan_of(model, &scan) == AOIE_OK;
  aoie_value value;
  aoie_band band;

  allocations = 0;
  const auto none = [&](int status, const char* call) {
    expect(status == AOIE_OK, call, model);
    expect(allocations == 0, call, model);
  };
  none(aoie_plan(model, h, w, &plan, message, sizeof message), "aoie_plan");
  none(aoie_run(model, image.data(), h, w, memory, bytes, out.data()), "aoie_run");
  none(aoie_parallel_bytes(model, h, w, 3) > 0 ? AOIE_OK : AOIE_BAD_SIZE, "aoie_parallel_bytes");
  none(aoie_run_parallel(model, image.data(), h, w, memory, bytes, out.data(), 3, &one_by_one, nullptr),
       "aoie_run_parallel");
  none(aoie_part_bytes(model, h, w, &part) > 0 ? AOIE_OK : AOIE_BAD_SIZE, "aoie_part_bytes");
  none(aoie_run_part(model, image.data(), h, w, &part, memory, bytes, out.data()), "aoie_run_part");
  none(aoie_trace(model, image.data(), h, w, memory, bytes), "aoie_trace");
  none(aoie_value_at(model, h, w, aoie_value_count(model) - 1, &value), "aoie_value_at");
  if (scans) none(aoie_band_at(model, h, w, 0, 2, &band, message, sizeof message), "aoie_band_at");
  none(aoie_plan(model, 0, 0, &plan, message, sizeof message) == AOIE_BAD_SIZE ? AOIE_OK : AOIE_BAD_ARGUMENT,
       "a refused aoie_plan");
  std::free(memory);
  aoie_close(model);
}

}  // namespace

int main() {
  for (int i = 0; const char* isa = aoie_isa_at(i); ++i) {
    if (!aoie_isa_usable(isa)) continue;
    check(aoie_test::small_file(16, 16, 2), isa, 37, 29);
    check(aoie_test::small_file(7, 8, 1), isa, 1203, 601);  // strip by strip
    check(aoie_test::mixed_file(), isa, 8, 8);
    check(aoie_test::hourglass_scan_file(), isa, 43, 9);
    check(aoie_test::sparse_scan_file(), isa, 52, 20);
  }
  std::printf("nothing is allocated once a model is open\n");
  return 0;
}
