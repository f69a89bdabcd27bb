// Wrong use at run time: every call answers with its status, and where it takes a message with rule and received value.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "aoienet/aoienet.h"
#include "model_builder.h"

namespace {

char message[320];

void expect(int have, int want, const char* what, const char* words = nullptr) {
  if (have == want && (words == nullptr || std::strstr(message, words) != nullptr)) {
    message[0] = 0;
    return;
  }
  std::printf("%s: status %d (%s) with '%s'; received %d with '%s'\n", what, want, aoie_status_text(want),
              words == nullptr ? "" : words, have, message);
  std::exit(1);
}

int open_bytes(const std::vector<unsigned char>& file, const char* isa, aoie_model** out) {
  return aoie_open_isa(file.data(), file.size(), isa, out, message, sizeof message);
}

void check_open() {
  aoie_model* model = nullptr;
  auto file = aoie_test::small_file(8, 8, 1);
  for (const char* isa : {"mmx", "AVX2", "avx2 ", "reference\n", "neon9"})
    expect(open_bytes(file, isa, &model), AOIE_BAD_ISA, "an unknown instruction set", "received '");
  expect(open_bytes(file, std::string(5000, 'x').c_str(), &model), AOIE_BAD_ISA, "a long name", "here: reference");
  expect(open_bytes(file, "mmx", &model), AOIE_BAD_ISA, "a name that is handed in", "isa is one of");
  setenv("AOIENET_ISA", "mmx", 1);
  expect(open_bytes(file, nullptr, &model), AOIE_BAD_ISA, "a name in the environment", "AOIENET_ISA is one of");
  unsetenv("AOIENET_ISA");
  for (int i = 0; const char* isa = aoie_isa_at(i); ++i) {
    expect(open_bytes(file, isa, &model), aoie_isa_usable(isa) ? AOIE_OK : AOIE_BAD_ISA, isa);
    aoie_close(model);
  }
  aoie_test::ModelFile::put(&file, 8, 2, 4);
  expect(open_bytes(file, nullptr, &model), AOIE_BAD_FILE, "a file of version 2",
         "newer runtime; received 2. Update the runtime.");
  aoie_test::ModelFile::put(&file, 8, 0, 4);
  expect(open_bytes(file, nullptr, &model), AOIE_BAD_FILE, "a file of version 0", "the version is 1; received 0.");
  auto damaged = aoie_test::small_file(8, 8, 1);
  damaged.back() ^= 1;
  expect(open_bytes(damaged, nullptr, &model), AOIE_BAD_FILE, "a damaged file", "damaged: copy it again.");
  damaged.pop_back();
  expect(open_bytes(damaged, nullptr, &model), AOIE_BAD_FILE, "a file that is cut", "cut or damaged");
  expect(open_bytes(std::vector<unsigned char>(99, '#'), nullptr, &model), AOIE_BAD_FILE, "a text", "no model file.");
  expect(aoie_open(file.data(), 0, &model, message, sizeof message), AOIE_BAD_FILE, "no bytes",
         "32 bytes; received 0.");
  expect(aoie_open(nullptr, 7, &model, message, sizeof message), AOIE_BAD_ARGUMENT, "NULL data", "NULL");
  expect(aoie_open(file.data(), 7, nullptr, message, sizeof message), AOIE_BAD_ARGUMENT, "NULL out", "NULL");
  expect(aoie_open_file(nullptr, &model, message, sizeof message), AOIE_BAD_ARGUMENT, "NULL path", "NULL");
  expect(aoie_open_file("/no/such/file", &model, message, sizeof message), AOIE_IO, "no file",
         "'/no/such/file'. Check the path");
  expect(aoie_open_file("/", &model, message, sizeof message), AOIE_IO, "a folder", "can be read; received '/'.");
  char tiny[8] = "#######";
  expect(aoie_open_file("/no/such/file", &model, tiny, 4), AOIE_IO, "a small buffer for the message");
  expect(std::strcmp(tiny, "the") == 0 && tiny[4] == '#', 1, "a message that is cut ends in its buffer");
}

void check_sizes(const aoie_model* model) {
  aoie_plan_result plan;
  const int64_t sizes[][2] = {{0, 0}, {0, 9}, {9, 0}, {-1, 9}, {INT64_MIN, INT64_MAX}, {65537, 9}, {9, 65537}, {1, 1}};
  for (const auto& size : sizes) {
    const int status = aoie_plan(model, size[0], size[1], &plan, message, sizeof message);
    expect(status, AOIE_BAD_SIZE, "a size that the graph cannot take", "received");
    expect(plan.workspace_bytes == 0 && plan.classes == 0, 1, "a plan that is refused is 0");
    expect(aoie_parallel_bytes(model, size[0], size[1], 2) == 0, 1, "no bytes for it");
  }
  expect(aoie_plan(nullptr, 9, 9, &plan, message, sizeof message), AOIE_BAD_ARGUMENT, "NULL model", "NULL");
  expect(aoie_plan(model, 9, 9, nullptr, message, sizeof message), AOIE_BAD_ARGUMENT, "NULL plan", "NULL");
  expect(aoie_plan(model, 0, 9, &plan, nullptr, 0), AOIE_BAD_SIZE, "no message wanted");
}

void serial(void*, void (*task)(void*, int), void* argument, int count) {
  for (int i = 0; i < count; ++i) task(argument, i);
}

void check_run(const aoie_model* model) {
  aoie_plan_result plan;
  expect(aoie_plan(model, 9, 8, &plan, message, sizeof message), AOIE_OK, "a plan");
  const uint64_t bytes = plan.workspace_bytes, two = aoie_parallel_bytes(model, 9, 8, 2);
  std::vector<uint8_t> image(72, 100);
  std::vector<float> out(static_cast<size_t>(plan.grid_h * plan.grid_w * plan.classes));
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(64, static_cast<size_t>(two + 128) / 64 * 64));
  const auto run = [&](const uint8_t* pixels, int64_t h, void* workspace, uint64_t size, float* logits) {
    return aoie_run(model, pixels, h, 8, workspace, size, logits);
  };
  expect(run(image.data(), 9, memory, bytes, out.data()), AOIE_OK, "a run");
  expect(run(image.data(), 9, memory, bytes - 1, out.data()), AOIE_BAD_ARGUMENT, "a workspace that is too small");
  expect(run(image.data(), 9, memory, 0, out.data()), AOIE_BAD_ARGUMENT, "a workspace of 0 bytes");
  for (int shift : {1, 8, 32, 63})
    expect(run(image.data(), 9, memory + shift, bytes, out.data()), AOIE_BAD_ARGUMENT, "a misaligned workspace");
  expect(run(nullptr, 9, memory, bytes, out.data()), AOIE_BAD_ARGUMENT, "NULL image");
  expect(run(image.data(), 9, nullptr, bytes, out.data()), AOIE_BAD_ARGUMENT, "NULL workspace");
  expect(run(image.data(), 9, memory, bytes, nullptr), AOIE_BAD_ARGUMENT, "NULL logits");
  expect(run(image.data(), 0, memory, bytes, out.data()), AOIE_BAD_SIZE, "an image of 0 rows");
  expect(aoie_run(nullptr, image.data(), 9, 8, memory, bytes, out.data()), AOIE_BAD_ARGUMENT, "NULL model");
  for (int tasks : {0, -1, 65})
    expect(aoie_run_parallel(model, image.data(), 9, 8, memory, two, out.data(), tasks, &serial, nullptr),
           AOIE_BAD_ARGUMENT, "tasks out of range");
  expect(aoie_run_parallel(model, image.data(), 9, 8, memory, two, out.data(), 2, nullptr, nullptr), AOIE_BAD_ARGUMENT,
         "NULL parallel_for");
  expect(aoie_run_parallel(model, image.data(), 9, 8, memory, two - 1, out.data(), 2, &serial, nullptr),
         AOIE_BAD_ARGUMENT, "a workspace for fewer tasks");
  const aoie_part whole{0, 0, plan.grid_h, plan.grid_w};
  const uint64_t part_bytes = aoie_part_bytes(model, 9, 8, &whole);
  const auto run_part = [&](const aoie_part* part, uint64_t size, float* logits) {
    return aoie_run_part(model, image.data(), 9, 8, part, memory, size, logits);
  };
  for (const aoie_part& part : {aoie_part{-1, 0, 1, 1},
                                {0, -1, 1, 1},
                                {0, 0, 0, 1},
                                {0, 0, 1, 0},
                                {0, 0, 1, -5},
                                {plan.grid_h, 0, 1, 1},
                                {0, 1, 1, plan.grid_w},
                                {1, 0, INT32_MAX, 1},
                                {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}}) {
    expect(run_part(&part, part_bytes, out.data()), AOIE_BAD_ARGUMENT, "a part that is not in the grid");
    expect(aoie_part_bytes(model, 9, 8, &part) == 0, 1, "no bytes for it");
  }
  expect(run_part(&whole, part_bytes, out.data()), AOIE_OK, "all parts");
  expect(run_part(&whole, part_bytes - 1, out.data()), AOIE_BAD_ARGUMENT, "a small workspace of a part");
  expect(run_part(nullptr, part_bytes, out.data()), AOIE_BAD_ARGUMENT, "NULL part");
  expect(run_part(&whole, part_bytes, nullptr), AOIE_BAD_ARGUMENT, "NULL logits of a part");
  expect(aoie_part_bytes(nullptr, 9, 8, &whole) + aoie_part_bytes(model, 9, 8, nullptr) == 0, 1, "no bytes for NULL");
  expect(aoie_part_bytes(model, 0, 8, &whole) == 0, 1, "no bytes for a part of no picture");
  expect(aoie_trace(model, image.data(), 9, 8, memory, plan.trace_bytes - 1), AOIE_BAD_ARGUMENT, "a small trace");
  aoie_value value;
  for (int index : {-1, aoie_value_count(model), INT32_MAX})
    expect(aoie_value_at(model, 9, 8, index, &value), AOIE_BAD_ARGUMENT, "a value that is not there");
  expect(aoie_value_at(model, 0, 8, 0, &value), AOIE_BAD_SIZE, "a value of a picture that cannot be");
  std::free(memory);
}

