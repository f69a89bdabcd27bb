#include "reader.h"

#include <cfloat>
#include <cstring>

namespace aoie {

void write(Writer* to, const Json& value) {
  const auto size = static_cast<size_t>(value.end - value.begin);
  switch (value.kind) {
    case Json::kAbsent:
      return to->put(std::string_view("no such key"));
    case Json::kString:
      return write(to, Quoted{text_of(value)});
    case Json::kArray:
      write(to, "an array of ");
      return write(to, value.count());
    case Json::kObject:
      return write(to, "an object");
    default:
      return write(to, std::string_view(value.begin, size < 60 ? size : 60));
  }
}

void write(Writer* to, const Sides& sides) {
  for (int i = 0; i < sides.count; ++i) {
    write(to, i == 0 ? "[" : ", ");
    sides.at[i] < 0 ? write(to, "any") : write(to, sides.at[i]);
  }
  write(to, "]");
}

void write(Writer* to, const Where& where) {
  if (where.part != nullptr) return write(to, where.part);
  write(to, where.key.exists() ? "tensor " : "op ");
  where.key.exists() ? write(to, where.key) : write(to, where.index);
  if (where.name == nullptr) return;
  write(to, " (");
  write(to, where.name);
  write(to, ")");
}

const char* dtype_name(Dtype dtype) {
  static const char* const names[] = {"u64", "i16", "f32", "u8"};
  return names[static_cast<int>(dtype)];
}

bool Keys::object(const Json& table, const char* key, const char* where, Json* out) const {
  *out = table.find(key);
  return out->kind == Json::kObject || no->refuse(where, ": '", key, "' is a JSON object", kReceived, *out);
}

bool Keys::integer(const Json& table, const char* key, int64_t low, int64_t high, const Where& where,
                   int64_t* out) const {
  const Json value = table.find(key);
  if (value.kind != Json::kInteger || value.integer < low || value.integer > high)
    return no->refuse(where, ": '", key, "' is an integer, ", low, " to ", high, kReceived, value);
  *out = value.integer;
  return true;
}

bool Keys::number(const Json& table, const char* key, bool positive, const Where& where, double* out) const {
  const Json value = table.find(key);
  *out = value.is_number() ? value.number() : 0.0;
  if (!value.is_number() || (positive && !(*out > 0.0)))
    return no->refuse(where, ": '", key, "' is a finite number", (positive ? " above 0" : ""), kReceived, value);
  return true;
}

bool Keys::string(const Json& table, const char* key, const Where& where, Json* out) const {
  *out = table.find(key);
  return out->kind == Json::kString || no->refuse(where, ": '", key, "' is a string", kReceived, *out);
}

uint64_t little(const unsigned char* at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | at[i];
  return value;
}

bool Entry::float32(const char* key, float* out) const {
  double value;
  if (!Keys{no}.number(json, key, false, where, &value)) return false;
  if (value > double{FLT_MAX} || value < -double{FLT_MAX})
    return no->refuse(where, ": '", key, "' is in the range of float32", kReceived, json.find(key));
  *out = static_cast<float>(value);
  return true;
}

bool Entry::tensor(const char* key, Dtype dtype, const Sides& want, const Tensor** out) const {
  Json name;
  if (!Keys{no}.string(json, key, where, &name)) return false;
  size_t low = 0, high = tensors.size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (compare(tensors[middle].name, name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == tensors.size() || compare(tensors[low].name, name) != 0)
    return no->refuse(where, ": '", key, "' names a tensor of the file", kReceived, name);
  const Tensor& tensor = tensors[low];
  if (tensor.dtype != dtype)
    return no->refuse(where, ": '", key, "' has dtype ", dtype_name(dtype), kReceived, dtype_name(tensor.dtype));
  bool fits = tensor.shape.count == want.count;
  for (int i = 0; fits && i < want.count; ++i) fits = want.at[i] < 0 || want.at[i] == tensor.shape.at[i];
  if (!fits) return no->refuse(where, ": '", key, "' has shape ", want, kReceived, tensor.shape);
  *out = &tensor;
  return true;
}

bool Entry::floats(const char* key, const Sides& want, Span<const float>* out) const {
  const Tensor* found;
  if (!tensor(key, Dtype::f32, want, &found)) return false;
  const size_t row = static_cast<size_t>(found->shape.at[found->shape.count - 1]);
  const size_t rows = static_cast<size_t>(found->count) / row, padded = (row + kPad - 1) / kPad * kPad;
  if (padded == row) {
    *out = {reinterpret_cast<const float*>(found->data), rows * row};
    return true;
  }
  Span<float> copy;
  if (!arena->take(rows * padded, &copy)) return no->no_memory(arena->peak_bytes());
  for (size_t i = 0; i < rows; ++i) std::memcpy(&copy[i * padded], found->data + i * row * 4, row * 4);
  *out = {copy.data(), copy.size()};
  return true;
}

namespace {
const char* const kTypes[] = {"u8 image", "i8 image", "bits", "f32", "vec"};
}

bool Entry::expect(const Shape& value, int type) const {
  return value.type == type ||
         no->refuse(where, " reads a value of type ", kTypes[type], kReceived, kTypes[value.type]);
}

bool Entry::expect_float(const Shape& value) const {
  return value.type == AOIE_F32 || value.type == AOIE_VEC ||
         no->refuse(where, " reads a value of type f32 or vec", kReceived, kTypes[value.type]);
}

bool Entry::expect_same(const Shape& x, const Shape& y) const {
  return (x.type == y.type && x.c == y.c) ||
         no->refuse(where, " takes two values of one shape", kReceived, kTypes[x.type], " of ", x.c, " channels and ",
                    kTypes[y.type], " of ", y.c);
}

}  // namespace aoie
