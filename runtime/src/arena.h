// The memory of one model: what stays is taken from the low end, what aoie_open needs only while it reads from the
// high end. The caller hands the memory (aoie_open_in), or a grower that asks the heap for blocks (heap.cc); the core
// itself knows no heap.
#ifndef AOIENET_ARENA_H_
#define AOIENET_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace aoie {

// A run of values in the arena or in the file.
template <typename T>
class Span {
 public:
  Span() = default;
  Span(T* at, size_t count) : at_(at), count_(count) {}
  T* data() const { return at_; }
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  T& operator[](size_t i) const { return at_[i]; }
  T* begin() const { return at_; }
  T* end() const { return at_ + count_; }
  T& back() const { return at_[count_ - 1]; }

 private:
  T* at_ = nullptr;
  size_t count_ = 0;
};

class Arena {
 public:
  static constexpr size_t kAlign = 64, kSmallAlign = 8, kSmall = 256;
  // A new block of at least bytes, aligned to kAlign, or NULL.
  using Grow = void* (*)(void* context, size_t bytes);

  Arena(void* memory, size_t bytes) { use(memory, bytes); }
  Arena(Grow grow, void* context) : grow_(grow), context_(context) {}

  // count values of 0; stays false when there is no memory left. T has no constructor that does work.
  template <typename T>
  bool take(size_t count, Span<T>* out) {
    return zeros(count > most<T>() ? nullptr : take_bytes(count * sizeof(T)), count, out);
  }
  // The same until give_back.
  template <typename T>
  bool borrow(size_t count, Span<T>* out) {
    return zeros(count > most<T>() ? nullptr : borrow_bytes(count * sizeof(T)), count, out);
  }
  size_t borrowed() const { return borrowed_; }
  void give_back(size_t to);  // what was borrowed after borrowed() was `to`

  // The most bytes that were in use at one time: as many are enough for the next time.
  size_t peak_bytes() const { return peak_; }
  size_t taken_bytes() const { return taken_; }

 private:
  void use(void* memory, size_t bytes);
  void* take_bytes(size_t bytes);
  void* borrow_bytes(size_t bytes);
  bool room(size_t bytes);
  void count();

  template <typename T>
  static constexpr size_t most() {
    return SIZE_MAX / 2 / sizeof(T);
  }

  template <typename T>
  static bool zeros(void* memory, size_t count, Span<T>* out) {
    static_assert(std::is_trivially_destructible<T>::value, "nobody destroys what stands in an arena");
    auto* at = static_cast<T*>(memory);
    if (at == nullptr) return false;
    for (size_t i = 0; i < count; ++i) ::new (static_cast<void*>(at + i)) T();
    *out = Span<T>(at, count);
    return true;
  }

  Grow grow_ = nullptr;
  void* context_ = nullptr;
  unsigned char *low_ = nullptr, *high_ = nullptr;
  size_t taken_ = 0, borrowed_ = 0, peak_ = 0;
};

}  // namespace aoie
#endif  // AOIENET_ARENA_H_
