// An arena on the heap for tests that pack single nodes.
#ifndef AOIENET_TESTS_HEAP_ARENA_H_
#define AOIENET_TESTS_HEAP_ARENA_H_

#include <cstdlib>
#include <vector>

#include "arena.h"

namespace aoie_test {

class HeapArena : public aoie::Arena {
 public:
  HeapArena() : aoie::Arena(&more, &blocks_) {}
  HeapArena(const HeapArena&) = delete;
  HeapArena& operator=(const HeapArena&) = delete;
  ~HeapArena() {
    for (void* block : blocks_) std::free(block);
  }

 private:
  static void* more(void* context, size_t bytes) {
    void* block = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    static_cast<std::vector<void*>*>(context)->push_back(block);
    return block;
  }
  std::vector<void*> blocks_;
};

}  // namespace aoie_test
#endif  // AOIENET_TESTS_HEAP_ARENA_H_
