// An input row of conv_int as i16, with zeros where the padding is and two behind the end.
#include "ops/kernels.h"

namespace aoie {
namespace {

void widen_row(const OpArgs& args, int64_t y, int16_t* __restrict to) {
  const int64_t edge = args.pad * args.c, width = args.w * args.c;
  for (int64_t i = 0; i < edge; ++i) to[i] = 0;
  for (int64_t i = edge + width; i < 2 * edge + width + 2; ++i) to[i] = 0;
  if (y < 0 || y >= args.h) {
    for (int64_t i = 0; i < width; ++i) to[edge + i] = 0;
    return;
  }
  const int8_t* __restrict row = static_cast<const int8_t*>(args.in0) + y * width;
  for (int64_t i = 0; i < width; ++i) to[edge + i] = row[i];
}

}  // namespace
}  // namespace aoie
