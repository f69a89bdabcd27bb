// The C API after aoie_open: plan, run, trace. Nothing here allocates or throws.
#include <cstring>
#include <initializer_list>

#include "model.h"
#include "strips.h"

namespace {

using aoie::Node;
using aoie::Plan;
using aoie::Step;
using aoie::Tail;
using aoie::Value;

// Where row 0 of a map stands, or would stand: of a map in strips only the rows from `first` on have a place. As a
// number, since it may lie before the workspace.
unsigned char* row_0(const Value& v, unsigned char* workspace) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(workspace) + static_cast<uintptr_t>(v.offset);
  return reinterpret_cast<unsigned char*>(at - static_cast<uintptr_t>(v.first * aoie::row_bytes(v)));
}

Tail make_tail(const Step& step, const Plan& plan, unsigned char* workspace) {
  const auto floats = [&](int id) { return reinterpret_cast<float*>(row_0(plan.values[id], workspace)); };
  Tail tail{};
  if (step.add) tail.add = floats(step.in[1]), tail.add_channels = plan.values[step.in[1]].c;
  if (step.out >= 0) tail.out = floats(step.out);
  if (const Node* slopes = step.slopes) {
    tail.pos = slopes->a.data();
    tail.pos_shift = slopes->b.data();
    tail.neg = slopes->d.data();
    tail.neg_shift = slopes->e.data();
    tail.knee = slopes->knee.data();
  }
  if (const Node* binarize = step.binarize) {
    tail.bits = reinterpret_cast<uint64_t*>(row_0(plan.values[step.bits], workspace));
    tail.planes = binarize->j;
    tail.plane_rows = plan.values[step.bits].held;
    tail.threshold = binarize->a.data();
    tail.flip_bits = binarize->flip_bits.data();
  }
  return tail;
}

// How an op is shared out: each call makes its output rows by itself (kRows) or kWord channels at a time of all rows
// (kChannels), the call gets a part of the picture (kSlice) or kPad outputs at a time of a single vector (kOutputs), or
// one call makes all (kWhole).
enum class Split { kWhole, kRows, kChannels, kSlice, kOutputs };

// The most that one of the tasks gets of `count`, as a share of all.
double largest_share(int64_t count, int64_t tasks) {
  return static_cast<double>((count + tasks - 1) / tasks) / static_cast<double>(count);
}

// y: its output, of which so many rows are made. Few rows of many channels come out more even by channels, though each
// task then prepares all rows.
Split split_of(const Node& node, const Value& y, int64_t rows, int64_t tasks) {
  using aoie::Op;
  switch (node.op) {
    case Op::conv_bits:
      return y.c % aoie::kWord == 0 && 1.1 * largest_share(y.c / aoie::kWord, tasks) < largest_share(rows, tasks)
                 ? Split::kChannels
                 : Split::kRows;
    case Op::standardize:
    case Op::conv_int:
    case Op::binarize:
    case Op::maxpool:
    case Op::upadd2:
      return Split::kRows;
    case Op::pool:
      return node.k == 0 ? Split::kWhole : Split::kSlice;
    case Op::conv_f32:
      return node.k == 1 && node.s == 1 && node.p == 0 ? Split::kSlice : Split::kWhole;
    case Op::linear:
      return y.h * y.w == 1 ? Split::kOutputs : Split::kSlice;
    case Op::rank1:  // constants by row
      return Split::kWhole;
    default:
      return Split::kSlice;
  }
}

// Leaves the output rows begin <= row < end in args; input row = step * output row.
void slice(aoie::OpArgs* args, const Node& node, const Value& x, const Value& x1, const Value& y, int64_t begin,
           int64_t end) {
  const auto moved = [](const void* at, const Value& v, int64_t rows) {
    return static_cast<const unsigned char*>(at) + rows * aoie::row_bytes(v);
  };
  const bool pools = node.op == aoie::Op::pool || node.op == aoie::Op::peak;
  const int64_t step = y.h == x.h ? 1 : pools ? node.s : 2;
  const bool alike = args->positions1 == args->h * args->w;
  args->in0 = moved(args->in0, x, begin * step);
  if (alike) args->in1 = moved(args->in1, x1, begin * step);
  args->out = const_cast<unsigned char*>(moved(args->out, y, begin));
  args->oh = end - begin;
  args->h = y.h == x.h ? end - begin : args->h - begin * step;
  if (alike) args->positions1 = args->h * args->w;
}

