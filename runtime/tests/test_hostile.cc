// Hostile bytes are refused with a message, or run; they never crash. Build with -DAOIENET_SANITIZE=ON to see more.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "aoienet/aoienet.h"
#include "model_builder.h"

namespace {

int opened = 0, refused = 0;

// A copy of the exact size on the heap, so that a sanitizer sees every byte read beyond it.
int try_file(const std::vector<unsigned char>& bytes) {
  auto* copy = static_cast<unsigned char*>(std::malloc(bytes.empty() ? 1 : bytes.size()));
  for (size_t i = 0; i < bytes.size(); ++i) copy[i] = bytes[i];
  aoie_model* model = nullptr;
  char message[200] = "";
  const int status = aoie_open(copy, bytes.size(), &model, message, sizeof message);
  std::free(copy);
  if (status != AOIE_OK) {
    ++refused;
    if (model != nullptr || message[0] == 0) {
      std::printf("a refusal has a message and no model; status %d\n", status);
      std::exit(1);
    }
    return status;
  }
  ++opened;
  const uint8_t image[16 * 9] = {};
  aoie_plan_result plan;
  for (const int h : {16, 8}) {
    const int w = h == 16 ? 9 : 8;
    if (aoie_plan(model, h, w, &plan, message, sizeof message) != AOIE_OK || plan.workspace_bytes >= (1 << 26))
      continue;
    void* memory = std::aligned_alloc(64, plan.workspace_bytes);
    std::vector<float> out(static_cast<size_t>(plan.grid_h) * static_cast<size_t>(plan.grid_w) *
                           static_cast<size_t>(plan.classes));
    aoie_run(model, image, h, w, memory, plan.workspace_bytes, out.data());
    std::free(memory);
  }
  aoie_plan(model, 65536, 65536, &plan, message, sizeof message);
  aoie_plan(model, INT64_MAX, -1, &plan, message, sizeof message);
  aoie_close(model);
  return AOIE_OK;
}

void expect(bool truth, const char* what) {
  if (truth) return;
  std::printf("failed: %s\n", what);
  std::exit(1);
}

void damage(const std::vector<unsigned char>& good) {
  for (size_t n = 0; n < good.size(); ++n)  // truncated, as it is and with numbers that fit the new length
    for (bool sealed : {false, true}) {
      std::vector<unsigned char> cut(good.begin(), good.begin() + static_cast<long>(n));
      if (sealed && n >= 32) {
        aoie_test::ModelFile::put(&cut, 16, n, 8);
        aoie_test::ModelFile::seal(&cut);
      }
      expect(try_file(cut) == AOIE_BAD_FILE, "a truncated file is refused");
    }

  for (size_t at = 0; at < good.size(); ++at) {  // one byte changed, as it is and with the checksum that fits
    auto flipped = good;
    flipped[at] ^= static_cast<unsigned char>(1u << (at % 8));
    expect(try_file(flipped) == AOIE_BAD_FILE, "a flipped byte is refused by the checksum");
    for (int value : {0x00, 0x22, 0x2C, 0x2D, 0x30, 0x39, 0x5B, 0x5C, 0x65, 0x7B, 0x7D, 0x80, 0xFF}) {
      flipped[at] = static_cast<unsigned char>(value);
      aoie_test::ModelFile::seal(&flipped);
      try_file(flipped);
    }
  }

  aoie_test::Random random;
  const size_t header_end = good[12] + good[13] * 256u + 32u;
  for (int round = 0; round < 4000; ++round) {  // digits and names of the header shuffled
    auto mixed = good;
    for (int i = 0; i < 3; ++i)
      mixed[32 + random.next() % (header_end - 32)] = mixed[32 + random.next() % (header_end - 32)];
    aoie_test::ModelFile::seal(&mixed);
    try_file(mixed);
  }
}

}  // namespace

int main() {
  const auto good = aoie_test::small_file(3, 2, 2), mixed = aoie_test::mixed_file();
  expect(try_file(good) == AOIE_OK, "the valid file opens");
  expect(try_file(mixed) == AOIE_OK, "the valid file of the other ops opens");
  damage(good);
  damage(mixed);

  for (const char* text : {"", "{", "[", "{}", "null", "{\"a\":1,\"a\":2}", "{\"a\":\"\\ud800\"}", "{\"a\":-}",
                           "{\"a\":1e}", "{\"a\":\"\\u12"}) {
    std::vector<unsigned char> file(good.begin(), good.begin() + 32);
    for (const char* c = text; *c; ++c) file.push_back(static_cast<unsigned char>(*c));
    aoie_test::ModelFile::put(&file, 12, file.size() - 32, 4);
    while (file.size() % 64) file.push_back(0);
    aoie_test::ModelFile::put(&file, 16, file.size(), 8);
    aoie_test::ModelFile::seal(&file);
    expect(try_file(file) == AOIE_BAD_FILE, "a header without a network is refused");
  }
  std::vector<unsigned char> deep(good.begin(), good.begin() + 32);
  deep.resize(32 + (1 << 20) - 32, '[');
  aoie_test::ModelFile::put(&deep, 12, deep.size() - 32, 4);
  aoie_test::ModelFile::put(&deep, 16, deep.size(), 8);
  aoie_test::ModelFile::seal(&deep);
  expect(try_file(deep) == AOIE_BAD_FILE, "a deep header is refused");

  aoie_model* model = nullptr;
  char message[200] = "";
  expect(aoie_open(nullptr, 0, &model, message, sizeof message) == AOIE_BAD_ARGUMENT, "NULL data");
  expect(aoie_open_file("/no/such/file", &model, message, sizeof message) == AOIE_IO, "a missing file");
  expect(aoie_open_isa(good.data(), good.size(), "mmx", &model, message, sizeof message) == AOIE_BAD_ISA,
         "an unknown isa");
  expect(std::string(message).find("reference, neon, avx2, avx512") != std::string::npos,
         "the message lists the known ones");
  expect(aoie_open(good.data(), good.size(), &model, nullptr, 0) == AOIE_OK, "no message wanted");
  aoie_close(model);
  aoie_close(nullptr);
  std::printf("%d opened, %d refused, none crashed\n", opened, refused);
  return opened > 1 && refused > 1000 ? 0 : 1;
}
