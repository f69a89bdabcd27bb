// Checks every rule of docs/format.md and builds the model; the rules of single ops stand in open_ops.cc. Nothing here
// trusts a number of the file.
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "reader.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the tensors of a model file are little-endian and are read in place: this runtime needs a little-endian machine"
#endif

namespace aoie {
namespace {

constexpr size_t kPrefix = 32, kMaxHeader = 1 << 20, kMaxTensors = 4096;
constexpr uint64_t kMaxFile = uint64_t{1} << 30;
constexpr int64_t kMaxClasses = 4096;

uint64_t fnv1a(const unsigned char* at, size_t bytes) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i < bytes; ++i) hash = (hash ^ at[i]) * 0x100000001B3u;
  return hash;
}

class Opener {
 public:
  Opener(const unsigned char* file, size_t bytes, aoie_model* model) : file_(file), bytes_(bytes), model_(*model) {}

  void run() {
    const size_t header_bytes = check_prefix();
    model_.header.assign(reinterpret_cast<const char*>(file_) + kPrefix, header_bytes);
    header_ = parse_json(model_.header.data(), header_bytes);
    if (header_.kind != Json::kObject) refuse("the header is a JSON object", &header_);
    cut_tensors(header_bytes);
    check_head();
    check_input();
    walk_graph();
    check_shapes();
    if (header_.find("scan") != nullptr) check_scan();
    for (Node& node : model_.nodes) pack_node(&node, model_.isa);
    make_schedules(&model_);
  }

 private:
  size_t check_prefix() const {
    if (bytes_ < kPrefix) refuse("a model file has at least 32 bytes", static_cast<int64_t>(bytes_));
    if (std::memcmp(file_, "AOIENET\0", 8) != 0)
      refuse("the magic is 'AOIENET' and a 0 byte", std::string(reinterpret_cast<const char*>(file_), 8));
    const uint64_t version = little(file_ + 8, 4), header_bytes = little(file_ + 12, 4),
                   file_bytes = little(file_ + 16, 8);
    if (version != 1) refuse("the version is 1", static_cast<int64_t>(version));
    if (header_bytes < 2 || header_bytes > kMaxHeader)
      refuse("header_bytes is 2 to 1048576", static_cast<int64_t>(header_bytes));
    if (file_bytes > kMaxFile) refuse_text("file_bytes is at most 1073741824", std::to_string(file_bytes));
    if (file_bytes != bytes_)
      refuse_text("file_bytes is the size of the file",
                  std::to_string(file_bytes) + ", file of " + std::to_string(bytes_) + " bytes");
    if (kPrefix + header_bytes > bytes_)
      refuse("the header ends inside of the file", static_cast<int64_t>(header_bytes));
    const uint64_t wanted = little(file_ + 24, 8), computed = fnv1a(file_ + kPrefix, bytes_ - kPrefix);
    if (wanted != computed)
      refuse_text("the checksum is FNV-1a of bytes 32 to the end",
                  std::to_string(wanted) + ", computed " + std::to_string(computed));
    return static_cast<size_t>(header_bytes);
  }

  // ---- tensors

  Tensor entry(const std::string& name, const Json& json) const {
    const std::string where = "tensor " + shown(name);
    if (json.kind != Json::kObject) refuse(where + " is a JSON object", &json);
    Tensor tensor;
    tensor.dtype = string(json, "dtype", where);
    const uint64_t size = tensor.dtype == "u64"   ? 8
                          : tensor.dtype == "i16" ? 2
                          : tensor.dtype == "f32" ? 4
                          : tensor.dtype == "u8"  ? 1
                                                  : 0;
    if (size == 0) refuse(where + ": 'dtype' is one of u64, i16, f32, u8", tensor.dtype);
    const Json* shape = json.find("shape");
    if (shape == nullptr || shape->kind != Json::kArray || shape->items.empty() || shape->items.size() > 4)
      refuse(where + ": 'shape' has 1 to 4 dimensions", shape);
    uint64_t count = 1;
    for (const Json& side : shape->items) {
      if (side.kind != Json::kInteger || side.integer < 1 || side.integer > 65536)
        refuse(where + ": each dimension is 1 to 65536", &side);
      tensor.shape.push_back(side.integer);
      count *= static_cast<uint64_t>(side.integer);
      if (count > kMaxFile) refuse(where + " ends inside of the file", tensor.shape);
    }
    tensor.count = static_cast<int64_t>(count);
    tensor.bytes = count * size;
    tensor.offset = static_cast<uint64_t>(integer(json, "offset", 0, static_cast<int64_t>(kMaxFile) - 1, where));
    if (tensor.offset % 64 != 0) refuse(where + ": 'offset' is a multiple of 64", static_cast<int64_t>(tensor.offset));
    return tensor;
  }

