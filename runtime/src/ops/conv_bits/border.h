// Which constants of conv_bits a position takes, of an axis (docs/format.md). The reference has a copy of its own: it
// is what the kernels are compared with.
#ifndef AOIENET_OPS_CONV_BITS_BORDER_H_
#define AOIENET_OPS_CONV_BITS_BORDER_H_

#include <stdint.h>

namespace aoie {

// full, first (tap 0 outside), last (tap 2 outside), only; an axis of one tap is always full
inline int64_t border_state(int64_t at, int64_t taps, int64_t size) {
  return taps == 1 ? 0 : (at < 0 ? 1 : 0) + (at + taps > size ? 2 : 0);
}

}  // namespace aoie
#endif  // AOIENET_OPS_CONV_BITS_BORDER_H_
