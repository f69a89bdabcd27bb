// Any bytes handed to the reader are refused with a message, or make a model that runs and whose numbers are all
// finite. With libFuzzer (clang, -DAOIENET_FUZZ=ON) this is the fuzz target; without it (tests/replay.cc) the kept
// corpus goes through it.
//
// Sizes and checksum are put right where the magic is: else nearly all inputs would end at the checksum. Files that
// are wrong there are in the corpus with a broken magic, and in tests/deploy/hostile_cases.py of the project.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "aoienet/aoienet.h"

namespace {

constexpr size_t kPrefix = 32, kModelMemory = size_t{1} << 21;
constexpr uint64_t kMostWorkspace = uint64_t{1} << 18;  // larger pictures are slow and show nothing new

void put(unsigned char* at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) at[i] = static_cast<unsigned char>(value >> (8 * i));
}

void seal(unsigned char* file, size_t bytes) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = kPrefix; i < bytes; ++i) hash = (hash ^ file[i]) * 0x100000001B3u;
  put(file + 16, bytes, 8);
  put(file + 24, hash, 8);
}

void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

// The decision in the middle has the bits that it has in `all`.
void run_part(const aoie_model* model, const unsigned char* image, int side, const aoie_plan_result& plan,
              const float* all) {
  const aoie_part part{plan.grid_h / 2, plan.grid_w / 2, 1, 1};
  const uint64_t needed = aoie_part_bytes(model, side, 64, &part);
  const size_t bytes = static_cast<size_t>(plan.classes) * sizeof(float);
  require(needed > 0, "a part of what is planned is planned");
  void* workspace = std::aligned_alloc(AOIE_WORKSPACE_ALIGN, static_cast<size_t>(needed));
  auto* out = static_cast<float*>(std::malloc(bytes));
  require(aoie_run_part(model, image, side, 64, &part, workspace, needed, out) == AOIE_OK, "a part runs");
  const int64_t at = (int64_t{part.y} * plan.grid_w + part.x) * plan.classes;
  require(std::memcmp(out, all + at, bytes) == 0, "a part has the bits of the whole");
  std::free(out);
  std::free(workspace);
}

bool finite(const float* values, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (!std::isfinite(values[i])) return false;
  return true;
}

// Every number that an op leaves behind.
void check_values(const aoie_model* model, const unsigned char* image, int side, uint64_t trace_bytes) {
  if (trace_bytes == 0 || trace_bytes > 4 * kMostWorkspace) return;
  auto* memory = static_cast<unsigned char*>(
      std::aligned_alloc(AOIE_WORKSPACE_ALIGN, static_cast<size_t>(trace_bytes + 63) / 64 * 64));
  require(aoie_trace(model, image, side, 64, memory, trace_bytes) == AOIE_OK, "what is planned is traced");
  aoie_value value;
  for (int i = 0; i < aoie_value_count(model); ++i)
    if (aoie_value_at(model, side, 64, i, &value) == AOIE_OK && (value.type == AOIE_F32 || value.type == AOIE_VEC))
      require(finite(reinterpret_cast<const float*>(memory + value.offset), value.bytes / sizeof(float)),
              "every value is finite");
  std::free(memory);
}

void run(const aoie_model* model) {
  static unsigned char image[64 * 64 * 3];
  for (size_t i = 0; i < sizeof image; ++i) image[i] = static_cast<unsigned char>(i * i >> 3);
  for (const int side : {8, 9, 64}) {
    aoie_plan_result plan;
    char message[200] = "";
    const int status = aoie_plan(model, side, 64, &plan, message, sizeof message);
    if (status != AOIE_OK) {
      require(status == AOIE_BAD_SIZE && message[0] != 0, "a size that is refused has a message");
      continue;
    }
    if (plan.workspace_bytes > kMostWorkspace) continue;
    const auto logits =
        static_cast<size_t>(plan.grid_h) * static_cast<size_t>(plan.grid_w) * static_cast<size_t>(plan.classes);
    void* workspace = std::aligned_alloc(AOIE_WORKSPACE_ALIGN, static_cast<size_t>(plan.workspace_bytes));
    auto* out = static_cast<float*>(std::malloc(logits * sizeof(float)));
    require(aoie_run(model, image, side, 64, workspace, plan.workspace_bytes, out) == AOIE_OK, "what is planned runs");
    std::free(workspace);
    require(finite(out, logits), "every logit is finite");
    check_values(model, image, side, plan.trace_bytes);
    run_part(model, image, side, plan, out);
    std::free(out);
    return;
  }
}

}  // namespace

#if defined(AOIENET_FUZZ)
static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t bytes, size_t most);

// Three times of four only the header's text changes, and the tensors move to where the new length wants them: else
// every insertion would end at the first gap.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t bytes, size_t most, unsigned int seed) {
  size_t text = 0;
  if (bytes >= kPrefix)
    for (int i = 3; i >= 0; --i) text = text << 8 | data[12 + i];
  const size_t from = aligned(kPrefix + text);
  if (seed % 4 == 0 || text == 0 || from > bytes || most < bytes + 128) return LLVMFuzzerMutate(data, bytes, most);
  const size_t tensors = bytes - from, room = most - tensors - 64 - kPrefix;
  auto* copy = static_cast<unsigned char*>(std::malloc(tensors + 1));
  std::memcpy(copy, data + from, tensors);
  const size_t now = LLVMFuzzerMutate(data + kPrefix, text, room), to = aligned(kPrefix + now);
  std::memset(data + kPrefix + now, 0, to - kPrefix - now);
  std::memcpy(data + to, copy, tensors);
  std::free(copy);
  put(data + 12, now, 4);
  return to + tensors;
}
#endif

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  auto* file = static_cast<unsigned char*>(std::malloc(bytes == 0 ? 1 : bytes));  // of the exact size, on the heap
  if (bytes > 0) std::memcpy(file, data, bytes);
  if (bytes >= kPrefix && std::memcmp(file, "AOIENET", 8) == 0) seal(file, bytes);
  static void* const memory = std::malloc(kModelMemory);
  aoie_model* model = nullptr;
  char message[200] = "";
  const bool on_heap = bytes % 4 == 0;
  const int status = on_heap
                         ? aoie_open(file, bytes, &model, message, sizeof message)
                         : aoie_open_in(file, bytes, nullptr, memory, kModelMemory, &model, message, sizeof message);
  require((status == AOIE_OK) == (model != nullptr), "a model comes with status 0");
  require(status == AOIE_OK || message[0] != 0, "a refusal has a message");
  require(status == AOIE_OK || status == AOIE_BAD_FILE || status == AOIE_NO_MEMORY, "a status of the list");
  if (model != nullptr) run(model);
  if (on_heap) aoie_close(model);
  std::free(file);
  return 0;
}
