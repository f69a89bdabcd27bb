// Checks every rule of docs/format.md and builds the model; the rules of single ops stand in open_ops.cc. Nothing here
// trusts a number of the file.
#include <algorithm>
#include <cstring>
#include <new>

#include "reader.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the tensors of a model file are little-endian and are read in place: this runtime needs a little-endian machine"
#endif

namespace aoie {
namespace {

constexpr uint64_t kVersion = 1;
constexpr size_t kPrefix = 32, kMaxHeader = 1 << 20, kMaxTensors = 4096;
constexpr uint64_t kMaxFile = uint64_t{1} << 30;
constexpr int64_t kMaxClasses = 4096;
constexpr char kAgain[] = ". It is cut or damaged: copy it again";

uint64_t fnv1a(const unsigned char* at, size_t bytes) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i < bytes; ++i) hash = (hash ^ at[i]) * 0x100000001B3u;
  return hash;
}

struct Reach {  // pixels of the picture that a position of a value sees beyond its own
  int64_t above = 0, below = 0, left = 0, right = 0;
};

// stride: pixels from one position of the inputs x and y to the next.
Reach reach_of(const Node& node, const Reach& x, Reach y, int64_t stride) {
  if (node.op == Op::upadd2)
    y.above += stride, y.left += stride;  // every second position reads one that begins before it
  Reach out{std::max(x.above, y.above), std::max(x.below, y.below), std::max(x.left, y.left),
            std::max(x.right, y.right)};
  const auto widen = [&](int64_t above, int64_t below, int64_t left, int64_t right) {
    out.above += above * stride, out.below += below * stride, out.left += left * stride, out.right += right * stride;
  };
  switch (node.op) {
    case Op::standardize:
      widen(node.window / 2, node.window / 2, node.window / 2, node.window / 2);
      break;
    case Op::conv_int:
    case Op::conv_bits:
    case Op::conv_f32:
    case Op::maxpool:
      widen(node.p, node.k - 1 - node.p, node.pw, node.kw - 1 - node.pw);
      break;
    case Op::avgpool2:
      widen(0, 1, 0, 1);
      break;
    default:
      break;
  }
  return out;
}

bool two_inputs(Op op) {
  return op == Op::add || op == Op::mul || op == Op::gate || op == Op::concat || op == Op::upadd2;
}

class Opener {
 public:
  Opener(const unsigned char* file, size_t bytes, aoie_model* model, Arena* arena, Refusal* no)
      : file_(file), bytes_(bytes), model_(*model), arena_(*arena), no_(*no), keys_{no} {}

  bool run() {
    if (!check_prefix() || !check_json(model_.header, model_.header_bytes, &arena_, &no_, &header_)) return false;
    if (!cut_tensors() || !check_head() || !check_input() || !walk_graph() || !check_shapes()) return false;
    if (header_.find("scan").exists() && !check_scan()) return false;
    if (!check_ranges(model_, values_, &arena_, &no_)) return false;
    for (Node& node : model_.nodes)
      if (!pack_node(&node, model_.isa, &arena_)) return no_memory();
    return make_schedules(&model_, &arena_) || no_memory();
  }

 private:
  template <typename... T>
  bool refuse(const T&... pieces) {
    return no_.refuse(pieces...);
  }
  bool no_memory() { return no_.no_memory(arena_.peak_bytes()); }