  void check_zero(uint64_t from, uint64_t to, const std::string& what) const {
    if (to - from >= 64) refuse("each gap is less than 64 bytes (" + what + ")", static_cast<int64_t>(to - from));
    for (uint64_t i = from; i < to; ++i)
      if (file_[i] != 0) refuse("bytes between tensors are 0 (" + what + ")", static_cast<int64_t>(file_[i]));
  }

  void cut_tensors(size_t header_bytes) {
    const Json& table = object(header_, "tensors", "header");
    if (table.keys.size() > kMaxTensors)
      refuse("a file has at most 4096 tensors", static_cast<int64_t>(table.keys.size()));
    std::map<uint64_t, const std::string*> order;
    for (size_t i = 0; i < table.keys.size(); ++i) {
      const std::string& name = table.keys[i];
      const Tensor& tensor = tensors_[name] = entry(name, table.items[i]);
      if (!order.emplace(tensor.offset, &name).second) refuse("tensors do not overlap: two at one offset", name);
    }
    uint64_t end = kPrefix + header_bytes;
    const uint64_t base = (end + 63) / 64 * 64;
    for (const auto& [offset, name] : order) {
      const Tensor& tensor = tensors_[*name];
      const std::string where = "tensor " + shown(*name);
      if (base + offset < end) refuse(where + " begins after the one before it", static_cast<int64_t>(offset));
      check_zero(end, base + offset < bytes_ ? base + offset : bytes_, "before " + where);
      if (base + offset > bytes_ || tensor.bytes > bytes_ - base - offset)
        refuse(where + " ends inside of the file", tensor.shape);
      end = base + offset + tensor.bytes;
    }
    if (order.empty()) {
      if (base <= bytes_) check_zero(end, base, "after the header");
      end = base;
    }
    if (end != bytes_) refuse("the last tensor ends at file_bytes; its end", static_cast<int64_t>(end));
    copy_data(base);
  }

  void copy_data(uint64_t base) {
    if (bytes_ > base) {
      model_.data.assign((bytes_ - base + 7) / 8, 0);
      std::memcpy(model_.data.data(), file_ + base, bytes_ - base);
    }
    const auto* data = reinterpret_cast<const unsigned char*>(model_.data.data());
    for (auto& [name, tensor] : tensors_) {
      tensor.data = data + tensor.offset;
      if (tensor.dtype != "f32") continue;
      for (int64_t i = 0; i < tensor.count; ++i)
        if ((little(tensor.data + 4 * i, 4) & 0x7F800000u) == 0x7F800000u)
          refuse("floats are finite: NaN or infinity in tensor", name);
    }
  }

  // ---- header

  void check_head() {
    if (string(header_, "format", "header") != "aoie") refuse("'format' is 'aoie'", header_.find("format"));
    string(header_, "name", "header");
    planes_ = integer(header_, "planes", 1, 2, "header");
    const Json* classes = header_.find("classes");
    if (classes == nullptr || classes->kind != Json::kArray || classes->items.size() < 2 ||
        classes->items.size() > kMaxClasses)
      refuse("'classes' lists 2 to 4096 names", classes);
    for (const Json& name : classes->items)
      if (name.kind != Json::kString) refuse("'classes' lists strings", &name);
    model_.classes = static_cast<int64_t>(classes->items.size());
    const Json* meta = header_.find("meta");
    if (meta != nullptr && meta->kind != Json::kObject) refuse("'meta' is a JSON object", meta);
  }

