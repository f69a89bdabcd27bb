// A picture in bands gives the bits of one run, for every height of the bands; the memory of a band does not grow with
// the picture. Takes the folder of the golden files, and a folder for a scanner and a picture (sparse.aoie, sparse.raw)
// that the example is to run.
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

void expect(bool truth, const char* what) {
  if (truth) return;
  std::printf("failed: %s (%s)\n", what, message);
  std::exit(1);
}

std::vector<float> run(const aoie_model* model, const uint8_t* pixels, int64_t h, int64_t w) {
  aoie_plan_result plan;
  expect(aoie_plan(model, h, w, &plan, message, sizeof message) == AOIE_OK, "a plan");
  const auto bytes = static_cast<size_t>(plan.workspace_bytes);
  std::vector<float> out(static_cast<size_t>(plan.grid_h) * static_cast<size_t>(plan.grid_w) *
                         static_cast<size_t>(plan.classes));
  void* workspace = std::aligned_alloc(64, bytes);
  expect(aoie_run(model, pixels, h, w, workspace, bytes, out.data()) == AOIE_OK, "a run");
  std::free(workspace);
  return out;
}

std::vector<uint8_t> noise(int64_t h, int64_t w) {
  std::vector<uint8_t> picture(static_cast<size_t>(h * w));
  aoie_test::Random random;
  for (auto& pixel : picture) pixel = static_cast<uint8_t>(random.next() >> 56);
  return picture;
}

void check_rows(const aoie_model* model, const std::vector<uint8_t>& picture, int64_t h, int64_t w, int32_t rows) {
  const std::vector<float> want = run(model, picture.data(), h, w);
  std::vector<float> have;
  aoie_scan scan;
  expect(aoie_scan_of(model, &scan) == AOIE_OK, "a scanner");
  const int64_t all = (h - scan.block_px) / scan.block_stride_px + 1;
  aoie_band band{};
  for (int64_t first = 0; first < all; first += band.rows) {
    expect(aoie_band_at(model, h, w, first, rows, &band, message, sizeof message) == AOIE_OK, "a band");
    const std::vector<float> part = run(model, picture.data() + band.first_px * w, band.rows_px, w);
    const size_t row = part.size() / static_cast<size_t>(band.grid_h);
    expect(part.size() % static_cast<size_t>(band.grid_h) == 0 && band.skip + band.rows <= band.grid_h, "its rows");
    const float* from = part.data() + static_cast<size_t>(band.skip) * row;
    have.insert(have.end(), from, from + static_cast<size_t>(band.rows) * row);
  }
  expect(have.size() == want.size() && std::memcmp(have.data(), want.data(), have.size() * 4) == 0, "the same bits");
}

void check_wrong_use(const aoie_model* model) {
  aoie_band band;
  const auto at = [&](int64_t h, int64_t w, int64_t first, int32_t rows) {
    message[0] = 0;
    return aoie_band_at(model, h, w, first, rows, &band, message, sizeof message);
  };
  for (const int64_t side : {int64_t{0}, int64_t{63}, int64_t{65}, int64_t{95}, INT64_MIN, INT64_MAX}) {
    expect(at(side, 96, 0, 1) == AOIE_BAD_SIZE && std::strstr(message, "whole blocks") != nullptr, "a wrong height");
    expect(at(96, side, 0, 1) == AOIE_BAD_SIZE && band.rows == 0, "a wrong width");
  }
  for (const int64_t first : {int64_t{-1}, int64_t{2}, INT64_MAX})
    expect(at(96, 96, first, 1) == AOIE_BAD_ARGUMENT && std::strstr(message, "0 to 1") != nullptr, "a wrong row");
  expect(at(96, 96, 0, 0) == AOIE_BAD_ARGUMENT && at(96, 96, 0, -5) == AOIE_BAD_ARGUMENT, "no rows");
  expect(at(96, 96, 0, INT32_MAX) == AOIE_OK && band.rows == 2, "more rows than there are");
  expect(aoie_band_at(nullptr, 96, 96, 0, 1, &band, nullptr, 0) == AOIE_BAD_ARGUMENT, "NULL model");
  expect(aoie_band_at(model, 96, 96, 0, 1, nullptr, nullptr, 0) == AOIE_BAD_ARGUMENT, "NULL band");

  expect(at(64 + 32 * 3000, 96, 40, 4) == AOIE_OK, "a picture of 96,064 rows");
  const uint64_t bytes = band.workspace_bytes;
  expect(at(64 + 32 * int64_t{1000000000}, 96, 900000000, 4) == AOIE_OK && band.workspace_bytes == bytes,
         "memory that does not grow with the picture");
}

void write(const std::string& path, const std::vector<unsigned char>& data) {
  FILE* out = std::fopen(path.c_str(), "wb");
  expect(out != nullptr && std::fwrite(data.data(), 1, data.size(), out) == data.size(), path.c_str());
  std::fclose(out);
}

void check_sparse(const char* folder) {
  const std::vector<unsigned char> file = aoie_test::sparse_scan_file();
  const int64_t h = 4 + 8 * 6, w = 4 + 8 * 2;
  const std::vector<uint8_t> picture = noise(h, w);
  aoie_model* model = nullptr;
  expect(aoie_open(file.data(), file.size(), &model, message, sizeof message) == AOIE_OK, "blocks that stand apart");
  for (const int32_t rows : {1, 2, 7}) check_rows(model, picture, h, w, rows);
  aoie_close(model);
  if (folder == nullptr) return;
  write(std::string(folder) + "/sparse.aoie", file);
  write(std::string(folder) + "/sparse.raw", picture);
}

// Bands begin at whole positions of the coarsest level.
void check_levels() {
  const std::vector<unsigned char> file = aoie_test::hourglass_scan_file();
  const int64_t h = 43, w = 9;
  const std::vector<uint8_t> picture = noise(h, w);
  aoie_model* model = nullptr;
  aoie_scan scan;
  expect(aoie_open(file.data(), file.size(), &model, message, sizeof message) == AOIE_OK, "levels of a U-Net");
  expect(aoie_scan_of(model, &scan) == AOIE_OK && scan.block_stride_px == 1 && scan.align_px == 4, "their alignment");
  for (const int32_t rows : {1, 2, 3, 4, 7, 50}) check_rows(model, picture, h, w, rows);
  aoie_close(model);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 1;
  const int64_t h = 64 + 32 * 11, w = 64 + 32;
  const std::vector<uint8_t> picture = noise(h, w);
  const std::string path = std::string(argv[1]) + "/scan.aoie";
  aoie_model* model = nullptr;
  expect(aoie_open_file(path.c_str(), &model, message, sizeof message) == AOIE_OK, "the golden scanner");
  for (const int32_t rows : {1, 2, 3, 5, 11, 12, 100}) check_rows(model, picture, h, w, rows);
  check_wrong_use(model);
  check_levels();
  aoie_close(model);
  check_sparse(argc == 3 ? argv[2] : nullptr);

  const auto file = aoie_test::mixed_file();  // has no scan
  aoie_scan scan;
  aoie_band band;
  expect(aoie_open(file.data(), file.size(), &model, message, sizeof message) == AOIE_OK, "a classifier");
  expect(aoie_scan_of(model, &scan) == AOIE_BAD_ARGUMENT, "which has no geometry");
  expect(aoie_band_at(model, 8, 8, 0, 1, &band, message, sizeof message) == AOIE_BAD_ARGUMENT, "and no bands");
  aoie_close(model);
  std::printf("bands give the bits of one run\n");
  return 0;
}
