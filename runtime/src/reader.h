// What the checks of aoie_open share: tensors as the header describes them, keys of JSON objects, refusals.
#ifndef AOIENET_READER_H_
#define AOIENET_READER_H_

#include <cstdint>
#include <initializer_list>

#include "json.h"
#include "model.h"

namespace aoie {

enum class Dtype : uint8_t { u64, i16, f32, u8 };

struct Sides {  // of a tensor; as a wish, -1 leaves a dimension open
  int count = 0;
  int64_t at[4] = {};
  Sides() = default;
  Sides(std::initializer_list<int64_t> sides) {
    for (const int64_t side : sides) at[count++] = side;
  }
};

struct Tensor {
  Json name;
  Dtype dtype = Dtype::u8;
  Sides shape;
  uint64_t offset = 0, bytes = 0;
  int64_t count = 0;
  const unsigned char* data = nullptr;
};

struct Shape {  // of a value, before a picture is known
  int type = -1;
  int64_t j = 1, c = 0;
};

void write(Writer* to, const Sides& sides);
void write(Writer* to, const Json& value);

struct Where {  // what a refusal speaks of: a part of the header, an op of the graph, a tensor
  const char* part = nullptr;
  int index = -1;
  const char* name = nullptr;  // of the op, when it is known
  Json key = {};

  static Where op(int index) { return {nullptr, index, nullptr, {}}; }
  static Where tensor(const Json& name) { return {nullptr, -1, nullptr, name}; }
};
void write(Writer* to, const Where& where);

struct GraphOps {};  // the names of all ops
void write(Writer* to, GraphOps);

const char* dtype_name(Dtype dtype);

// Keys of JSON objects. Every function says no where a rule is broken; the refusal begins with where.
struct Keys {
  Refusal* no;

  bool object(const Json& table, const char* key, const char* where, Json* out) const;
  bool integer(const Json& table, const char* key, int64_t low, int64_t high, const Where& where, int64_t* out) const;
  bool number(const Json& table, const char* key, bool positive, const Where& where, double* out) const;
  bool string(const Json& table, const char* key, const Where& where, Json* out) const;
};

uint64_t little(const unsigned char* at, int bytes);  // unsigned little-endian

// One entry of the graph.
struct Entry {
  const Json& json;
  const Span<Tensor>& tensors;  // by name
  const Where& where;
  bool fixed;  // every picture has the size of "input"
  Arena* arena;
  Refusal* no;

  bool has(const char* key) const { return json.find(key).exists(); }
  bool integer(const char* key, int64_t low, int64_t high, int64_t* out) const {
    return Keys{no}.integer(json, key, low, high, where, out);
  }
  bool float32(const char* key, float* out) const;
  bool tensor(const char* key, Dtype dtype, const Sides& want, const Tensor** out) const;
  // An f32 tensor, its last dimension padded with 0 to a multiple of kPad; in place where it is one already.
  bool floats(const char* key, const Sides& want, Span<const float>* out) const;
  bool expect(const Shape& value, int type) const;
  bool expect_float(const Shape& value) const;  // f32 or vec
  bool expect_same(const Shape& x, const Shape& y) const;
  template <typename... T>
  bool refuse(const T&... pieces) const {
    return no->refuse(where, pieces...);
  }
};

// Checks the keys and tensors of node->op (op, inputs and ids are known), fills the node and what it writes.
// Sizes are not known here: infer_shapes checks them.
bool check_op(const Entry& entry, Node* node, const Shape& x, const Shape& y, Shape* out);

// Refuses a model in which some picture could make infinity or NaN (ranges.cc). Its nodes are checked; values: by id,
// with `fixed` at the size of "input".
bool check_ranges(const aoie_model& model, const Span<Value>& values, Arena* arena, Refusal* no);

}  // namespace aoie
#endif  // AOIENET_READER_H_
