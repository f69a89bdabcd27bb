// What an op reads of its inputs for a row or a column of its output.
#ifndef AOIENET_REACH_H_
#define AOIENET_REACH_H_

#include "model.h"

namespace aoie {

// Output place r reads the input places r * step - pad ... r * step - pad + extent - 1; extent 0: all.
struct Reach {
  int64_t extent, step, pad;
};

inline Reach reach_of_rows(const Node& node) {
  switch (node.op) {
    case Op::conv_int:
    case Op::conv_bits:
    case Op::maxpool:
      return {node.k, node.s, node.p};
    case Op::pool:
      return {node.k, node.s, 0};  // k = 0: the whole map
    case Op::peak:
      return {node.k, node.s, 0};
    case Op::avgpool2:
    case Op::subsample2:
      return {2, 2, 0};
    case Op::conv_f32:
      return {node.k == 1 && node.s == 1 ? 1 : 0, 1, 0};
    case Op::standardize:
    case Op::rank1:  // not made for single rows: run.cc
      return {0, 1, 0};
    default:
      return {1, 1, 0};
  }
}

inline Reach reach_of_columns(const Node& node) {
  const bool oblong = node.op == Op::conv_int || node.op == Op::conv_bits || node.op == Op::maxpool;
  return oblong ? Reach{node.kw, node.s, node.pw} : reach_of_rows(node);
}

}  // namespace aoie
#endif  // AOIENET_REACH_H_