  void check_input() {
    const Json& input = object(header_, "input", "header");
    model_.channels = integer(input, "channels", 1, 3, "input");
    if (model_.channels == 2) refuse("input: 'channels' is 1 (grey) or 3 (RGB)", model_.channels);
    model_.height = integer(input, "height", 1, kMaxSide, "input");
    model_.width = integer(input, "width", 1, kMaxSide, "input");
    const Json* fixed = input.find("fixed");
    if (fixed == nullptr || fixed->kind != Json::kBool) refuse("input: 'fixed' is true or false", fixed);
    model_.fixed = fixed->truth;
    const Json& transform = object(input, "transform", "input");
    const std::string kind = string(transform, "kind", "transform");
    Node node;
    node.c = node.o = model_.channels;
    if (kind == "raw")
      node.op = Op::raw;
    else if (kind == "center")
      node.op = Op::center;
    else if (kind == "standardize")
      standardize(transform, &node);
    else
      refuse("transform: 'kind' is raw, center or standardize", kind);
    model_.nodes.push_back(node);
  }

  void standardize(const Json& transform, Node* node) const {
    node->op = Op::standardize;
    if (model_.channels != 1) refuse("transform standardize takes 1 channel", model_.channels);
    node->window = integer(transform, "window_px", 0, kMaxSide, "transform");
    if (node->window != 0 && node->window % 2 == 0)
      refuse("transform: 'window_px' is odd, or 0 for the whole image", node->window);
    node->eps_levels = number(transform, "eps_levels", true, "transform");
    node->scale = number(transform, "scale", true, "transform");
  }

  // ---- graph

  void walk_graph() {
    const Json* graph = header_.find("graph");
    if (graph == nullptr || graph->kind != Json::kArray || graph->items.empty() || graph->items.size() > kMaxOps)
      refuse("'graph' lists 1 to 1024 ops", graph);
    shapes_.assign(kMaxValues, Shape());
    shapes_[0] = {model_.nodes[0].op == Op::raw ? AOIE_U8 : AOIE_I8, 1, model_.channels};
    model_.last_use.assign(kMaxValues, -1);
    model_.last_use[0] = 0;
    model_.value_count = 1;
    model_.nodes.reserve(graph->items.size() + 1);
    for (size_t i = 0; i < graph->items.size(); ++i) add_op(i, graph->items[i]);
    const Node& last = model_.nodes.back();
    if (last.op != Op::linear) refuse("the last op is linear", std::string(op_name(last.op)));
    if (last.o != model_.classes)
      refuse("the last op gives one logit per class (" + shown(model_.classes) + ")", last.o);
    model_.last_use[static_cast<size_t>(last.out)] = INT32_MAX;
  }

  void add_op(size_t index, const Json& json) {
    where_ = "op " + std::to_string(index);
    if (json.kind != Json::kObject) refuse(where_ + " is a JSON object", &json);
    const std::string name = string(json, "op", where_);
    Node node;
    if (!op_from_name(name, &node.op)) refuse(where_ + " is one of " + graph_op_names(), name);
    where_ += " (" + name + ")";
    read_ids(json, &node);
    const Shape x = shapes_[static_cast<size_t>(node.in[0])], y = shapes_[static_cast<size_t>(node.in[1])];
    node.c = node.o = x.c;
    const Shape out = check_op({json, tensors_, where_, model_.fixed}, &node, x, y);
    if (out.c < 1 || out.c > kMaxChannels) refuse(where_ + ": a value has 1 to 4096 channels", out.c);
    if (out.j > planes_) refuse(where_ + ": planes are at most those of the header (" + shown(planes_) + ")", out.j);
    shapes_[static_cast<size_t>(node.out)] = out;
    const int step = static_cast<int>(model_.nodes.size());
    for (int i = 0; i < node.inputs; ++i) model_.last_use[static_cast<size_t>(node.in[i])] = step;
    model_.last_use[static_cast<size_t>(node.out)] = step;
    if (node.out >= model_.value_count) model_.value_count = node.out + 1;
    if (node.op == Op::pool) pool_ = step, extent_ = node.k, step_ = node.s;
    if (node.op == Op::peak) extent_ += (node.k - 1) * step_, step_ *= node.s;
    if (extent_ > kMaxSide || step_ > kMaxSide) refuse(where_ + ": a decision spans at most 65536 positions", extent_);
    model_.nodes.push_back(std::move(node));
  }

