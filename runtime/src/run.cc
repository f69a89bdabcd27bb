// The C API after aoie_open: plan, run, trace. Nothing here allocates or throws.
#include <cstring>

#include "model.h"

namespace {

using aoie::Node;
using aoie::Plan;
using aoie::Value;

void run_node(const Node& node, const Plan& plan, const uint8_t* image, unsigned char* workspace) {
  const Value &x = plan.values[node.in[0]], &x1 = plan.values[node.in[1]], &y = plan.values[node.out];
  aoie::OpArgs args{};
  args.in0 = workspace + x.offset;
  if (image != nullptr) args.in0 = image;
  args.in1 = workspace + x1.offset;
  args.out = workspace + y.offset;
  args.scratch = workspace;
  args.j = node.op == aoie::Op::binarize ? y.j : x.j;
  args.h = x.h;
  args.w = x.w;
  args.c = x.c;
  args.p64 = x.words;
  args.c1 = x1.c;
  args.positions1 = x1.h * x1.w;
  args.oh = y.h;
  args.ow = y.w;
  args.o = y.c;
  args.o_pad = (y.c + aoie::kPad - 1) / aoie::kPad * aoie::kPad;
  args.k = node.k;
  args.s = node.s;
  args.pad = node.p;
  args.kw = node.kw;
  args.pad_w = node.pw;
  args.groups = node.groups;
  args.from = node.from;
  args.taken = node.taken;
  args.before = node.before;
  args.low = node.low;
  args.high = node.high;
  args.weight = node.weight;
  args.packed = node.packed.data();
  args.a = node.a.data();
  args.b = node.b.data();
  args.d = node.d.data();
  args.e = node.e.data();
  args.knee = node.knee.data();
  args.plane_scale = node.plane_scale.data();
  args.flip = node.flip;
  args.flip_bits = node.flip_bits.data();
  args.window = node.window;
  args.eps_levels = node.eps_levels;
  args.scale = node.scale;
  node.kernel(args);
}

int run_all(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace, uint64_t bytes,
            bool keep, float* out) {
  if (model == nullptr || image == nullptr || workspace == nullptr) return AOIE_BAD_ARGUMENT;
  Plan plan;
  const int status = aoie::make_plan(*model, h, w, keep, &plan, {nullptr, 0});
  if (status != AOIE_OK) return status;
  if (bytes < plan.bytes || reinterpret_cast<uintptr_t>(workspace) % AOIE_WORKSPACE_ALIGN != 0)
    return AOIE_BAD_ARGUMENT;
  auto* memory = static_cast<unsigned char*>(workspace);
  for (size_t i = 0; i < model->nodes.size(); ++i) run_node(model->nodes[i], plan, i == 0 ? image : nullptr, memory);
  const Value& result = plan.values[model->nodes.back().out];
  if (out != nullptr) std::memcpy(out, memory + result.offset, result.bytes);
  return AOIE_OK;
}

}  // namespace

extern "C" {

const char* aoie_status_text(int status) {
  static const char* const texts[] = {"ok",
                                      "a pointer is NULL, or the workspace is too small or not aligned to 64 bytes",
                                      "the file breaks a rule of the format",
                                      "the model does not take pictures of this size",
                                      "out of memory",
                                      "the instruction set is unknown or this machine lacks it",
                                      "the file cannot be read"};
  return status >= 0 && status <= AOIE_IO ? texts[status] : "unknown status";
}

const char* aoie_header(const aoie_model* model, size_t* bytes) {
  if (bytes != nullptr) *bytes = model == nullptr ? 0 : model->header.size();
  return model == nullptr ? nullptr : model->header.data();
}

int aoie_channels(const aoie_model* model) { return model == nullptr ? 0 : static_cast<int>(model->channels); }

const char* aoie_isa_name(const aoie_model* model) { return model == nullptr ? nullptr : aoie::isa_name(model->isa); }

int aoie_plan(const aoie_model* model, int64_t h, int64_t w, aoie_plan_result* out, char* message,
              size_t message_bytes) {
  if (model == nullptr || out == nullptr) return AOIE_BAD_ARGUMENT;
  *out = aoie_plan_result{};
  Plan plan;
  int status = aoie::make_plan(*model, h, w, false, &plan, {message, message_bytes});
  if (status != AOIE_OK) return status;
  const Value result = plan.values[model->nodes.back().out];
  *out = {static_cast<int32_t>(result.h), static_cast<int32_t>(result.w), static_cast<int32_t>(result.c), plan.bytes,
          0};
  plan.bytes = 0;
  status = aoie::make_plan(*model, h, w, true, &plan, {nullptr, 0});
  out->trace_bytes = status == AOIE_OK ? plan.bytes : 0;  // 0: this picture is too large to trace
  return AOIE_OK;
}

int aoie_run(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace,
             uint64_t workspace_bytes, float* out_logits) {
  if (out_logits == nullptr) return AOIE_BAD_ARGUMENT;
  return run_all(model, image, h, w, workspace, workspace_bytes, false, out_logits);
}

int aoie_trace(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace,
               uint64_t workspace_bytes) {
  return run_all(model, image, h, w, workspace, workspace_bytes, true, nullptr);
}

int aoie_value_count(const aoie_model* model) { return model == nullptr ? 0 : model->value_count; }

int aoie_value_at(const aoie_model* model, int64_t h, int64_t w, int index, aoie_value* out) {
  if (model == nullptr || out == nullptr || index < 0 || index >= model->value_count) return AOIE_BAD_ARGUMENT;
  if (model->last_use[static_cast<size_t>(index)] < 0) return AOIE_BAD_ARGUMENT;  // an id that the graph does not use
  Plan plan;
  const int status = aoie::make_plan(*model, h, w, true, &plan, {nullptr, 0});
  if (status != AOIE_OK) return status;
  const Value& v = plan.values[index];
  out->type = v.type;
  out->planes = static_cast<int32_t>(v.j);
  out->h = static_cast<int32_t>(v.h);
  out->w = static_cast<int32_t>(v.w);
  out->channels = static_cast<int32_t>(v.c);
  out->words = static_cast<int32_t>(v.words);
  out->offset = v.offset;
  out->bytes = v.bytes;
  return AOIE_OK;
}
}
