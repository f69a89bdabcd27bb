// What the checks of aoie_open share: tensors as the header describes them, keys of JSON objects, refusals.
#ifndef AOIENET_READER_H_
#define AOIENET_READER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "json.h"
#include "model.h"

namespace aoie {

struct Tensor {
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t offset = 0, bytes = 0;
  int64_t count = 0;
  const unsigned char* data = nullptr;
};
using Tensors = std::map<std::string, Tensor>;

struct Shape {  // of a value, before a picture is known
  int type = -1;
  int64_t j = 1, c = 0;
};

std::string shown(int64_t value);
std::string shown(const std::string& text);
std::string shown(const Json* value);
std::string shown(const std::vector<int64_t>& shape);

// Throw Refusal: rule, received value.
[[noreturn]] void refuse_text(const std::string& rule, const std::string& received);
template <typename T>
[[noreturn]] void refuse(const std::string& rule, const T& received) {
  refuse_text(rule, shown(received));
}

// The value of a key, or a refusal that begins with where.
const Json& object(const Json& table, const char* key, const char* where);
int64_t integer(const Json& table, const char* key, int64_t low, int64_t high, const std::string& where);
double number(const Json& table, const char* key, bool positive, const std::string& where);
std::string string(const Json& table, const char* key, const std::string& where);

uint64_t little(const unsigned char* at, int bytes);  // unsigned little-endian

// One entry of the graph.
struct Entry {
  const Json& json;
  const Tensors& tensors;
  std::string where;
  bool fixed;  // every picture has the size of "input"

  int64_t integer(const char* key, int64_t low, int64_t high) const {
    return aoie::integer(json, key, low, high, where);
  }
  float float32(const char* key) const;
  // want: -1 leaves a dimension open.
  const Tensor& tensor(const char* key, const char* dtype, const std::vector<int64_t>& want) const;
  // An f32 tensor, its last dimension padded with 0 to a multiple of kPad.
  std::vector<float> floats(const char* key, const std::vector<int64_t>& want) const;
  void expect(const Shape& value, int type) const;
  void expect_float(const Shape& value) const;  // f32 or vec
  void expect_same(const Shape& x, const Shape& y) const;
};

// Checks the keys and tensors of node->op (op, inputs and ids are known), fills the node, returns what it writes.
// Sizes are not known here: infer_shapes checks them.
Shape check_op(const Entry& entry, Node* node, const Shape& x, const Shape& y);

}  // namespace aoie
#endif  // AOIENET_READER_H_
