#include "json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace aoie {
namespace {

class Parser {
 public:
  Parser(const char* begin, const char* end) : begin_(begin), at_(begin), end_(end) {}

  Json document() {
    Json value = parse(0);
    space();
    if (at_ != end_) refuse("nothing follows the JSON object");
    return value;
  }

 private:
  [[noreturn]] void refuse(const char* rule) const {
    throw Refusal("the header is a UTF-8 JSON object: " + std::string(rule) +
                  "; received something else at header byte " + std::to_string(at_ - begin_) + ".");
  }

  void space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }
  bool accept(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool word(const char* text) {
    const size_t length = std::strlen(text);
    if (static_cast<size_t>(end_ - at_) < length || std::memcmp(at_, text, length) != 0) return false;
    at_ += length;
    return true;
  }

  Json parse(int depth) {
    space();
    if (at_ == end_) refuse("a value is expected");
    if (*at_ == '{') return object(depth + 1);
    if (*at_ == '[') return array(depth + 1);
    Json value;
    if (*at_ == '"') {
      value.kind = Json::kString;
      value.text = string();
    } else if (word("true")) {
      value.kind = Json::kBool;
      value.truth = true;
    } else if (word("false")) {
      value.kind = Json::kBool;
    } else if (!word("null")) {
      number(&value);
    }
    return value;
  }

  void check_depth(int depth) const {
    if (depth > kMaxJsonDepth) throw Refusal("JSON depth is at most 16; received a deeper header.");
  }

  Json array(int depth) {
    check_depth(depth);
    Json value;
    value.kind = Json::kArray;
    ++at_;
    space();
    if (accept(']')) return value;
    do {
      value.items.push_back(parse(depth));
      space();
    } while (accept(','));
    if (!accept(']')) refuse("an array ends with ]");
    return value;
  }

  Json object(int depth) {
    check_depth(depth);
    Json value;
    value.kind = Json::kObject;
    ++at_;
    space();
    if (accept('}')) return value;
    do {
      space();
      if (at_ == end_ || *at_ != '"') refuse("a key is a string");
      value.keys.push_back(string());
      space();
      if (!accept(':')) refuse("a colon follows a key");
      value.items.push_back(parse(depth));
      space();
    } while (accept(','));
    if (!accept('}')) refuse("an object ends with }");
    check_keys(value.keys);
    return value;
  }

  static void check_keys(const std::vector<std::string>& keys) {
    std::vector<const std::string*> sorted;
    for (const std::string& key : keys) sorted.push_back(&key);
    std::sort(sorted.begin(), sorted.end(), [](const std::string* x, const std::string* y) { return *x < *y; });
    for (size_t i = 1; i < sorted.size(); ++i)
      if (*sorted[i] == *sorted[i - 1])
        throw Refusal("a key stands once in a JSON object; received '" + sorted[i]->substr(0, 60) + "' twice.");
  }

  std::string string() {
    std::string text;
    ++at_;
    for (;;) {
      if (at_ == end_) refuse("a string ends with a quote");
      const unsigned char c = static_cast<unsigned char>(*at_);
      if (c == '"') break;
      if (c < 0x20) refuse("control characters in strings are escaped");
      if (c == '\\')
        escape(&text);
      else
        utf8(&text);
    }
    ++at_;
    return text;
  }

  void utf8(std::string* text) {
    const auto byte = [&](int i) { return at_ + i < end_ ? static_cast<unsigned char>(at_[i]) : 0u; };
    const unsigned first = byte(0);
    int length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    for (int i = 1; i < length; ++i)
      if ((byte(i) & 0xC0) != 0x80) length = 0;
    if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) length = 0;
    if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) length = 0;
    if (length == 0) refuse("text is UTF-8");
    text->append(at_, static_cast<size_t>(length));
    at_ += length;
  }

  unsigned hex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = at_ < end_ ? *at_ : ' ';
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) refuse("\\u takes four hexadecimal digits");
      value = value * 16 + static_cast<unsigned>(digit);
    }
    return value;
  }

  void escape(std::string* text) {
    ++at_;
    if (at_ == end_) refuse("a string ends with a quote");
    const char c = *at_++;
    static const char names[] = "\"\\/ntrbf", values[] = "\"\\/\n\t\r\b\f";
    if (c != 'u') {
      const char* found = c == 0 ? nullptr : std::strchr(names, c);
      if (found == nullptr) refuse("an escape is one of \\\" \\\\ \\/ \\n \\t \\r \\b \\f \\u");
      text->push_back(values[found - names]);
      return;
    }
    unsigned code = hex4();
    if (code >= 0xD800 && code < 0xDC00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
      const char* back = at_;
      at_ += 2;
      const unsigned low = hex4();
      if (low >= 0xDC00 && low < 0xE000)
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      else
        at_ = back;
    }
    const auto push = [&](unsigned byte) { text->push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
      push(code);
    } else if (code < 0x800) {
      push(0xC0 | code >> 6), push(0x80 | (code & 63));
    } else if (code < 0x10000) {
      push(0xE0 | code >> 12), push(0x80 | (code >> 6 & 63)), push(0x80 | (code & 63));
    } else {
      push(0xF0 | code >> 18), push(0x80 | (code >> 12 & 63)), push(0x80 | (code >> 6 & 63)), push(0x80 | (code & 63));
    }
  }

  bool digits() {
    const char* from = at_;
    while (at_ < end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != from;
  }

  void number(Json* value) {
    const char* from = at_;
    accept('-');
    if (!accept('0') && !digits()) refuse("a value is expected");
    bool whole = true;
    if (accept('.')) {
      whole = false;
      if (!digits()) refuse("digits follow the decimal point");
    }
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
      whole = false;
      ++at_;
      if (!accept('-')) accept('+');
      if (!digits()) refuse("digits follow the exponent sign");
    }
    value->number = to_double(from);
    if (!std::isfinite(value->number))
      throw Refusal("floats are finite; received " +
                    std::string(from, std::min<size_t>(static_cast<size_t>(at_ - from), 60)) + ".");
    value->kind = Json::kFloat;
    if (whole && std::from_chars(from, at_, value->integer).ec == std::errc()) value->kind = Json::kInteger;
  }

  double to_double(const char* from) const {
#if defined(__cpp_lib_to_chars)
    double number = 0.0;  // below the smallest number: 0, as in Python
    if (std::from_chars(from, at_, number).ec == std::errc()) return number;
#endif
    return std::strtod(std::string(from, at_).c_str(), nullptr);
  }

  const char *begin_, *at_, *end_;
};

}  // namespace

const Json* Json::find(const char* key) const {
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i] == key) return &items[i];
  return nullptr;
}

Json parse_json(const char* begin, size_t bytes) { return Parser(begin, begin + bytes).document(); }

}  // namespace aoie
