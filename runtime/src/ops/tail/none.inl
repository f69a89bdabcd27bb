// For a unit whose instruction set has no tail: fuse.cc never hands it one.
#include "ops/kernels.h"

namespace aoie {
namespace {
template <int kCount>
inline void finish(const OpArgs& args, int64_t at, int64_t o, int64_t count, const Vf (&v)[kCount]) {
  for (int i = 0; i < kCount; ++i) vf_store(static_cast<float*>(args.out) + (at + i) * args.o + o, v[i], count);
}
}  // namespace
}  // namespace aoie
