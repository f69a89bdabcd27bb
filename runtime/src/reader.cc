#include "reader.h"

#include <cfloat>
#include <cstring>

namespace aoie {

std::string shown(int64_t value) { return std::to_string(value); }
std::string shown(const std::string& text) {
  std::string out = "'";
  for (size_t i = 0; i < text.size() && i < 60; ++i) out += text[i] >= 0x20 && text[i] < 0x7F ? text[i] : '?';
  return out + "'";
}
std::string shown(const Json* value) {
  if (value == nullptr) return "no such key";
  switch (value->kind) {
    case Json::kNull:
      return "null";
    case Json::kBool:
      return value->truth ? "true" : "false";
    case Json::kInteger:
      return shown(value->integer);
    case Json::kFloat:
      return std::to_string(value->number);
    case Json::kString:
      return shown(value->text);
    case Json::kArray:
      return "an array of " + std::to_string(value->items.size());
    default:
      return "an object";
  }
}
std::string shown(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + (shape[i] < 0 ? std::string("any") : shown(shape[i]));
  return out + "]";
}

void refuse_text(const std::string& rule, const std::string& received) {
  throw Refusal(rule + "; received " + received + ".");
}

const Json& object(const Json& table, const char* key, const char* where) {
  const Json* value = table.find(key);
  if (value == nullptr || value->kind != Json::kObject)
    refuse(std::string(where) + ": '" + key + "' is a JSON object", value);
  return *value;
}

int64_t integer(const Json& table, const char* key, int64_t low, int64_t high, const std::string& where) {
  const Json* value = table.find(key);
  if (value == nullptr || value->kind != Json::kInteger || value->integer < low || value->integer > high)
    refuse(where + ": '" + key + "' is an integer, " + shown(low) + " to " + shown(high), value);
  return value->integer;
}

double number(const Json& table, const char* key, bool positive, const std::string& where) {
  const Json* value = table.find(key);
  const bool is_number = value != nullptr && (value->kind == Json::kInteger || value->kind == Json::kFloat);
  if (!is_number || (positive && !(value->number > 0.0)))
    refuse(where + ": '" + key + "' is a finite number" + (positive ? " above 0" : ""), value);
  return value->number;
}

std::string string(const Json& table, const char* key, const std::string& where) {
  const Json* value = table.find(key);
  if (value == nullptr || value->kind != Json::kString) refuse(where + ": '" + key + "' is a string", value);
  return value->text;
}

uint64_t little(const unsigned char* at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | at[i];
  return value;
}

float Entry::float32(const char* key) const {
  const double value = number(json, key, false, where);
  if (value > double{FLT_MAX} || value < -double{FLT_MAX})
    refuse(where + ": '" + key + "' is in the range of float32", json.find(key));
  return static_cast<float>(value);
}

const Tensor& Entry::tensor(const char* key, const char* dtype, const std::vector<int64_t>& want) const {
  const std::string name = string(json, key, where);
  const auto found = tensors.find(name);
  if (found == tensors.end()) refuse(where + ": '" + key + "' names a tensor of the file", name);
  const Tensor& tensor = found->second;
  if (tensor.dtype != dtype) refuse(where + ": '" + key + "' has dtype " + dtype, tensor.dtype);
  bool fits = tensor.shape.size() == want.size();
  for (size_t i = 0; fits && i < want.size(); ++i) fits = want[i] < 0 || want[i] == tensor.shape[i];
  if (!fits) refuse(where + ": '" + key + "' has shape " + shown(want), tensor.shape);
  return tensor;
}

std::vector<float> Entry::floats(const char* key, const std::vector<int64_t>& want) const {
  const Tensor& found = tensor(key, "f32", want);
  const size_t row = static_cast<size_t>(found.shape.back()), rows = static_cast<size_t>(found.count) / row;
  const size_t padded = (row + kPad - 1) / kPad * kPad;
  std::vector<float> out(rows * padded, 0.0f);
  for (size_t i = 0; i < rows; ++i) std::memcpy(&out[i * padded], found.data + i * row * 4, row * 4);
  return out;
}

namespace {
const char* const kTypes[] = {"u8 image", "i8 image", "bits", "f32", "vec"};
}

void Entry::expect(const Shape& value, int type) const {
  if (value.type != type) refuse_text(where + " reads a value of type " + kTypes[type], kTypes[value.type]);
}

void Entry::expect_float(const Shape& value) const {
  if (value.type != AOIE_F32 && value.type != AOIE_VEC)
    refuse_text(where + " reads a value of type f32 or vec", kTypes[value.type]);
}

void Entry::expect_same(const Shape& x, const Shape& y) const {
  if (x.type != y.type || x.c != y.c)
    refuse_text(where + " takes two values of one shape", std::string(kTypes[x.type]) + " of " + shown(x.c) +
                                                              " channels and " + kTypes[y.type] + " of " + shown(y.c));
}

}  // namespace aoie
