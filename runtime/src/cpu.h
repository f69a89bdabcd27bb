// Instruction sets: which are known, which this machine has, which one to take.
#ifndef AOIENET_CPU_H_
#define AOIENET_CPU_H_

#include "text.h"

namespace aoie {

// An op without a kernel for an instruction set uses the next one below it that has one and that works here.
enum Isa : int { kReference = 0, kNeon = 1, kAvx2 = 2, kAvx512 = 3, kIsaCount = 4 };

const char* isa_name(int isa);
bool isa_usable(int isa);
// name: NULL = environment AOIENET_ISA, else the best. Returns -1 and says why when it cannot be taken.
int choose_isa(const char* name, const Message& why);

}  // namespace aoie
#endif  // AOIENET_CPU_H_