// Leaves the outputs kPad * begin ... kPad * end - 1 of a linear op in args.
void some_outputs(aoie::OpArgs* args, int64_t begin, int64_t end) {
  const int64_t first = aoie::kPad * begin, last = aoie::kPad * end;
  args->weight = static_cast<const float*>(args->weight) + first * args->c;
  if (args->packed != nullptr) args->packed = static_cast<const float*>(args->packed) + first * args->c;
  args->a += first;
  args->out = static_cast<float*>(args->out) + first;
  args->o = (last < args->o ? last : args->o) - first;
}

struct Job {
  const Step* step;
  const Plan* plan;
  const uint8_t* image;
  unsigned char* workspace;
  int64_t begin, end;  // output rows
  Split split;
  int tasks;
};

// Rows begin ... end - 1 of a job, or as many parts of its output (kChannels, kOutputs), with the scratch of one task.
void run_share(const Job& job, int task, int64_t begin, int64_t end) {
  const Step& step = *job.step;
  const Plan& plan = *job.plan;
  unsigned char* const workspace = job.workspace;
  const Node& node = *step.node;
  const Value &x = plan.values[step.in[0]], &x1 = plan.values[step.in[1]], &y = plan.values[node.out];
  const Tail tail = make_tail(step, plan, workspace);
  aoie::OpArgs args{};
  args.in0 = job.image != nullptr ? job.image : row_0(x, workspace);
  args.in1 = row_0(x1, workspace);
  args.out = row_0(y, workspace);
  args.scratch = workspace + static_cast<uint64_t>(task) * plan.scratch;
  args.j = node.op == aoie::Op::binarize ? y.j : x.j;
  args.h = x.h;
  args.w = x.w;
  args.c = x.c;
  args.p64 = x.words;
  args.in_rows = x.held;
  args.out_rows = y.held;
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
  args.tail = step.tail ? &tail : nullptr;
  args.skip_left = y.left, args.skip_right = y.w - y.right;
  if (job.split == Split::kRows) args.skip_top = begin, args.skip_bottom = y.h - end;
  if (job.split == Split::kChannels) {
    args.skip_top = job.begin, args.skip_bottom = y.h - job.end;
    args.skip_first = begin * aoie::kWord, args.skip_last = y.c - end * aoie::kWord;
  }
  if (job.split == Split::kSlice && end - begin < y.h) slice(&args, node, x, x1, y, begin, end);
  if (job.split == Split::kOutputs) some_outputs(&args, begin, end);
  node.kernel(args);
}

struct Threads {
  int tasks = 1;
  aoie_parallel_for parallel_for = nullptr;
  void* context = nullptr;
};

// The task's share of the rows or parts.
void run_task(void* argument, int index) {
  const Job& job = *static_cast<const Job*>(argument);
  const int64_t channels = job.plan->values[job.step->node->out].c;
  int64_t first = 0, count = 0;
  if (job.split == Split::kChannels)
    count = channels / aoie::kWord;
  else if (job.split == Split::kOutputs)
    count = (channels + aoie::kPad - 1) / aoie::kPad;
  else
    first = job.begin, count = job.end - job.begin;
  const int64_t begin = first + count * index / job.tasks, end = first + count * (index + 1) / job.tasks;
  if (begin < end) run_share(job, index, begin, end);
}

// Output rows begin ... end - 1 of a step, by all tasks.
void run_part(const Step& step, const Plan& plan, const uint8_t* image, unsigned char* workspace, int64_t begin,
              int64_t end, const Threads& threads) {
  const Split split = split_of(*step.node, plan.values[step.node->out], end - begin, threads.tasks);
  const bool alone = threads.tasks == 1 || split == Split::kWhole;
  Job job{&step, &plan, image, workspace, begin, end, split, alone ? 1 : threads.tasks};
  if (alone)
    run_task(&job, 0);
  else
    threads.parallel_for(threads.context, &run_task, &job, threads.tasks);
}

