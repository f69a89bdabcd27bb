// No model that opens makes infinity or NaN: constants grow by powers of two until the file is refused, and every value
// of a run is finite up to there. What is refused names the op.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "aoienet/aoienet.h"
#include "model_builder.h"

namespace {

using Bytes = std::vector<unsigned char>;

char message[200];

void expect(bool truth, const std::string& what) {
  if (truth) return;
  std::printf("failed: %s; the last message is '%s'\n", what.c_str(), message);
  std::exit(1);
}

struct Floats {  // an f32 tensor of a file of model_builder.h
  size_t at, count;
};

Floats tensor_at(const Bytes& file, const std::string& name) {
  const std::string text(file.begin(), file.end()), head = "\"" + name + "\":{\"dtype\":\"f32\",\"shape\":[";
  const size_t found = text.find(head);
  if (found == std::string::npos) return {0, 0};
  const char* at = text.c_str() + found + head.size() - 1;
  size_t count = 1;
  for (char* end = nullptr; *at != ']'; at = end) count *= std::strtoul(at + 1, &end, 10);
  const size_t header = file[12] + file[13] * 256u, offset = std::strtoul(std::strchr(at, ':') + 1, nullptr, 10);
  return {(32 + header + 63) / 64 * 64 + offset, count};
}

void fill(Bytes* file, const Floats& tensor, float value) {  // every second one less than 0
  for (size_t i = 0; i < tensor.count; ++i) {
    const float v = i % 2 ? -value : value;
    std::memcpy(file->data() + tensor.at + 4 * i, &v, 4);
  }
  aoie_test::ModelFile::seal(file);
}

// The tensor that the first op of this name has at key.
Floats constant(const Bytes& file, const std::string& op, const std::string& key) {
  const std::string text(file.begin(), file.end()), wanted = "\"" + key + "\":\"";
  const size_t at = text.find(wanted, text.find("\"op\":\"" + op + "\"")) + wanted.size();
  return tensor_at(file, text.substr(at, text.find('"', at) - at));
}

bool opens(const Bytes& file, aoie_model** model) {
  const int status = aoie_open(file.data(), file.size(), model, message, sizeof message);
  expect(status == AOIE_OK || status == AOIE_BAD_FILE, "a file opens or is refused");
  expect(
      status == AOIE_OK || (std::strstr(message, " makes a number above 2^126 ") && std::strstr(message, "; received")),
      "the message says the rule and what was received");
  return status == AOIE_OK;
}

// To one power of two: the random constants of a file depend on the order in which a compiler evaluates operands.
void refuses(const Bytes& file, const std::string& op, int exponent) {
  aoie_model* model = nullptr;
  expect(!opens(file, &model), op + " is refused");
  const char* said = std::strstr(message, " allow 2^");
  expect(said != nullptr && std::abs(std::atoi(said + 9) - exponent) <= 1 && std::strstr(said, ". Export") != nullptr,
         op + " allows 2^" + std::to_string(exponent));
  expect(std::strstr(message, op.c_str()) != nullptr, "the message names " + op);
}

void run_finite(const aoie_model* model, const std::string& what) {
  aoie_plan_result plan;
  expect(aoie_plan(model, 8, 8, &plan, message, sizeof message) == AOIE_OK, what);
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(64, (plan.trace_bytes + 63) / 64 * 64));
  for (int pattern = 0; pattern < 4; ++pattern) {
    uint8_t image[64];
    for (int i = 0; i < 64; ++i) image[i] = static_cast<uint8_t>(pattern < 2 ? pattern * 255 : i * i << pattern);
    expect(aoie_trace(model, image, 8, 8, memory, plan.trace_bytes) == AOIE_OK, what);
    aoie_value value;
    for (int id = 0; id < aoie_value_count(model); ++id) {
      if (aoie_value_at(model, 8, 8, id, &value) != AOIE_OK || value.type < AOIE_F32) continue;
      const auto* v = reinterpret_cast<const float*>(memory + value.offset);
      for (uint64_t i = 0; i < value.bytes / 4; ++i) expect(std::isfinite(v[i]), what + " is finite");
    }
  }
  std::free(memory);
}

