// The golden files (tests/golden/make.py of the project writes them): every instruction set gives the stored logits bit
// for bit. Prints both values of the first difference; exit code 1. A port to another machine is right when this
// passes.

#include <aoienet/aoienet.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

static std::vector<uint8_t> bytes_of(const std::string& path) {
  std::vector<uint8_t> data;
  FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  uint8_t block[4096];
  for (size_t n; (n = std::fread(block, 1, sizeof block, file)) > 0;) data.insert(data.end(), block, block + n);
  std::fclose(file);
  return data;
}

static int check(const std::string& path, const char* isa) {  // without .aoie and .golden
  const std::vector<uint8_t> file = bytes_of(path + ".aoie"), golden = bytes_of(path + ".golden");
  const char* name = path.c_str();
  uint32_t head[5];  // version, height, width, channels, count of logits
  if (golden.size() < 28 || std::memcmp(golden.data(), "AOIEGOLD", 8) != 0) return 1;
  std::memcpy(head, golden.data() + 8, sizeof head);
  const size_t pixels = size_t{head[1]} * head[2] * head[3];
  if (head[0] != 1 || golden.size() != 28 + pixels + 4 * size_t{head[4]}) return 1;

  aoie_model* model = nullptr;
  char message[256] = "";
  if (aoie_open_isa(file.data(), file.size(), isa, &model, message, sizeof message) != AOIE_OK) {
    std::fprintf(stderr, "%s: %s\n", name, message);
    return 1;
  }
  aoie_plan_result plan;
  int status = aoie_plan(model, head[1], head[2], &plan, message, sizeof message);
  const size_t count = status == AOIE_OK ? size_t(plan.grid_h) * size_t(plan.grid_w) * size_t(plan.classes) : 0;
  if (count != head[4]) return 1;
  std::vector<float> logits(count);
  void* workspace = std::aligned_alloc(AOIE_WORKSPACE_ALIGN, (plan.workspace_bytes + 63) / 64 * 64);
  status = aoie_run(model, golden.data() + 28, head[1], head[2], workspace, plan.workspace_bytes, logits.data());
  std::free(workspace);
  aoie_close(model);
  if (status != AOIE_OK) return 1;
  for (size_t i = 0; i < count; ++i) {
    float stored;
    std::memcpy(&stored, golden.data() + 28 + pixels + 4 * i, 4);
    if (std::memcmp(&stored, &logits[i], 4) != 0) {
      std::fprintf(stderr, "%s on %s: logit %zu is %.9g, stored %.9g\n", name, isa, i, logits[i], stored);
      return 1;
    }
  }
  std::printf("%s on %s: %zu logits equal\n", name, isa, count);
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: test_golden FOLDER\n");
    return 1;
  }
  std::set<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
    if (entry.path().extension() == ".golden") paths.insert(entry.path().parent_path() / entry.path().stem());
  if (paths.empty()) {
    std::fprintf(stderr, "the folder holds .golden files; received '%s'\n", argv[1]);
    return 1;
  }
  int failed = 0;
  for (int i = 0; const char* isa = aoie_isa_at(i); ++i)
    if (aoie_isa_usable(isa))
      for (const std::string& path : paths) failed |= check(path, isa);
  return failed;
}
