#include <immintrin.h>

#include "limits.h"

namespace aoie_limits {

// ymm14: the table, ymm15: 15 in every byte, ymm13: weights
#define AOIE_STEP(t, u, s)                    \
  "vpxor %[bits], %%ymm13, %%ymm" #t          \
  "\n\t"                                      \
  "vpsrlw $4, %%ymm" #t ", %%ymm" #u          \
  "\n\t"                                      \
  "vpand %%ymm15, %%ymm" #t ", %%ymm" #t      \
  "\n\t"                                      \
  "vpand %%ymm15, %%ymm" #u ", %%ymm" #u      \
  "\n\t"                                      \
  "vpshufb %%ymm" #t ", %%ymm14, %%ymm" #t    \
  "\n\t"                                      \
  "vpshufb %%ymm" #u ", %%ymm14, %%ymm" #u    \
  "\n\t"                                      \
  "vpaddb %%ymm" #t ", %%ymm" #s ", %%ymm" #s \
  "\n\t"                                      \
  "vpaddb %%ymm" #u ", %%ymm" #s ", %%ymm" #s "\n\t"

double shuffle_avx2(int64_t repeats) {
  alignas(32) const uint32_t bits[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  int64_t left = repeats;
  asm volatile(
      "1:\n\t" AOIE_STEP(4, 5, 0) AOIE_STEP(6, 7, 1) AOIE_STEP(8, 9, 2) AOIE_STEP(10, 11, 3)
      "dec %[left]\n\t"
      "jnz 1b\n\t"
      : [left] "+r"(left)
      : [bits] "m"(bits)
      : "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9", "ymm10", "ymm11", "ymm13",
        "ymm14", "ymm15", "cc");
  return static_cast<double>(repeats) * 4 * 256;
}

}  // namespace aoie_limits
