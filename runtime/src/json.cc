#include "json.h"

#include <algorithm>
#include <cstring>

namespace aoie {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

bool is_high(unsigned code) { return code >= 0xD800 && code < 0xDC00; }  // half of a surrogate pair
bool is_low(unsigned code) { return code >= 0xDC00 && code < 0xE000; }

constexpr char kEscapes[] = "\"\\/ntrbf", kEscaped[] = "\"\\/\n\t\r\b\f";

// ---- views of a text that is checked

const char* skip_space(const char* at) {
  while (is_space(*at)) ++at;
  return at;
}

const char* skip_string(const char* at) {  // from its first quote to behind its last
  for (++at; *at != '"'; ++at)
    if (*at == '\\') ++at;
  return at + 1;
}

const char* skip_nested(const char* at) {  // an array or object
  int depth = 0;
  do {
    if (*at == '"') {
      at = skip_string(at);
      continue;
    }
    depth += (*at == '{' || *at == '[') ? 1 : (*at == '}' || *at == ']') ? -1 : 0;
    ++at;
  } while (depth > 0);
  return at;
}

// The integer of a number without point and exponent; false when it does not fit.
bool whole(const char* at, const char* end, int64_t* out) {
  const bool negative = *at == '-';
  uint64_t value = 0;
  for (at += negative ? 1 : 0; at < end; ++at) {
    if (!is_digit(*at)) return false;
    const uint64_t digit = static_cast<uint64_t>(*at - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  if (value > static_cast<uint64_t>(INT64_MAX) + (negative ? 1u : 0u)) return false;
  *out = static_cast<int64_t>(negative ? 0 - value : value);
  return true;
}

const char* number_end(const char* at) {  // a comma or bracket follows: the outermost value is an object
  while (is_digit(*at) || *at == '-' || *at == '+' || *at == '.' || *at == 'e' || *at == 'E') ++at;
  return at;
}

Json view(const char* at) {
  Json value;
  value.begin = at;
  switch (*at) {
    case '"':
      value.kind = Json::kString;
      value.end = skip_string(at);
      return value;
    case '{':
    case '[':
      value.kind = *at == '{' ? Json::kObject : Json::kArray;
      value.end = skip_nested(at);
      return value;
    case 'n':
      value.kind = Json::kNull;
      value.end = at + 4;
      return value;
    case 't':
    case 'f':
      value.kind = Json::kBool;
      value.integer = *at == 't' ? 1 : 0;
      value.end = at + (*at == 't' ? 4 : 5);
      return value;
    default:
      value.end = number_end(at);
      value.kind = whole(at, value.end, &value.integer) ? Json::kInteger : Json::kFloat;
      return value;
  }
}

// ---- the bytes of a string, escapes read

class Bytes {
 public:
  explicit Bytes(const char* string) : at_(string + 1) {}

  int next() {  // -1 behind the last
    if (waiting_ > 0) return queue_[--waiting_];
    if (*at_ == '"') return -1;
    const char c = *at_++;
    if (c != '\\') return static_cast<unsigned char>(c);
    const char name = *at_++;
    if (name == 'u') return encoded(code());
    return static_cast<unsigned char>(kEscaped[std::strchr(kEscapes, name) - kEscapes]);
  }

 private:
  unsigned hex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i) value = value * 16 + static_cast<unsigned>(hex_digit(*at_++));
    return value;
  }

  unsigned code() {  // two halves of a surrogate pair make one
    const unsigned code = hex4();
    if (!is_high(code)) return code;
    at_ += 2;
    return 0x10000 + ((code - 0xD800) << 10) + (hex4() - 0xDC00);
  }

  int encoded(unsigned code) {  // UTF-8: gives the first byte, the others wait, the last at the bottom
    if (code < 0x80) return static_cast<int>(code);
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (int i = 0; i < more; ++i, code >>= 6) queue_[waiting_++] = static_cast<unsigned char>(0x80 | (code & 63));
    return static_cast<int>((more == 1 ? 0xC0u : more == 2 ? 0xE0u : 0xF0u) | code);
  }

  const char* at_;
  unsigned char queue_[3] = {};
  int waiting_ = 0;
};

// The order of two strings by their bytes: as much of them is read as they have in common.
int order(const char* x, const char* y) {
  Bytes left(x), right(y);
  for (;;) {
    const int a = left.next(), b = right.next();
    if (a != b || a < 0) return a - b;
  }
}

// ---- the check

class Checker {
 public:
  Checker(const char* begin, const char* end, Arena* arena, Refusal* no)
      : begin_(begin), at_(begin), end_(end), arena_(*arena), no_(*no) {}

