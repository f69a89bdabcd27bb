// What aoie_open makes of a file. It does not change afterwards.
#ifndef AOIENET_MODEL_H_
#define AOIENET_MODEL_H_

#include <cstdint>

#include "aoienet/aoienet.h"
#include "arena.h"
#include "cpu.h"
#include "json.h"
#include "ops/kernels.h"
#include "text.h"

namespace aoie {

constexpr int kMaxOps = 1024, kMaxValues = kMaxOps + 1;
constexpr int64_t kMaxSide = 65536, kMaxChannels = 4096, kMaxPeak = 64, kMaxTotalStride = 65536, kMaxAlign = 64;

enum class Op : uint8_t {
#define AOIE_OP(name) name,
#include "ops/ops.inc"
#undef AOIE_OP
};
const char* op_name(Op op);
bool op_from_name(const Json& name, Op* op);  // graph ops only

// The best kernel of an op at or below isa, and the instruction set it was written for.
struct Choice {
  Kernel kernel;
  int isa;
};
Choice find_kernel(Op op, int isa);

struct Node {
  Op op = Op::raw;
  int inputs = 0;
  int in[2] = {0, 0};
  int out = 0;
  int64_t k = 1, s = 1, p = 0;  // of rows; s of columns too. pool, peak: k = window, s = stride
  int64_t kw = 1, pw = 0;       // of columns
  int64_t groups = 1;           // conv_f32
  int64_t c = 0;                // channels of input 0
  int64_t o = 0, j = 1;         // channels and planes of the output; conv_bits: j = planes of the input
  int64_t window = 0;           // standardize
  double eps_levels = 0, scale = 0;
  int64_t rows = 0, columns = 0;            // rank1: lengths of a and b
  int64_t from = 0, taken = 0, before = 0;  // channels
  float low = 0, high = 0;                  // clip
  Kernel kernel = nullptr;
  const void* weight = nullptr;  // into the file
  Span<uint32_t> packed;
  int isa = 0;  // of kernel
  Span<const float> a, b, d, e, knee, plane_scale;
  const uint8_t* flip = nullptr;  // into the file
  Span<uint64_t> flip_bits;
  bool in_place[2] = {false, false};  // the output may take the memory of this input
};

// One call of a kernel: an op, or a convolution with its tail.
struct Step {
  const Node* node = nullptr;
  const Node* slopes = nullptr;  // of the tail
  const Node* binarize = nullptr;
  bool tail = false, add = false;  // add: in[1] is added to the value of node
  int in[2] = {0, 0};
  int out = 0, bits = -1;  // -1: not written
  bool in_place[2] = {false, false};
};

// The steps of a run in order, and by value id the index of the last one that reads it (or writes it; -1 = no such
// value).
struct Schedule {
  Span<Step> steps;
  Span<int> last_use;
};

}  // namespace aoie

struct aoie_model {
  size_t memory_bytes = 0;  // that opening took in an arena
  void* blocks = nullptr;   // of heap.cc: what aoie_close frees
  const char* header = nullptr;
  size_t header_bytes = 0;
  int isa = 0;
  int64_t channels = 1, height = 1, width = 1, classes = 0;
  bool fixed = false;
  int64_t block_px = 0;  // 0: no scan
  int64_t block_stride_px = 0, halo_px = 0, total_stride = 0, align_px = 0;
  aoie::Span<aoie::Node> nodes;  // nodes[0] is the transform
  int value_count = 0;           // largest id + 1
  aoie::Span<int> last_use;     // by id: index of the last node that reads it, its writer when none, -1 = no such value
  aoie::Schedule plain, fused;  // one step per node (trace); convolutions with their tails (run)
};

namespace aoie {

struct Value {
  int type = -1;  // aoie_type, -1 = id not used
  int64_t j = 1, h = 0, w = 0, c = 0, words = 0, stride = 1;
  uint64_t bytes = 0, offset = 0;
  int64_t held = 0,
          first = 0;  // rows that have a place, from `offset` on, and which is the first (strips.h); else h, 0
  int32_t top = 0, bottom = 0, left = 0, right = 0;  // rows top ... bottom - 1, columns left ... right - 1 are made
};

inline int64_t row_bytes(const Value& v) { return static_cast<int64_t>(v.bytes) / (v.h * v.j); }  // of one plane

// Sizes and places of all values for one picture size.
struct Plan {
  Value* values;         // value_count of the model
  int* live;             // room for as many ids
  uint64_t bytes = 0;    // scratch of every task stands first, then the values
  uint64_t scratch = 0;  // of one task
  bool strips = false;   // strips.h
};

constexpr int kMaxTasks = 64;

// part: of the result, NULL: all of it. keep: every value keeps its memory (trace). tasks: how many work at a time.
// Returns an aoie_status.
int make_plan(const aoie_model& model, int64_t h, int64_t w, const aoie_part* part, bool keep, int tasks, Plan* plan,
              const Message& message);

// What the kernels of an op write to besides the output, for one task.
uint64_t scratch_bytes(const Node& node, const Value& in);

// Shapes only, at any size; used by make_plan and by aoie_open at the size of "input" and of blocks.
int infer_shapes(const aoie_model& model, int64_t h, int64_t w, Plan* plan, const Message& message);

// Fills what the kernels of model.isa want: packed weights. False: no memory left.
bool pack_node(Node* node, int isa, Arena* arena);

// Both schedules of a model whose nodes are packed. False: no memory left.
bool make_schedules(aoie_model* model, Arena* arena);

// Checks a file and builds its model in the arena. file: aligned to 8 bytes; stays what it is as long as the model.
// On success *out stands in the arena. Returns an aoie_status.
int open_in_arena(const void* file, size_t bytes, const char* isa, Arena* arena, const Message& message,
                  aoie_model** out);

}  // namespace aoie
#endif  // AOIENET_MODEL_H_
