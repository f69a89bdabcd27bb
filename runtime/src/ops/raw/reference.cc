// raw: u8 [h, w, c] -> the same bytes.
#include "ops/kernels.h"

namespace aoie {
void raw_reference(const OpArgs& args) {
  __builtin_memcpy(args.out, args.in0, static_cast<uint64_t>(args.h * args.w * args.c));
}
}  // namespace aoie