// Room for the rows up to `end` of a value of the part that comes next: those that are still read move to the front.
void make_room(const aoie::Strips& strips, const aoie::Part& part, int id, const Plan& plan, unsigned char* workspace) {
  Value& v = plan.values[id];
  if (part.end - v.first <= v.held) return;
  const int64_t first = strips.first_live(id, part.step), row = aoie::row_bytes(v);
  for (int64_t plane = 0; plane < v.j; ++plane) {
    unsigned char* to = workspace + v.offset + plane * v.held * row;
    std::memmove(to, to + (first - v.first) * row, static_cast<size_t>((part.begin - first) * row));
  }
  v.first = first;
}

// All steps behind the transform, strip by strip (strips.h). Its stack is taken only where it runs.
__attribute__((noinline)) void run_strips(const aoie::Schedule& schedule, const Plan& plan, unsigned char* workspace,
                                          const Threads& threads) {
  aoie::Strips strips(schedule, plan, threads.tasks);
  for (aoie::Part part; strips.next(&part);) {
    const Step& step = schedule.steps[part.step];
    for (const int id : {step.out, step.bits})
      if (id >= 0) make_room(strips, part, id, plan, workspace);
    run_part(step, plan, nullptr, workspace, part.begin, part.end, threads);
  }
}

// A plan on the stack, as large as the model needs: 7 KB for a small network, 111 KB for the largest, of the frame
// alone.
template <int kValues, typename F>
__attribute__((noinline)) int in_frame(F f) {
  Value values[kValues];
  int live[kValues];
  Plan plan{values, live};
  return f(plan);
}

template <typename F>
int with_plan(const aoie_model& model, F f) {
  if (model.value_count <= 64) return in_frame<64>(f);
  if (model.value_count <= 256) return in_frame<256>(f);
  return in_frame<aoie::kMaxValues>(f);
}

int run_steps(const aoie_model& model, const Plan& plan, const uint8_t* image, unsigned char* memory, bool keep,
              float* out, const Threads& threads) {
  const aoie::Span<Step>& steps = (keep ? model.plain : model.fused).steps;
  for (size_t i = 0; i < (plan.strips ? 1 : steps.size()); ++i) {
    const Value& made = plan.values[steps[i].node->out];
    run_part(steps[i], plan, i == 0 ? image : nullptr, memory, made.top, made.bottom, threads);
  }
  if (plan.strips) run_strips(model.fused, plan, memory, threads);
  if (out == nullptr) return AOIE_OK;
  const Value& result = plan.values[model.nodes.back().out];
  const int64_t count = (result.right - result.left) * result.c;
  const float* from = reinterpret_cast<const float*>(row_0(result, memory)) + result.left * result.c;
  for (int64_t y = result.top; y < result.bottom; ++y, out += count)
    std::memcpy(out, from + y * result.w * result.c, static_cast<size_t>(count) * sizeof(float));
  return AOIE_OK;
}

int run_all(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, const aoie_part* part, void* workspace,
            uint64_t bytes, bool keep, float* out, const Threads& threads = {}) {
  if (model == nullptr || image == nullptr || workspace == nullptr) return AOIE_BAD_ARGUMENT;
  return with_plan(*model, [&](Plan& plan) -> int {
    const int status = aoie::make_plan(*model, h, w, part, keep, threads.tasks, &plan, {nullptr, 0});
    if (status != AOIE_OK) return status;
    if (bytes < plan.bytes || reinterpret_cast<uintptr_t>(workspace) % AOIE_WORKSPACE_ALIGN != 0)
      return AOIE_BAD_ARGUMENT;
    return run_steps(*model, plan, image, static_cast<unsigned char*>(workspace), keep, out, threads);
  });
}

// Of a workspace; 0: the model does not take the size, or the part is not in the grid.
uint64_t bytes_of(const aoie_model& model, int64_t h, int64_t w, const aoie_part* part, int tasks) {
  uint64_t bytes = 0;
  with_plan(model, [&](Plan& plan) -> int {
    const int status = aoie::make_plan(model, h, w, part, false, tasks, &plan, {nullptr, 0});
    if (status == AOIE_OK) bytes = plan.bytes;
    return status;
  });
  return bytes;
}

}  // namespace