  bool check_prefix() {
    if (bytes_ < kPrefix) return refuse("a model file has at least 32 bytes", kReceived, bytes_);
    if (std::memcmp(file_, "AOIENET\0", 8) != 0)
      return refuse("the magic is 'AOIENET' and a 0 byte", kReceived, Quoted{{reinterpret_cast<const char*>(file_), 8}},
                    ". It is no model file");
    const uint64_t version = little(file_ + 8, 4), header_bytes = little(file_ + 12, 4),
                   file_bytes = little(file_ + 16, 8);
    if (version > kVersion)
      return refuse("the version is 1; this file is for a newer runtime", kReceived, version, ". Update the runtime");
    if (version != kVersion) return refuse("the version is 1", kReceived, version);
    if (header_bytes < 2 || header_bytes > kMaxHeader)
      return refuse("header_bytes is 2 to 1048576", kReceived, header_bytes);
    if (file_bytes > kMaxFile) return refuse("file_bytes is at most 1073741824", kReceived, file_bytes);
    if (file_bytes != bytes_)
      return refuse("file_bytes is the size of the file", kReceived, file_bytes, ", file of ", bytes_, " bytes",
                    kAgain);
    if (kPrefix + header_bytes > bytes_) return refuse("the header ends inside of the file", kReceived, header_bytes);
    const uint64_t wanted = little(file_ + 24, 8), computed = fnv1a(file_ + kPrefix, bytes_ - kPrefix);
    if (wanted != computed)
      return refuse("the checksum is FNV-1a of bytes 32 to the end", kReceived, wanted, ", computed ", computed,
                    kAgain);
    model_.header = reinterpret_cast<const char*>(file_) + kPrefix;
    model_.header_bytes = static_cast<size_t>(header_bytes);
    return true;
  }

  // ---- tensors

  bool dtype(const Json& json, const Where& where, Dtype* out) {
    Json name;
    if (!keys_.string(json, "dtype", where, &name)) return false;
    for (const Dtype each : {Dtype::u64, Dtype::i16, Dtype::f32, Dtype::u8})
      if (name.equals(dtype_name(each))) {
        *out = each;
        return true;
      }
    return refuse(where, ": 'dtype' is one of u64, i16, f32, u8", kReceived, name);
  }

  bool sides(const Json& json, const Where& where, Tensor* out) {
    const Json shape = json.find("shape");
    const size_t dimensions = shape.kind == Json::kArray ? shape.count() : 0;
    if (dimensions < 1 || dimensions > 4) return refuse(where, ": 'shape' has 1 to 4 dimensions", kReceived, shape);
    out->count = 1;
    Json side;
    for (Items items(shape); items.next(&side);) {
      if (side.kind != Json::kInteger || side.integer < 1 || side.integer > 65536)
        return refuse(where, ": each dimension is 1 to 65536", kReceived, side);
      out->shape.at[out->shape.count++] = side.integer;
      out->count *= side.integer;
      if (out->count > static_cast<int64_t>(kMaxFile))
        return refuse(where, " ends inside of the file", kReceived, out->shape);
    }
    return true;
  }

  bool entry(const Json& name, const Json& json, Tensor* out) {
    const Where where = Where::tensor(name);
    int64_t offset;
    out->name = name;
    if (json.kind != Json::kObject) return refuse(where, " is a JSON object", kReceived, json);
    if (!dtype(json, where, &out->dtype) || !sides(json, where, out)) return false;
    if (!keys_.integer(json, "offset", 0, static_cast<int64_t>(kMaxFile) - 1, where, &offset)) return false;
    if (offset % 64 != 0) return refuse(where, ": 'offset' is a multiple of 64", kReceived, offset);
    static const uint64_t sizes[] = {8, 2, 4, 1};  // by Dtype
    out->bytes = static_cast<uint64_t>(out->count) * sizes[static_cast<int>(out->dtype)];
    out->offset = static_cast<uint64_t>(offset);
    return true;
  }

  bool check_zero(uint64_t from, uint64_t to, const Where& end) {
    if (to - from >= 64) return refuse("each gap is less than 64 bytes (before ", end, ")", kReceived, to - from);
    for (uint64_t i = from; i < to; ++i)
      if (file_[i] != 0) return refuse("bytes between tensors are 0 (before ", end, ")", kReceived, int{file_[i]});
    return true;
  }

