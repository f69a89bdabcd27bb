// A small strict JSON reader for the header of a model file: UTF-8, no duplicate keys, finite numbers, bounded depth.
#ifndef AOIENET_JSON_H_
#define AOIENET_JSON_H_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace aoie {

// A rule of docs/format.md was broken. Thrown inside aoie_open only and caught there.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Json {
  enum Kind : uint8_t { kNull, kBool, kInteger, kFloat, kString, kArray, kObject };
  Kind kind = kNull;
  bool truth = false;
  int64_t integer = 0;                      // kInteger
  double number = 0.0;                      // kInteger and kFloat
  std::string text;                         // kString
  std::vector<Json> items;                  // kArray, and the values of kObject
  std::vector<std::string> keys;            // kObject, beside items
  const Json* find(const char* key) const;  // kObject; NULL when absent
};

constexpr int kMaxJsonDepth = 16;

// Throws Refusal.
Json parse_json(const char* begin, size_t bytes);

}  // namespace aoie
#endif  // AOIENET_JSON_H_