extern "C" {

const char* aoie_status_text(int status) {
  static const char bad_argument[] =
      "an argument is NULL, out of its range or not for this model, or the workspace is too small or not aligned to 64 "
      "bytes";
  static const char* const texts[] = {"ok",
                                      bad_argument,
                                      "the file breaks a rule of the format",
                                      "the model does not take pictures of this size",
                                      "out of memory",
                                      "the instruction set is unknown or this machine lacks it",
                                      "the file cannot be read"};
  return status >= 0 && status <= AOIE_IO ? texts[status] : "unknown status";
}

const char* aoie_header(const aoie_model* model, size_t* bytes) {
  if (bytes != nullptr) *bytes = model == nullptr ? 0 : model->header_bytes;
  return model == nullptr ? nullptr : model->header;
}

int aoie_channels(const aoie_model* model) { return model == nullptr ? 0 : static_cast<int>(model->channels); }

const char* aoie_isa_name(const aoie_model* model) { return model == nullptr ? nullptr : aoie::isa_name(model->isa); }

int aoie_plan(const aoie_model* model, int64_t h, int64_t w, aoie_plan_result* out, char* message,
              size_t message_bytes) {
  const aoie::Message say{message, message_bytes};
  if (model == nullptr || out == nullptr) {
    say.print("model and out are not NULL; received NULL.");
    return AOIE_BAD_ARGUMENT;
  }
  *out = aoie_plan_result{};
  return with_plan(*model, [&](Plan& plan) -> int {
    int status = aoie::make_plan(*model, h, w, nullptr, false, 1, &plan, say);
    if (status != AOIE_OK) return status;
    const Value result = plan.values[model->nodes.back().out];
    *out = {static_cast<int32_t>(result.h), static_cast<int32_t>(result.w), static_cast<int32_t>(result.c), plan.bytes,
            0};
    status = aoie::make_plan(*model, h, w, nullptr, true, 1, &plan, {nullptr, 0});
    out->trace_bytes = status == AOIE_OK ? plan.bytes : 0;  // 0: this picture is too large to trace
    return AOIE_OK;
  });
}

int aoie_run(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace,
             uint64_t workspace_bytes, float* out_logits) {
  if (out_logits == nullptr) return AOIE_BAD_ARGUMENT;
  return run_all(model, image, h, w, nullptr, workspace, workspace_bytes, false, out_logits);
}

int aoie_run_parallel(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace,
                      uint64_t workspace_bytes, float* out_logits, int tasks, aoie_parallel_for parallel_for,
                      void* context) {
  if (out_logits == nullptr || parallel_for == nullptr || tasks < 1 || tasks > aoie::kMaxTasks)
    return AOIE_BAD_ARGUMENT;
  return run_all(model, image, h, w, nullptr, workspace, workspace_bytes, false, out_logits,
                 {tasks, parallel_for, context});
}

uint64_t aoie_parallel_bytes(const aoie_model* model, int64_t h, int64_t w, int tasks) {
  return model == nullptr || tasks < 1 || tasks > aoie::kMaxTasks ? 0 : bytes_of(*model, h, w, nullptr, tasks);
}

int aoie_run_part(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, const aoie_part* part,
                  void* workspace, uint64_t workspace_bytes, float* out_logits) {
  if (out_logits == nullptr || part == nullptr) return AOIE_BAD_ARGUMENT;
  return run_all(model, image, h, w, part, workspace, workspace_bytes, false, out_logits);
}

uint64_t aoie_part_bytes(const aoie_model* model, int64_t h, int64_t w, const aoie_part* part) {
  return model == nullptr || part == nullptr ? 0 : bytes_of(*model, h, w, part, 1);
}

int aoie_trace(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace,
               uint64_t workspace_bytes) {
  return run_all(model, image, h, w, nullptr, workspace, workspace_bytes, true, nullptr);
}

int aoie_value_count(const aoie_model* model) { return model == nullptr ? 0 : model->value_count; }

int aoie_value_at(const aoie_model* model, int64_t h, int64_t w, int index, aoie_value* out) {
  if (model == nullptr || out == nullptr || index < 0 || index >= model->value_count) return AOIE_BAD_ARGUMENT;
  if (model->last_use[static_cast<size_t>(index)] < 0) return AOIE_BAD_ARGUMENT;  // an id that the graph does not use
  return with_plan(*model, [&](Plan& plan) -> int {
    const int status = aoie::make_plan(*model, h, w, nullptr, true, 1, &plan, {nullptr, 0});
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
  });
}
}