  bool cut_tensors() {
    Json table, name, json;
    if (!keys_.object(header_, "tensors", "header", &table)) return false;
    const size_t count = table.count();
    if (count > kMaxTensors) return refuse("a file has at most 4096 tensors", kReceived, count);
    if (!arena_.borrow(count, &tensors_)) return no_memory();
    Items items(table);
    for (Tensor& tensor : tensors_)
      if (!items.next(&name, &json) || !entry(name, json, &tensor)) return false;
    std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& x, const Tensor& y) { return x.offset < y.offset; });
    if (!check_places()) return false;
    std::sort(tensors_.begin(), tensors_.end(),
              [](const Tensor& x, const Tensor& y) { return compare(x.name, y.name) < 0; });
    return true;
  }

  bool check_places() {  // of the tensors in the order of their offsets
    uint64_t end = kPrefix + model_.header_bytes;
    const uint64_t base = (end + 63) / 64 * 64;
    if (tensors_.empty()) {
      if (base <= bytes_ && !check_zero(end, base, Where{"the end"})) return false;
      end = base;
    }
    for (Tensor& tensor : tensors_) {
      const Where where = Where::tensor(tensor.name);
      const uint64_t from = base + tensor.offset;
      if (from < end)
        return refuse("tensors do not overlap: ", where, " begins after the one before it", kReceived, tensor.offset);
      if (!check_zero(end, from < bytes_ ? from : bytes_, where)) return false;
      if (from > bytes_ || tensor.bytes > bytes_ - from)
        return refuse(where, " ends inside of the file", kReceived, tensor.shape);
      tensor.data = file_ + from;
      end = from + tensor.bytes;
      if (tensor.dtype == Dtype::f32 && !check_finite(tensor, where)) return false;
    }
    return end == bytes_ || refuse("the last tensor ends at file_bytes; its end", kReceived, end);
  }

  bool check_finite(const Tensor& tensor, const Where& where) {
    for (int64_t i = 0; i < tensor.count; ++i)
      if ((little(tensor.data + 4 * i, 4) & 0x7F800000u) == 0x7F800000u)
        return refuse("floats are finite: ", where, kReceived, "NaN or infinity at ", i);
    return true;
  }

  // ---- header

  bool check_head() {
    Json text;
    const Where where{"header"};
    if (!keys_.string(header_, "format", where, &text)) return false;
    if (!text.equals("aoie")) return refuse("'format' is 'aoie'", kReceived, text);
    if (!keys_.string(header_, "name", where, &text) || !keys_.integer(header_, "planes", 1, 2, where, &planes_))
      return false;
    const Json classes = header_.find("classes");
    model_.classes = classes.kind == Json::kArray ? static_cast<int64_t>(classes.count()) : 0;
    if (model_.classes < 2 || model_.classes > kMaxClasses)
      return refuse("'classes' lists 2 to 4096 names", kReceived, classes);
    for (Items items(classes); items.next(&text);)
      if (text.kind != Json::kString) return refuse("'classes' lists strings", kReceived, text);
    const Json meta = header_.find("meta");
    return !meta.exists() || meta.kind == Json::kObject || refuse("'meta' is a JSON object", kReceived, meta);
  }

  bool check_input() {
    Json input;
    const Where where{"input"};
    if (!keys_.object(header_, "input", "header", &input)) return false;
    if (!keys_.integer(input, "channels", 1, 3, where, &model_.channels)) return false;
    if (model_.channels == 2) return refuse("input: 'channels' is 1 (grey) or 3 (RGB)", kReceived, model_.channels);
    if (!keys_.integer(input, "height", 1, kMaxSide, where, &model_.height) ||
        !keys_.integer(input, "width", 1, kMaxSide, where, &model_.width))
      return false;
    const Json fixed = input.find("fixed");
    if (fixed.kind != Json::kBool) return refuse("input: 'fixed' is true or false", kReceived, fixed);
    model_.fixed = fixed.integer != 0;
    if (input.find("resize_px").exists()) {  // callers resize; the network sees height x width
      int64_t side;
      if (!keys_.integer(input, "resize_px", std::max(model_.height, model_.width), kMaxSide, where, &side))
        return false;
      if (!model_.fixed) return refuse("input: 'resize_px' needs 'fixed': true", kReceived, fixed);
    }
    return check_transform(input);
  }

  bool check_transform(const Json& input) {
    Json transform, kind;
    if (!keys_.object(input, "transform", "input", &transform) ||
        !keys_.string(transform, "kind", Where{"transform"}, &kind))
      return false;
    Node& node = transform_;
    node.c = node.o = model_.channels;
    if (kind.equals("raw"))
      node.op = Op::raw;
    else if (kind.equals("center"))
      node.op = Op::center;
    else if (kind.equals("standardize"))
      return standardize(transform, &node);
    else
      return refuse("transform: 'kind' is raw, center or standardize", kReceived, kind);
    return true;
  }

  bool standardize(const Json& transform, Node* node) {
    const Where where{"transform"};
    node->op = Op::standardize;
    if (model_.channels != 1) return refuse("transform standardize takes 1 channel", kReceived, model_.channels);
    if (!keys_.integer(transform, "window_px", 0, kMaxSide, where, &node->window)) return false;
    if (node->window != 0 && node->window % 2 == 0)
      return refuse("transform: 'window_px' is odd, or 0 for the whole image", kReceived, node->window);
    return keys_.number(transform, "eps_levels", true, where, &node->eps_levels) &&
           keys_.number(transform, "scale", true, where, &node->scale);
  }

  // ---- graph

  bool walk_graph() {
    const Json graph = header_.find("graph");
    const size_t ops = graph.kind == Json::kArray ? graph.count() : 0;
    if (ops < 1 || ops > kMaxOps) return refuse("'graph' lists 1 to 1024 ops", kReceived, graph);
    const size_t ids = count_ids(graph);
    if (!arena_.borrow(ids, &shapes_) || !arena_.take(ids, &model_.last_use)) return no_memory();
    if (!arena_.take(ops + 1, &model_.nodes)) return no_memory();
    model_.nodes[0] = transform_;
    shapes_[0] = {transform_.op == Op::raw ? AOIE_U8 : AOIE_I8, 1, model_.channels};
    for (int& last : model_.last_use) last = -1;
    model_.last_use[0] = 0;
    model_.value_count = static_cast<int>(ids);
    Json json;
    int index = 0;
    for (Items items(graph); items.next(&json);)
      if (!add_op(++index, json)) return false;
    const Node& last = model_.nodes.back();
    if (last.op != Op::linear) return refuse("the last op is linear", kReceived, op_name(last.op));
    if (last.o != model_.classes)
      return refuse("the last op gives one logit per class", kReceived, last.o, " for ", model_.classes, " classes");
    model_.last_use[static_cast<size_t>(last.out)] = INT32_MAX;
    return true;
  }

  // The largest legal id that the graph writes, and one more; ids that are not legal are refused op by op.
  static size_t count_ids(const Json& graph) {
    int64_t largest = 0;
    Json json;
    for (Items items(graph); items.next(&json);) {
      const Json out = json.kind == Json::kObject ? json.find("out") : Json();
      if (out.kind == Json::kInteger && out.integer > largest && out.integer <= kMaxOps) largest = out.integer;
    }
    return static_cast<size_t>(largest) + 1;
  }

  bool add_op(int step, const Json& json) {  // step: its index among the nodes
    Where where = Where::op(step - 1);
    Json name;
    if (json.kind != Json::kObject) return refuse(where, " is a JSON object", kReceived, json);
    if (!keys_.string(json, "op", where, &name)) return false;
    Node& node = model_.nodes[static_cast<size_t>(step)];
    if (!op_from_name(name, &node.op)) return refuse(where, " is one of ", GraphOps{}, kReceived, name);
    where.name = op_name(node.op);
    if (!read_ids(json, where, &node)) return false;
    const Shape x = shapes_[static_cast<size_t>(node.in[0])], y = shapes_[static_cast<size_t>(node.in[1])];
    node.c = node.o = x.c;
    Shape out;
    if (!check_op({json, tensors_, where, model_.fixed, &arena_, &no_}, &node, x, y, &out)) return false;
    if (out.c < 1 || out.c > kMaxChannels) return refuse(where, ": a value has 1 to 4096 channels", kReceived, out.c);
    if (out.j > planes_) return refuse(where, ": planes are at most those of the header", kReceived, out.j);
    shapes_[static_cast<size_t>(node.out)] = out;
    for (int i = 0; i < node.inputs; ++i) model_.last_use[static_cast<size_t>(node.in[i])] = step;
    model_.last_use[static_cast<size_t>(node.out)] = step;
    return decide(node, step, where);
  }

  bool decide(const Node& node, int step, const Where& where) {  // what a decision spans
    if (node.op == Op::pool) pool_ = step, extent_ = node.k, step_ = node.s;
    if (node.op == Op::peak) extent_ += (node.k - 1) * step_, step_ *= node.s;
    return (extent_ <= kMaxSide && step_ <= kMaxSide) ||
           refuse(where, ": a decision spans at most 65536 positions", kReceived, extent_);
  }

  bool read_ids(const Json& json, const Where& where, Node* node) {
    node->inputs = two_inputs(node->op) ? 2 : 1;
    const Json in = json.find("in");
    if (in.kind != Json::kArray || in.count() != static_cast<size_t>(node->inputs))
      return refuse(where, ": 'in' lists ", node->inputs, " value id(s)", kReceived, in);
    Items ids(in);
    for (int i = 0; i < node->inputs; ++i) {
      Json id;
      ids.next(&id);
      if (id.kind != Json::kInteger || id.integer < 0 || id.integer >= model_.value_count ||
          shapes_[static_cast<size_t>(id.integer)].type < 0)
        return refuse(where, " reads values that are written before it", kReceived, id);
      node->in[i] = static_cast<int>(id.integer);
    }
    if (node->inputs == 1) node->in[1] = node->in[0];
    int64_t out;
    if (!keys_.integer(json, "out", 1, kMaxOps, where, &out)) return false;
    node->out = static_cast<int>(out);
    return shapes_[static_cast<size_t>(out)].type < 0 || refuse(where, ": a value is written once", kReceived, out);
  }

  // ---- sizes and scan

  bool check_shapes() {
    if (!arena_.borrow(static_cast<size_t>(model_.value_count), &values_)) return no_memory();
    Plan plan{values_.data(), nullptr};
    Message message = no_.message();
    message.before = "at the size of 'input': ";
    if (infer_shapes(model_, model_.height, model_.width, &plan, message) != AOIE_OK) return no_.fail(AOIE_BAD_FILE);
    for (const Node& node : model_.nodes) {
      const Value& x = values_[static_cast<size_t>(node.in[0])];
      if (node.op == Op::rank1 && (node.rows != x.h || node.columns != x.w))
        return refuse("rank1: 'rows' and 'columns' are as long as its input, ", Sides{x.h, x.w}, kReceived,
                      Sides{node.rows, node.columns});
    }
    if (pool_ >= 0) stride_ = values_[static_cast<size_t>(pooled())].stride;
    return true;
  }

  int pooled() const { return model_.nodes[static_cast<size_t>(pool_)].in[0]; }

  // Refuses what makes the decision of a block depend on the picture around it.
  bool check_local() {
    static const char rule[] = "scan: a decision depends on its block alone";
    if (transform_.op == Op::standardize && transform_.window == 0)
      return refuse(rule, kReceived, "window_px 0, the whole image");
    for (size_t i = 1; i < model_.nodes.size(); ++i) {
      const Node& node = model_.nodes[i];
      if (node.op == Op::pool && node.k == 0) return refuse(rule, kReceived, "pool at op ", i - 1);
      if (node.op == Op::pool && static_cast<int>(i) != pool_)
        return refuse(rule, kReceived, "a second pool at op ", i - 1);
    }
    return true;
  }

  // Tiles see the maps before the pool as the whole picture does where these begin again at every tile.
  bool check_align(int64_t align, int64_t step) {
    int64_t apart = 1;  // the first stride that align is no multiple of
    for (int i = 0; i < pool_ && align % apart == 0; ++i)
      apart = values_[static_cast<size_t>(model_.nodes[static_cast<size_t>(i)].out)].stride;
    return (align % step == 0 && align / step <= kMaxAlign && align % apart == 0) ||
           refuse("scan: align_px (without it block_stride_px) is 1 to ", kMaxAlign,
                  " times block_stride_px, and a multiple of the product of strides up to every value before the pool",
                  kReceived, Sides{align, step, apart});
  }

  // A band or tile has the pixels of its blocks and halo_px around them, so no decision may see further.
  bool check_halo(int64_t halo, int64_t align, int64_t stride) {
    const size_t borrowed = arena_.borrowed();
    Span<Reach> reach;  // by value id
    if (!arena_.borrow(values_.size(), &reach)) return no_memory();
    for (int i = 0; i < pool_; ++i) {
      const Node& node = model_.nodes[static_cast<size_t>(i)];
      const Reach &x = reach[static_cast<size_t>(node.in[0])], &y = reach[static_cast<size_t>(node.in[1])];
      reach[static_cast<size_t>(node.out)] = reach_of(node, x, y, values_[static_cast<size_t>(node.in[0])].stride);
    }
    const Reach seen = reach[static_cast<size_t>(pooled())];
    arena_.give_back(borrowed);
    const int64_t before = std::max(seen.above, seen.left), behind = std::max(seen.below, seen.right) - (stride - 1);
    const int64_t least = (std::max(before, behind) + align - 1) / align * align;
    return halo >= least ||
           refuse("scan: halo_px is at least what a decision sees around its block, here ", least, kReceived, halo);
  }

  // All maps grow by whole positions with every align, so what holds up to there holds for more.
  bool check_blocks(int64_t block, int64_t step, int64_t align) {
    Plan plan{values_.data(), nullptr};
    Message message = no_.message();
    message.before = "scan: a picture of any number of blocks can run: ";
    for (int64_t blocks = 1; blocks <= align / step + 1; ++blocks) {
      const int64_t side = block + (blocks - 1) * step;
      if (side > kMaxSide) break;  // no picture and no band has as many
      if (infer_shapes(model_, side, side, &plan, message) != AOIE_OK) return no_.fail(AOIE_BAD_FILE);
      const Value& result = values_[static_cast<size_t>(model_.nodes.back().out)];
      if (result.h != blocks || result.w != blocks)
        return refuse("scan: a picture of one block gives one decision, and block_stride_px more give one more",
                      kReceived, Sides{result.h, result.w}, " decisions of ", Sides{side, side},
                      " pixels. Take odd kernels with p = k / 2");
    }
    return true;
  }

  bool check_scan() {
    Json scan;
    const Where where{"scan"};
    int64_t block, step, halo, stride, align, defect;
    double number;
    if (!check_local() || !keys_.object(header_, "scan", "header", &scan) ||
        !keys_.integer(scan, "block_px", 1, kMaxSide, where, &block) ||
        !keys_.integer(scan, "block_stride_px", 1, kMaxSide, where, &step) ||
        !keys_.integer(scan, "halo_px", 0, kMaxSide, where, &halo) ||
        !keys_.integer(scan, "total_stride", 1, kMaxSide, where, &stride) ||
        !keys_.integer(scan, "defect", 0, model_.classes - 1, where, &defect) ||
        !keys_.number(scan, "threshold", false, where, &number) ||
        !keys_.number(scan, "temperature", true, where, &number))
      return false;
    if (model_.fixed)
      return refuse("scan: pictures have any size, so input.fixed is false", kReceived,
                    "true. Say false, or leave 'scan' out");
    if (block % stride != 0 || step % stride != 0)
      return refuse("scan: block_px and block_stride_px are multiples of total_stride", kReceived,
                    Sides{block, step, stride});
    align = step;
    if (scan.find("align_px").kind != Json::kAbsent && !keys_.integer(scan, "align_px", 1, kMaxSide, where, &align))
      return false;
    if (!check_align(align, step)) return false;
    if (halo % align != 0)
      return refuse("scan: halo_px is a multiple of align_px, and of block_stride_px", kReceived, Sides{halo, align});
    if (extent_ != block / stride || step_ != step / stride)
      return refuse(
          "scan: block_px and block_stride_px are extent and step of the decisions (pool.window, "
          "pool.stride, then every peak) times total_stride",
          kReceived, Sides{extent_, step_});
    if (stride_ != stride)
      return refuse("scan: total_stride is the product of the strides up to what the pool reads, ", stride_, kReceived,
                    stride);
    if (!check_halo(halo, align, stride)) return false;
    if (model_.height < block || model_.width < block)
      return refuse("scan: 'input' holds at least one block", kReceived, block);
    if (!check_blocks(block, step, align)) return false;
    model_.block_px = block;
    model_.block_stride_px = step;
    model_.halo_px = halo;
    model_.total_stride = stride;
    model_.align_px = align;
    return true;
  }

  const unsigned char* file_;
  const size_t bytes_;
  aoie_model& model_;
  Arena& arena_;
  Refusal& no_;
  const Keys keys_;
  Json header_;
  Node transform_{};
  Span<Tensor> tensors_;  // by offset, then by name
  Span<Shape> shapes_;    // by value id
  Span<Value> values_;    // by value id, at the size looked at last
  int64_t planes_ = 1, stride_ = 0;
  int pool_ = -1;                  // index of the last pool
  int64_t extent_ = 0, step_ = 0;  // of a decision, in positions before the pool
};

}  // namespace

