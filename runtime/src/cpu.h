// Instruction sets: which are known, which this machine has, which one to take.
#ifndef AOIENET_CPU_H_
#define AOIENET_CPU_H_

#include <string>

namespace aoie {

enum Isa : int { kReference = 0, kAvx2 = 1, kAvx512 = 2, kIsaCount = 3 };

const char* isa_name(int isa);
bool isa_usable(int isa);
// name: NULL = environment AOIENET_ISA, else the best. Returns -1 and fills *why when it cannot be taken.
int choose_isa(const char* name, std::string* why);

}  // namespace aoie
#endif  // AOIENET_CPU_H_
