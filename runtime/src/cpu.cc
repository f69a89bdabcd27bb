#include "cpu.h"

#include <cstdlib>
#include <cstring>

#include "aoienet/aoienet.h"

namespace aoie {
namespace {

struct Feature {
  const char* name;
  bool (*present)();
};

#if defined(AOIE_X86)
const Feature kFeatures[] = {
    {"popcnt", [] { return __builtin_cpu_supports("popcnt") != 0; }},
    {"avx2", [] { return __builtin_cpu_supports("avx2") != 0; }},
    {"avx512f", [] { return __builtin_cpu_supports("avx512f") != 0; }},
    {"avx512bw", [] { return __builtin_cpu_supports("avx512bw") != 0; }},
    {"avx512dq", [] { return __builtin_cpu_supports("avx512dq") != 0; }},
    {"avx512vl", [] { return __builtin_cpu_supports("avx512vl") != 0; }},
    {"avx512vnni", [] { return __builtin_cpu_supports("avx512vnni") != 0; }},
    {"avx512vpopcntdq", [] { return __builtin_cpu_supports("avx512vpopcntdq") != 0; }},
};
constexpr int kFeatureCount = sizeof(kFeatures) / sizeof(kFeatures[0]);
#elif defined(AOIE_NEON)
const Feature kFeatures[] = {{"neon", [] { return true; }}};  // every 64-bit ARM has it
constexpr int kFeatureCount = 1;
#else
const Feature* const kFeatures = nullptr;
constexpr int kFeatureCount = 0;
#endif

#if defined(AOIE_X86)
bool has_features(int end) {
  for (int i = 0; i < end; ++i)
    if (!kFeatures[i].present()) return false;
  return true;
}
#endif

struct Isas {
  bool usable;  // only those
};

void write(Writer* to, Isas isas) {
  for (int isa = 0; isa < kIsaCount; ++isa) {
    if (isas.usable && !isa_usable(isa)) continue;
    write(to, isa == 0 ? "" : ", ");
    write(to, isa_name(isa));
  }
}

}  // namespace

const char* isa_name(int isa) {
  static const char* const names[kIsaCount] = {"reference", "neon", "avx2", "avx512"};
  return isa >= 0 && isa < kIsaCount ? names[isa] : nullptr;
}

bool isa_usable(int isa) {
  switch (isa) {
    case kReference:
      return true;
#if defined(AOIE_X86)
    case kAvx2:
      return has_features(2);
    case kAvx512:
      return has_features(kFeatureCount);
#elif defined(AOIE_NEON)
    case kNeon:
      return true;
#endif
    default:
      return false;
  }
}

int choose_isa(const char* name, const Message& why) {
  const char* const from = name != nullptr ? "isa" : "AOIENET_ISA";
  if (name == nullptr) name = std::getenv("AOIENET_ISA");
  const bool free = name == nullptr || *name == 0;
  for (int isa = kIsaCount - 1; isa >= 0; --isa)
    if (isa_usable(isa) && (free || std::strcmp(name, isa_name(isa)) == 0)) return isa;
  why.print(from, " is one of ", Isas{false}, " and this machine has it (here: ", Isas{true}, ")", kReceived,
            Quoted{name}, ".");
  return -1;
}

}  // namespace aoie

extern "C" {

const char* aoie_isa_at(int index) { return aoie::isa_name(index); }

int aoie_isa_usable(const char* name) {
  for (int isa = 0; name != nullptr && isa < aoie::kIsaCount; ++isa)
    if (std::strcmp(name, aoie::isa_name(isa)) == 0) return aoie::isa_usable(isa) ? 1 : 0;
  return 0;
}

const char* aoie_isa_active(void) { return aoie::isa_name(aoie::choose_isa(nullptr, {nullptr, 0})); }

const char* aoie_cpu_feature(int index, int* present) {
  if (index < 0 || index >= aoie::kFeatureCount) return nullptr;
  if (present != nullptr) *present = aoie::kFeatures[index].present() ? 1 : 0;
  return aoie::kFeatures[index].name;
}
}