int open_in_arena(const void* file, size_t bytes, const char* isa, Arena* arena, const Message& message,
                  aoie_model** out) {
  Refusal no(message);
  const int chosen = choose_isa(isa, message);
  if (chosen < 0) return AOIE_BAD_ISA;
  Span<aoie_model> model;
  if (!arena->take(1, &model)) {
    no.no_memory(0);
    return no.status();
  }
  model[0].isa = chosen;
  if (!Opener(static_cast<const unsigned char*>(file), bytes, model.data(), arena, &no).run()) return no.status();
  arena->give_back(0);
  model[0].memory_bytes = arena->peak_bytes();
  *out = model.data();
  return AOIE_OK;
}

}  // namespace aoie

extern "C" {

int aoie_open_in(const void* data, size_t bytes, const char* isa, void* memory, size_t memory_bytes, aoie_model** out,
                 char* message, size_t message_bytes) {
  const aoie::Message say{message, message_bytes};
  if (out != nullptr) *out = nullptr;
  if (data == nullptr || memory == nullptr || out == nullptr) {
    say.print("data, memory and out are not NULL; received NULL.");
    return AOIE_BAD_ARGUMENT;
  }
  if (reinterpret_cast<uintptr_t>(data) % aoie::Arena::kSmallAlign != 0) {
    say.print("a model that stays where it is begins at a multiple of 8 bytes; received an address that is not one.");
    return AOIE_BAD_ARGUMENT;
  }
  aoie::Arena arena(memory, memory_bytes);
  return aoie::open_in_arena(data, bytes, isa, &arena, say, out);
}

size_t aoie_model_bytes(const aoie_model* model) { return model == nullptr ? 0 : model->memory_bytes; }
}