  bool document() {
    if (!value(0)) return false;
    space();
    return at_ == end_ || refuse("nothing follows the JSON object");
  }

 private:
  bool refuse(const char* rule) {
    return no_.refuse("the header is a UTF-8 JSON object: ", rule, kReceived, "something else at header byte ",
                      static_cast<size_t>(at_ - begin_));
  }

  void space() {
    while (at_ < end_ && is_space(*at_)) ++at_;
  }
  bool accept(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view text) {
    if (static_cast<size_t>(end_ - at_) < text.size() || std::memcmp(at_, text.data(), text.size()) != 0) return false;
    at_ += text.size();
    return true;
  }

  bool value(int depth) {
    space();
    if (at_ == end_) return refuse("a value is expected");
    if (*at_ == '{') return object(depth + 1);
    if (*at_ == '[') return array(depth + 1);
    if (*at_ == '"') return string();
    return word("true") || word("false") || word("null") || number();
  }

  bool depth_is_legal(int depth) {
    return depth <= kMaxJsonDepth || no_.refuse("JSON depth is at most 16", kReceived, "a deeper header");
  }

  bool array(int depth) {
    if (!depth_is_legal(depth)) return false;
    ++at_;
    space();
    if (accept(']')) return true;
    do {
      if (!value(depth)) return false;
      space();
    } while (accept(','));
    return accept(']') || refuse("an array ends with ]");
  }

  bool object(int depth) {
    if (!depth_is_legal(depth)) return false;
    const char* from = at_++;
    space();
    if (accept('}')) return true;
    size_t members = 0;
    do {
      space();
      if (at_ == end_ || *at_ != '"') return refuse("a key is a string");
      if (!string()) return false;
      space();
      if (!accept(':')) return refuse("a colon follows a key");
      if (!value(depth)) return false;
      space();
      ++members;
    } while (accept(','));
    if (!accept('}')) return refuse("an object ends with }");
    return keys_differ(from, members);
  }

  bool keys_differ(const char* object, size_t members) {
    const size_t before = arena_.borrowed();
    Span<uint32_t> keys;  // where each begins
    if (!arena_.borrow(members, &keys)) return no_.no_memory(arena_.peak_bytes());
    Json parent, key, value;
    parent.kind = Json::kObject;
    parent.begin = object;
    parent.end = at_;
    Items items(parent);
    for (uint32_t& at : keys) {
      items.next(&key, &value);
      at = static_cast<uint32_t>(key.begin - begin_);
    }
    std::sort(keys.begin(), keys.end(), [this](uint32_t x, uint32_t y) { return order(begin_ + x, begin_ + y) < 0; });
    bool differ = true;
    for (size_t i = 1; i < members && differ; ++i) {
      differ = order(begin_ + keys[i - 1], begin_ + keys[i]) != 0;
      if (!differ)
        no_.refuse("a key stands once in a JSON object", kReceived, Quoted{text_of(view(begin_ + keys[i]))}, " twice");
    }
    arena_.give_back(before);
    return differ;
  }

  bool string() {
    ++at_;
    for (;;) {
      if (at_ == end_) return refuse("a string ends with a quote");
      const unsigned char c = static_cast<unsigned char>(*at_);
      if (c == '"') break;
      if (c < 0x20) return refuse("control characters in strings are escaped");
      if (!(c == '\\' ? escape() : utf8())) return false;
    }
    ++at_;
    return true;
  }

