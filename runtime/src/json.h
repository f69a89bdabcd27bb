// A small strict JSON reader for the header of a model file: UTF-8, no duplicate keys, finite numbers, bounded depth.
// The text is checked once (check_json); after that values are views into it, and nothing is copied.
#ifndef AOIENET_JSON_H_
#define AOIENET_JSON_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "arena.h"
#include "text.h"

namespace aoie {

// A value of a checked text.
struct Json {
  enum Kind : uint8_t { kAbsent, kNull, kBool, kInteger, kFloat, kString, kArray, kObject };
  Kind kind = kAbsent;
  const char *begin = nullptr, *end = nullptr;  // of its text
  int64_t integer = 0;                          // kInteger; kBool: 0 or 1

  bool exists() const { return kind != kAbsent; }
  bool is_number() const { return kind == kInteger || kind == kFloat; }
  double number() const;                // of a number
  size_t count() const;                 // items of an array, members of an object
  Json find(const char* key) const;     // of an object; kAbsent where there is none
  bool equals(const char* text) const;  // of a string, its escapes read
};

// Walks over an array (key stays kAbsent) or an object.
class Items {
 public:
  explicit Items(const Json& parent);
  bool next(Json* key, Json* value);
  bool next(Json* value) {
    Json key;
    return next(&key, value);
  }

 private:
  const char* at_;
  bool object_;
};

// The order of two strings by their bytes, escapes read: below, at or above 0.
int compare(const Json& x, const Json& y);

// What stands between the quotes of a string, escapes as they are.
std::string_view text_of(const Json& string);

constexpr int kMaxJsonDepth = 16;

// Checks all of the text and gives its value. arena: borrowed from and given back.
bool check_json(const char* begin, size_t bytes, Arena* arena, Refusal* no, Json* out);

// The value of a decimal number of JSON, rounded to nearest, ties to even; infinity where it is too large (decimal.cc).
double decimal_value(const char* begin, const char* end);
bool is_finite_decimal(const char* begin, const char* end);

}  // namespace aoie
#endif  // AOIENET_JSON_H_