  void read_ids(const Json& json, Node* node) const {
    node->inputs = node->op == Op::add || node->op == Op::mul || node->op == Op::gate || node->op == Op::concat ? 2 : 1;
    const Json* in = json.find("in");
    if (in == nullptr || in->kind != Json::kArray || in->items.size() != static_cast<size_t>(node->inputs))
      refuse(where_ + ": 'in' lists " + std::to_string(node->inputs) + " value id(s)", in);
    for (int i = 0; i < node->inputs; ++i) {
      const Json& id = in->items[static_cast<size_t>(i)];
      if (id.kind != Json::kInteger || id.integer < 0 || id.integer >= kMaxValues ||
          shapes_[static_cast<size_t>(id.integer)].type < 0)
        refuse(where_ + " reads values that are written before it", &id);
      node->in[i] = static_cast<int>(id.integer);
    }
    if (node->inputs == 1) node->in[1] = node->in[0];
    node->out = static_cast<int>(integer(json, "out", 1, kMaxOps, where_));
    if (shapes_[static_cast<size_t>(node->out)].type >= 0)
      refuse(where_ + ": a value is written once", int64_t{node->out});
  }

  // ---- sizes and scan

  void check_shapes() {
    const auto plan = std::make_unique<Plan>();
    char text[256] = "";
    const int status = infer_shapes(model_, model_.height, model_.width, plan.get(), {text, sizeof text});
    if (status != AOIE_OK) throw Refusal("at the size of 'input': " + std::string(text));
    for (const Node& node : model_.nodes) {
      const Value& x = plan->values[node.in[0]];
      if (node.op == Op::rank1 && (node.rows != x.h || node.columns != x.w))
        refuse("rank1: 'rows' and 'columns' are as long as its input, " + shown(std::vector<int64_t>{x.h, x.w}),
               std::vector<int64_t>{node.rows, node.columns});
    }
    if (pool_ >= 0) stride_ = plan->values[model_.nodes[static_cast<size_t>(pool_)].in[0]].stride;
  }

  // Refuses what makes the decision of a block depend on the picture around it or on its place.
  void check_local() const {
    const std::string rule = "scan: a decision depends on its block alone";
    for (size_t i = 1; i < model_.nodes.size(); ++i) {
      const Node& node = model_.nodes[i];
      const std::string where = " at op " + std::to_string(i - 1);
      if (node.op == Op::rank1 || (node.op == Op::pool && node.k == 0)) refuse_text(rule, op_name(node.op) + where);
      if (node.op == Op::pool && static_cast<int>(i) != pool_) refuse_text(rule, "a second pool after the one" + where);
    }
  }

  void check_scan() {
    check_local();
    const Json& scan = object(header_, "scan", "header");
    const int64_t block = integer(scan, "block_px", 1, kMaxSide, "scan"),
                  step = integer(scan, "block_stride_px", 1, kMaxSide, "scan");
    const int64_t halo = integer(scan, "halo_px", 0, kMaxSide, "scan"),
                  stride = integer(scan, "total_stride", 1, kMaxSide, "scan");
    integer(scan, "defect", 0, model_.classes - 1, "scan");
    number(scan, "threshold", false, "scan");
    number(scan, "temperature", true, "scan");
    if (block % stride != 0 || step % stride != 0)
      refuse("scan: block_px and block_stride_px are multiples of total_stride",
             std::vector<int64_t>{block, step, stride});
    if (halo % step != 0) refuse("scan: halo_px is a multiple of block_stride_px", halo);
    if (extent_ != block / stride || step_ != step / stride)
      refuse(
          "scan: block_px and block_stride_px are extent and step of the decisions (pool.window, pool.stride, then "
          "every peak) times total_stride",
          std::vector<int64_t>{extent_, step_});
    if (stride_ != stride)
      refuse("scan: total_stride is the product of the strides before the pool (" + shown(stride_) + ")", stride);
    if (model_.height < block || model_.width < block) refuse("scan: 'input' holds at least one block", block);
    model_.block_px = block;
  }

