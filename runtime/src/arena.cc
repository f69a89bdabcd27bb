#include "arena.h"

namespace aoie {
namespace {

constexpr size_t kBlock = 64 * 1024;  // of a grower: few calls for small models

size_t rounded(size_t bytes, size_t align) { return (bytes + align - 1) / align * align; }

// Large arrays begin a cache line; small ones are packed closer, which small boards need.
size_t align_of(size_t bytes) { return bytes < Arena::kSmall ? Arena::kSmallAlign : Arena::kAlign; }

}  // namespace

void Arena::use(void* memory, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(memory);
  const size_t skipped = rounded(at, kAlign) - at;
  low_ = static_cast<unsigned char*>(memory) + (skipped < bytes ? skipped : bytes);
  high_ = low_ + (skipped < bytes ? (bytes - skipped) / kSmallAlign * kSmallAlign : 0);
}

// A new block leaves the rest of the old one unused.
bool Arena::room(size_t bytes) {
  if (static_cast<size_t>(high_ - low_) >= bytes + kAlign) return true;
  if (grow_ == nullptr) return static_cast<size_t>(high_ - low_) >= bytes;
  const size_t want = bytes + 2 * kAlign, block = want > kBlock ? want : kBlock;
  void* memory = grow_(context_, block);
  if (memory == nullptr) return false;
  use(memory, block);
  return true;
}

void Arena::count() {
  if (taken_ + borrowed_ > peak_) peak_ = taken_ + borrowed_;
}

void* Arena::take_bytes(size_t bytes) {
  if (!room(bytes)) return nullptr;
  const auto at = reinterpret_cast<uintptr_t>(low_);
  const size_t skipped = rounded(at, align_of(bytes)) - at, size = rounded(bytes, kSmallAlign);
  if (skipped + size > static_cast<size_t>(high_ - low_)) return nullptr;
  void* out = low_ + skipped;
  low_ += skipped + size;
  taken_ = rounded(taken_, align_of(bytes)) + size;  // as in one piece of memory, whatever the blocks were
  count();
  return out;
}

void* Arena::borrow_bytes(size_t bytes) {
  const size_t size = rounded(bytes, kSmallAlign);
  if (!room(size)) return nullptr;
  high_ -= size;
  borrowed_ += size;
  count();
  return high_;
}

void Arena::give_back(size_t to) {
  if (grow_ == nullptr) high_ += borrowed_ - to;  // of a grower: the blocks may have changed
  borrowed_ = to;
}

}  // namespace aoie
