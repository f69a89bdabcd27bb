// write_golden MODEL.aoie FROM.golden H W OUT.golden: runs the model on the upper left H x W pixels of a golden picture
// and writes a golden file with these logits, for a machine that cannot be asked otherwise (a small board).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "aoienet/aoienet.h"

namespace {

int stop(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  return 1;
}

std::vector<uint8_t> bytes_of(const char* path) {
  std::vector<uint8_t> data;
  FILE* file = std::fopen(path, "rb");
  if (file == nullptr) std::exit(stop(path));
  for (int c; (c = std::fgetc(file)) != EOF;) data.push_back(static_cast<uint8_t>(c));
  std::fclose(file);
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return stop("usage: write_golden MODEL.aoie FROM.golden H W OUT.golden");
  const std::vector<uint8_t> from = bytes_of(argv[2]);
  const auto h = static_cast<uint32_t>(std::atoi(argv[3])), w = static_cast<uint32_t>(std::atoi(argv[4]));
  uint32_t head[5];  // version, height, width, channels, count of logits
  if (from.size() < 28 || std::memcmp(from.data(), "AOIEGOLD", 8) != 0) return stop("not a golden file");
  std::memcpy(head, from.data() + 8, sizeof head);
  if (h < 1 || w < 1 || h > head[1] || w > head[2]) return stop("H and W lie in the picture");

  aoie_model* model = nullptr;
  aoie_plan_result plan;
  char message[320] = "";
  if (aoie_open_file(argv[1], &model, message, sizeof message) != AOIE_OK) return stop(message);
  if (static_cast<uint32_t>(aoie_channels(model)) != head[3]) return stop("the channels are those of the model");
  if (aoie_plan(model, h, w, &plan, message, sizeof message) != AOIE_OK) return stop(message);
  std::vector<uint8_t> picture;
  for (uint32_t y = 0; y < h; ++y) {
    const uint8_t* row = from.data() + 28 + size_t{y} * head[2] * head[3];
    picture.insert(picture.end(), row, row + size_t{w} * head[3]);
  }
  std::vector<float> logits(static_cast<size_t>(plan.grid_h) * static_cast<size_t>(plan.grid_w) *
                            static_cast<size_t>(plan.classes));
  const auto bytes = static_cast<size_t>(plan.workspace_bytes);
  void* workspace = std::aligned_alloc(AOIE_WORKSPACE_ALIGN, (bytes + 63) / 64 * 64);
  const int status = aoie_run(model, picture.data(), h, w, workspace, plan.workspace_bytes, logits.data());
  std::free(workspace);
  aoie_close(model);
  if (status != AOIE_OK) return stop(aoie_status_text(status));

  head[1] = h, head[2] = w, head[4] = static_cast<uint32_t>(logits.size());
  FILE* out = std::fopen(argv[5], "wb");
  if (out == nullptr) return stop(argv[5]);
  std::fwrite("AOIEGOLD", 1, 8, out);
  std::fwrite(head, 1, sizeof head, out);
  std::fwrite(picture.data(), 1, picture.size(), out);
  std::fwrite(logits.data(), sizeof(float), logits.size(), out);
  return std::fclose(out) == 0 ? 0 : stop(argv[5]);
}