  bool utf8() {
    const auto byte = [&](int i) { return i < end_ - at_ ? static_cast<unsigned char>(at_[i]) : 0u; };
    const unsigned first = byte(0);
    int length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    for (int i = 1; i < length; ++i)
      if ((byte(i) & 0xC0) != 0x80) length = 0;
    if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) length = 0;
    if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) length = 0;
    if (length == 0) return refuse("text is UTF-8");
    at_ += length;
    return true;
  }

  bool escape() {
    ++at_;
    if (at_ == end_) return refuse("a string ends with a quote");
    const char c = *at_++;
    if (c != 'u')
      return (c != 0 && std::strchr(kEscapes, c) != nullptr) ||
             refuse("an escape is one of \\\" \\\\ \\/ \\n \\t \\r \\b \\f \\u");
    unsigned code = 0, second = 0;
    if (!hex4(&code) || (is_high(code) && word("\\u") && !hex4(&second))) return false;
    return (is_high(code) ? is_low(second) : !is_low(code)) ||
           refuse("a low surrogate follows every high one, and stands nowhere else");
  }

  bool hex4(unsigned* code) {
    *code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_ || hex_digit(*at_) < 0) return refuse("\\u takes four hexadecimal digits");
      *code = *code * 16 + static_cast<unsigned>(hex_digit(*at_));
    }
    return true;
  }

  bool digits() {
    const char* from = at_;
    while (at_ < end_ && is_digit(*at_)) ++at_;
    return at_ != from;
  }

  bool number() {
    const char* from = at_;
    accept('-');
    if (!accept('0') && !digits()) return refuse("a value is expected");
    if (accept('.') && !digits()) return refuse("digits follow the decimal point");
    if (accept('e') || accept('E')) {
      if (!accept('-')) accept('+');
      if (!digits()) return refuse("digits follow the exponent sign");
    }
    if (is_finite_decimal(from, at_)) return true;
    const size_t length = static_cast<size_t>(at_ - from);
    return no_.refuse("floats are finite", kReceived, std::string_view(from, length < 60 ? length : 60));
  }

  const char *begin_, *at_, *end_;
  Arena& arena_;
  Refusal& no_;
};

}  // namespace

double Json::number() const { return kind == kInteger ? static_cast<double>(integer) : decimal_value(begin, end); }

size_t Json::count() const {
  Items items(*this);
  Json key, value;
  size_t count = 0;
  while (items.next(&key, &value)) ++count;
  return count;
}

Json Json::find(const char* wanted) const {
  Items items(*this);
  Json key, value;
  while (items.next(&key, &value))
    if (key.equals(wanted)) return value;
  return Json();
}

bool Json::equals(const char* text) const {
  Bytes bytes(begin);
  for (;; ++text) {
    const int byte = bytes.next();
    if (byte < 0 || *text == 0) return byte < 0 && *text == 0;
    if (byte != static_cast<unsigned char>(*text)) return false;
  }
}

Items::Items(const Json& parent) : at_(skip_space(parent.begin + 1)), object_(parent.kind == Json::kObject) {}

bool Items::next(Json* key, Json* value) {
  if (*at_ == ']' || *at_ == '}') return false;
  if (object_) {
    *key = view(at_);
    at_ = skip_space(skip_space(key->end) + 1);  // behind the colon
  }
  *value = view(at_);
  at_ = skip_space(value->end);
  if (*at_ == ',') at_ = skip_space(at_ + 1);
  return true;
}

int compare(const Json& x, const Json& y) { return order(x.begin, y.begin); }

std::string_view text_of(const Json& string) {
  return {string.begin + 1, static_cast<size_t>(string.end - string.begin) - 2};
}

bool check_json(const char* begin, size_t bytes, Arena* arena, Refusal* no, Json* out) {
  if (!Checker(begin, begin + bytes, arena, no).document()) return false;
  begin = skip_space(begin);
  if (*begin != '{') return no->refuse("the header is a JSON object", kReceived, "another value");
  *out = view(begin);
  return true;
}

}  // namespace aoie
