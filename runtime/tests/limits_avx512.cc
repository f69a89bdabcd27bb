#include <immintrin.h>

#include "limits.h"

namespace aoie_limits {

#define AOIE_STEP(t, s)                        \
  "vpxord %[bits]%{1to16%}, %%zmm30, %%zmm" #t \
  "\n\t"                                       \
  "vpopcntd %%zmm" #t ", %%zmm" #t             \
  "\n\t"                                       \
  "vpaddd %%zmm" #t ", %%zmm" #s ", %%zmm" #s "\n\t"

double popcount_avx512(int64_t repeats) {
  const uint32_t bits = 0x5A5A1234;
  int64_t left = repeats;
  asm volatile(
      "1:\n\t" AOIE_STEP(12, 0) AOIE_STEP(13, 1) AOIE_STEP(14, 2) AOIE_STEP(15, 3) AOIE_STEP(16, 4) AOIE_STEP(17, 5)
          AOIE_STEP(18, 6) AOIE_STEP(19, 7) AOIE_STEP(20, 8) AOIE_STEP(21, 9) AOIE_STEP(22, 10) AOIE_STEP(23, 11)
      "dec %[left]\n\t"
      "jnz 1b\n\t"
      : [left] "+r"(left)
      : [bits] "m"(bits)
      : "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12",
        "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm30",
        "cc");
  return static_cast<double>(repeats) * 12 * 512;
}

}  // namespace aoie_limits