void check_nothing() {  // questions about no model have an answer too
  size_t bytes = 9;
  expect(aoie_header(nullptr, &bytes) == nullptr && bytes == 0, 1, "no header");
  expect(aoie_channels(nullptr) == 0 && aoie_value_count(nullptr) == 0 && aoie_model_bytes(nullptr) == 0, 1, "nothing");
  expect(aoie_isa_name(nullptr) == nullptr && aoie_isa_at(-1) == nullptr && aoie_isa_at(99) == nullptr, 1, "no names");
  expect(aoie_isa_usable(nullptr) == 0 && aoie_isa_usable("mmx") == 0, 1, "not usable");
  expect(aoie_cpu_feature(-1, nullptr) == nullptr && aoie_cpu_feature(99, nullptr) == nullptr, 1, "no features");
  for (int status = -1; status < 12; ++status)
    expect(std::strlen(aoie_status_text(status)) > 1, 1, "every status has a text");
  expect(std::strcmp(aoie_status_text(99), "unknown status") == 0, 1, "a status of nobody");
  expect(std::strstr(aoie_status_text(AOIE_BAD_ARGUMENT), "out of its range") != nullptr, 1, "tasks may be too many");
  aoie_close(nullptr);
}

}  // namespace

int main() {
  check_open();
  check_nothing();
  const auto file = aoie_test::small_file(8, 8, 1);
  aoie_model* model = nullptr;
  expect(open_bytes(file, nullptr, &model), AOIE_OK, "a model");
  check_sizes(model);
  check_run(model);
  aoie_close(model);
  std::printf("every wrong use has its status\n");
  return 0;
}
