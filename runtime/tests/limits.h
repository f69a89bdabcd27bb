// What bench_limits.cc measures against. Each loop does `repeats` rounds in inline assembly, so that no compiler
// decides where the sums stand, and returns the binary multiply-adds that it did.
#ifndef AOIENET_TESTS_LIMITS_H_
#define AOIENET_TESTS_LIMITS_H_

#include <cstdint>

namespace aoie_limits {

double popcount_avx512(int64_t repeats);  // XOR with a broadcast word, VPOPCNTD, add: 512 in three operations
double shuffle_avx2(int64_t repeats);     // XOR, two halves of a byte looked up by VPSHUFB, added: 256 in eight

}  // namespace aoie_limits
#endif  // AOIENET_TESTS_LIMITS_H_
