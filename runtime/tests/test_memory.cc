// A model in the caller's memory: the same logits as on the heap, in exactly the bytes that are promised; with less it
// is refused. Numbers of a header are read as strtod reads them.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "aoienet/aoienet.h"
#include "json.h"
#include "model_builder.h"

namespace {

using aoie_test::Random;

void expect(bool truth, const char* what) {
  if (truth) return;
  std::printf("failed: %s\n", what);
  std::exit(1);
}

// Memory of exactly so many bytes at an aligned place, so that a sanitizer sees every byte beyond it.
struct Exact {
  explicit Exact(size_t bytes, size_t shift = 0)
      : whole(static_cast<unsigned char*>(std::aligned_alloc(64, room(bytes, shift)))),
        at(whole + room(bytes, shift) - up(bytes) + shift) {}
  ~Exact() { std::free(whole); }
  static size_t up(size_t bytes) { return (bytes + 63) / 64 * 64; }
  static size_t room(size_t bytes, size_t shift) { return up(bytes) + up(shift); }
  unsigned char *whole, *at;
};

std::vector<float> logits(const aoie_model* model) {
  uint8_t image[8 * 8];
  for (int i = 0; i < 64; ++i) image[i] = static_cast<uint8_t>(i * 37);
  aoie_plan_result plan;
  expect(aoie_plan(model, 8, 8, &plan, nullptr, 0) == AOIE_OK, "a plan");
  Exact workspace(static_cast<size_t>(plan.workspace_bytes));
  std::vector<float> out(static_cast<size_t>(plan.grid_h * plan.grid_w * plan.classes));
  expect(aoie_run(model, image, 8, 8, workspace.at, plan.workspace_bytes, out.data()) == AOIE_OK, "a run");
  return out;
}

void check_memory(const std::vector<unsigned char>& file, const char* isa) {
  aoie_model *heap = nullptr, *model = nullptr;
  char message[300] = "";
  expect(aoie_open_isa(file.data(), file.size(), isa, &heap, message, sizeof message) == AOIE_OK, "the heap");
  const size_t need = aoie_model_bytes(heap);
  Exact data(file.size()), memory(need);
  std::memcpy(data.at, file.data(), file.size());
  const auto open = [&](void* place, size_t bytes) {
    message[0] = 0;
    return aoie_open_in(data.at, file.size(), isa, place, bytes, &model, message, sizeof message);
  };
  expect(open(memory.at, need) == AOIE_OK, message);
  expect(aoie_model_bytes(model) == need, "the bytes are told again");
  expect(logits(model) == logits(heap), "the same logits");
  aoie_close(model);
  aoie_close(heap);
  for (size_t less = 0; less < need; less += less < 4096 ? 8 : 997) {
    expect(open(memory.at, less) == AOIE_NO_MEMORY, "less memory is refused");
    expect(model == nullptr && std::strstr(message, "received") != nullptr, "with a message and without a model");
  }
  Exact shifted(need + 63, 1);
  expect(open(shifted.at, need + 63) == AOIE_OK, "memory of any alignment");
  expect(logits(model).size() == 2 || logits(model).size() == 18, "runs there");
  expect(aoie_open_in(data.at + 1, 100, isa, memory.at, need, &model, message, sizeof message) == AOIE_BAD_ARGUMENT &&
             std::strstr(message, "multiple of 8") != nullptr,
         "data that is not aligned is refused");
  expect(aoie_open_in(nullptr, 0, isa, memory.at, need, &model, nullptr, 0) == AOIE_BAD_ARGUMENT, "NULL data");
}

std::string random_number(Random& random) {
  std::string text = random.next() % 2 ? "-" : "";
  const auto digits = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) text += static_cast<char>('0' + random.next() % 10);
  };
  if (random.next() % 3 == 0) {
    text += "0";
  } else {
    text += static_cast<char>('1' + random.next() % 9);
    digits(random.next() % 25);
  }
  if (random.next() % 4 != 0) {
    text += ".";
    digits(1 + random.next() % (random.next() % 50 == 0 ? 900 : 30));
  }
  if (random.next() % 2) text += "e" + std::to_string(static_cast<int>(random.next() % 700) - 350);
  return text;
}

void check_number(const std::string& text) {
  const double want = std::strtod(text.c_str(), nullptr);
  const double have = aoie::decimal_value(text.data(), text.data() + text.size());
  const bool finite = aoie::is_finite_decimal(text.data(), text.data() + text.size());
  if (std::memcmp(&want, &have, sizeof want) == 0 && finite == std::isfinite(want)) return;
  std::printf("%s is %.17g, received %.17g (finite %d)\n", text.c_str(), want, have, finite);
  std::exit(1);
}

void check_numbers() {
  Random random;
  for (int i = 0; i < 20000; ++i) check_number(random_number(random));
  for (int i = 0; i < 20000; ++i) {  // every double is read back, and so is the middle between two
    double value;
    const uint64_t bits = random.next();
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    char text[1200];
    std::snprintf(text, sizeof text, "%.17g", value);
    check_number(text);
    std::snprintf(text, sizeof text, "%.1100e", static_cast<double>(value));
    std::string middle(text);
    check_number(middle);
  }
  for (const char* text : {"0",
                           "-0",
                           "0.0",
                           "0e999",
                           "5e-324",
                           "4.9e-324",
                           "2.4703282292062327e-324",
                           "2.4703282292062328e-324",
                           "2.2250738585072011e-308",
                           "2.2250738585072014e-308",
                           "1.7976931348623157e308",
                           "1.7976931348623158e308",
                           "1.7976931348623159e308",
                           "1e309",
                           "9007199254740993",
                           "9007199254740993.000000000000000000000000000000000001",
                           "1e-400",
                           "1e99999999999",
                           "1e-99999999999",
                           "0.1",
                           "1e23",
                           "8.5e22",
                           "123456789012345678901234567890"})
    check_number(text);
  // 2^1024 - 2^970, from which on a number rounds to infinity, and its neighbours
  const std::string edge =
      "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641"
      "66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669"
      "59622842914819860834936475292719074168444365510704342711559699508093042880177904174497792";
  std::string below = edge;
  below.back() = '1';
  const std::string zeros(900, '0'), nines(900, '9');
  for (const std::string sign : {"", "-"})
    for (const std::string& digits : {edge, below, edge.substr(0, 308), edge + "0"})
      for (const std::string& tail : {std::string(), "." + zeros, "." + zeros + "1", "." + nines}) {
        check_number(sign + digits + tail);
        check_number(sign + digits + tail + "e1");
        check_number(sign + digits + tail + "e-1");
      }
  for (const char* text : {"17976931348623158e292", "1797693134862315807e290", "1797693134862315808e290", "0e310"})
    check_number(text);
  check_number("0." + std::string(2000, '0') + "1e2001");
  check_number("1" + std::string(2000, '0') + "e-2000");
  check_number("9007199254740992." + std::string(900, '9'));
  check_number("9007199254740993." + std::string(1200, '0') + "1");
}

}  // namespace

int main() {
  for (int i = 0; const char* isa = aoie_isa_at(i); ++i) {
    if (!aoie_isa_usable(isa)) continue;
    check_memory(aoie_test::small_file(16, 16, 2), isa);
    check_memory(aoie_test::small_file(7, 9, 1), isa);
    check_memory(aoie_test::mixed_file(), isa);
  }
  check_numbers();
  std::printf("models in the caller's memory and numbers of headers are right\n");
  return 0;
}