  const unsigned char* file_;
  const size_t bytes_;
  aoie_model& model_;
  Json header_;
  Tensors tensors_;
  std::vector<Shape> shapes_;  // by value id
  int64_t planes_ = 1, stride_ = 0;
  int pool_ = -1;                  // index of the last pool
  int64_t extent_ = 0, step_ = 0;  // of a decision, in positions before the pool
  std::string where_;
};

int read_file(const char* path, std::vector<unsigned char>* out) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path, "rb"), std::fclose);
  if (!file) return AOIE_IO;
  unsigned char buffer[65536];
  size_t got;
  while ((got = std::fread(buffer, 1, sizeof buffer, file.get())) > 0) {
    out->insert(out->end(), buffer, buffer + got);
    if (out->size() > kMaxFile) break;  // refused by its size
  }
  return std::ferror(file.get()) ? AOIE_IO : AOIE_OK;
}

}  // namespace
}  // namespace aoie

extern "C" {

int aoie_open_isa(const void* data, size_t bytes, const char* isa, aoie_model** out, char* message,
                  size_t message_bytes) {
  const aoie::Message say{message, message_bytes};
  if (out != nullptr) *out = nullptr;
  if (data == nullptr || out == nullptr) {
    say.print("data and out are not NULL; received NULL.");
    return AOIE_BAD_ARGUMENT;
  }
  try {
    auto model = std::make_unique<aoie_model>();
    std::string why;
    model->isa = aoie::choose_isa(isa, &why);
    if (model->isa < 0) {
      say.print("%s", why.c_str());
      return AOIE_BAD_ISA;
    }
    aoie::Opener(static_cast<const unsigned char*>(data), bytes, model.get()).run();
    *out = model.release();
    return AOIE_OK;
  } catch (const aoie::Refusal& refusal) {
    say.print("%s", refusal.what());
    return AOIE_BAD_FILE;
  } catch (const std::bad_alloc&) {
    say.print("the model fits into memory; received a file of %llu bytes.", static_cast<unsigned long long>(bytes));
    return AOIE_NO_MEMORY;
  } catch (...) {
    say.print("the file is readable; received an unexpected failure.");
    return AOIE_BAD_FILE;
  }
}

int aoie_open(const void* data, size_t bytes, aoie_model** out, char* message, size_t message_bytes) {
  return aoie_open_isa(data, bytes, nullptr, out, message, message_bytes);
}

int aoie_open_file(const char* path, aoie_model** out, char* message, size_t message_bytes) {
  const aoie::Message say{message, message_bytes};
  if (out != nullptr) *out = nullptr;
  if (path == nullptr || out == nullptr) {
    say.print("path and out are not NULL; received NULL.");
    return AOIE_BAD_ARGUMENT;
  }
  try {
    std::vector<unsigned char> bytes;
    if (aoie::read_file(path, &bytes) != AOIE_OK) {
      say.print("the model file can be read; received '%.200s'.", path);
      return AOIE_IO;
    }
    return aoie_open(bytes.empty() ? static_cast<const void*>("") : bytes.data(), bytes.size(), out, message,
                     message_bytes);
  } catch (...) {
    say.print("the model file fits into memory; received '%.200s'.", path);
    return AOIE_NO_MEMORY;
  }
}

void aoie_close(aoie_model* model) { delete model; }
}