// Every f32 tensor in turn is 2^exponent.
void grow(const Bytes& good, int* opened, int* refused) {
  for (int t = 0; t < 64; ++t) {
    const std::string name = "t" + std::to_string(t);
    const Floats tensor = tensor_at(good, name);
    for (int exponent = 0; tensor.count > 0 && exponent < 128; ++exponent) {
      Bytes file = good;
      aoie_model* model = nullptr;
      fill(&file, tensor, std::ldexp(1.0f, exponent));
      const bool taken = opens(file, &model);
      if (taken) run_finite(model, name + " of 2^" + std::to_string(exponent));
      aoie_close(model);
      ++*(taken ? opened : refused);
    }
  }
}

Bytes with(Bytes file, const std::string& op, const std::string& key, float value) {
  fill(&file, constant(file, op, key), value);
  return file;
}

// `count` slopes of 2^30 behind a stem whose value is at most scale * 2^7.
Bytes chain(float scale, int count) {
  aoie_test::ModelFile m;
  const int16_t one = 1;
  const std::vector<float> ones{1, 1}, zeros{0, 0}, steep{0x1p30f};
  const auto floats = [&](const std::vector<int>& shape, const std::vector<float>& values) {
    return m.add("f32", shape, values.data(), values.size() * 4);
  };
  m.op("\"op\":\"conv_int\",\"in\":[0],\"out\":1,\"k\":1,\"s\":1,\"p\":0,\"weight\":" +
       m.add("i16", {1, 1, 1, 1}, &one, 2) + ",\"scale\":" + floats({1}, {scale}) + ",\"bias\":" + floats({1}, {0}));
  int id = 1;
  for (; id <= count; ++id)
    m.op("\"op\":\"slopes\",\"in\":[" + std::to_string(id) + "],\"out\":" + std::to_string(id + 1) +
         ",\"pos\":" + floats({1}, steep) + ",\"pos_shift\":" + floats({1}, {0}) + ",\"neg\":" + floats({1}, {0}) +
         ",\"neg_shift\":" + floats({1}, {0}));
  m.op("\"op\":\"pool\",\"in\":[" + std::to_string(id) + "],\"out\":" + std::to_string(id + 1) + ",\"window\":0");
  m.op("\"op\":\"linear\",\"in\":[" + std::to_string(id + 1) + "],\"out\":" + std::to_string(id + 2) +
       ",\"weight\":" + floats({2, 1}, ones) + ",\"bias\":" + floats({2}, zeros));
  return m.file(1, "{\"kind\":\"center\"}");
}

}  // namespace

int main() {
  const Bytes small = aoie_test::small_file(3, 2, 2), mixed = aoie_test::mixed_file();
  refuses(with(small, "conv_int", "scale", 1e38f), "op 0 (conv_int)", 143);
  refuses(with(small, "slopes", "neg", 1e38f), "op 1 (slopes)", 141);
  refuses(with(small, "conv_bits", "plane_scale", 1e38f), "op 3 (conv_bits)", 133);
  refuses(with(small, "conv_bits", "h", 1e38f), "op 3 (conv_bits)", 127);
  refuses(with(small, "conv_bits", "h", 1e37f), "op 4 (pool)", 128);  // 16 values are added
  refuses(with(small, "linear", "weight", 1e38f), "op 5 (linear)", 135);
  refuses(with(mixed, "conv_f32", "weight", 1e38f), "op 2 (conv_f32)", 147);
  refuses(with(mixed, "gate", "scale", 1e38f), "op 7 (gate)", 132);
  refuses(with(mixed, "rank1", "rows", 3e38f), "op 13 (rank1)", 128);
  refuses(with(mixed, "conv_bits", "h", 3e37f), "op 15 (avgpool2)", 127);
  refuses(with(mixed, "conv_bits", "h", 1e25f), "op 22 (mul)", 171);
  aoie_model* model = nullptr;
  expect(opens(chain(1, 3), &model), "2^97, and 2^122 where a mean of a large picture sums it up");
  aoie_close(model);
  refuses(chain(64, 3), "op 4 (pool)", 129);
  refuses(chain(1, 4), "op 4 (slopes)", 128);

  int opened = 0, refused = 0;
  grow(small, &opened, &refused);
  grow(mixed, &opened, &refused);
  std::printf("%d files opened and ran on finite numbers, %d refused\n", opened, refused);
  return opened > 500 && refused > 100 ? 0 : 1;
}
