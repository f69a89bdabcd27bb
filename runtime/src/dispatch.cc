#include <cstring>

#include "reader.h"

namespace aoie {
namespace {

struct Line {
  const char* op;
  const char* isa;
  Kernel kernel;
};

const Line kLines[] = {
#define AOIE_KERNEL(op, isa) {#op, #isa, &op##_##isa},
#include "ops/kernels.inc"
#undef AOIE_KERNEL
};

const char* const kNames[] = {
#define AOIE_OP(name) #name,
#include "ops/ops.inc"
#undef AOIE_OP
};
constexpr int kOpCount = sizeof(kNames) / sizeof(kNames[0]);

}  // namespace

const char* op_name(Op op) { return kNames[static_cast<int>(op)]; }

bool op_from_name(const Json& name, Op* op) {
  for (int i = static_cast<int>(Op::thermometer); i < kOpCount; ++i)
    if (name.equals(kNames[i])) {
      *op = static_cast<Op>(i);
      return true;
    }
  return false;
}

void write(Writer* to, GraphOps) {
  for (int i = static_cast<int>(Op::thermometer); i < kOpCount; ++i) {
    write(to, i == static_cast<int>(Op::thermometer) ? "" : ", ");
    write(to, kNames[i]);
  }
}

Choice find_kernel(Op op, int isa) {
  for (; isa >= 0; --isa)
    for (const Line& line : kLines)
      if (std::strcmp(line.op, op_name(op)) == 0 && std::strcmp(line.isa, isa_name(isa)) == 0)
        return {line.kernel, isa};
  return {nullptr, -1};
}

}  // namespace aoie
