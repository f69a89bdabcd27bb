// The only part that asks for memory: models on the heap, and files.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "model.h"

namespace aoie {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 30, kFirstBytes = 32;  // docs/format.md

struct Block {  // a chain; what it gives begins at the next multiple of Arena::kAlign
  Block* next;
};

// The heap behind an arena. context: void*, the head of the chain.
void* more(void* context, size_t bytes) {
  if (bytes > SIZE_MAX - sizeof(Block) - Arena::kAlign) return nullptr;
  auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + Arena::kAlign + bytes));
  if (block == nullptr) return nullptr;
  auto** head = static_cast<void**>(context);
  block->next = static_cast<Block*>(*head);
  *head = block;
  const auto at = reinterpret_cast<uintptr_t>(block + 1);
  return reinterpret_cast<unsigned char*>(block + 1) + (Arena::kAlign - at % Arena::kAlign) % Arena::kAlign;
}

void free_all(void* head) {
  for (auto* block = static_cast<Block*>(head); block != nullptr;) {
    Block* next = block->next;
    std::free(block);
    block = next;
  }
}

int no_room(const Message& say, size_t bytes) {
  say.print("the model fits into memory", kReceived, "a file of ", bytes, " bytes.");
  return AOIE_NO_MEMORY;
}

// Every block of the chain belongs to the model, or is freed.
int open_on(void* blocks, const void* file, size_t bytes, const char* isa, const Message& say, aoie_model** out) {
  Arena arena(&more, &blocks);
  const int status = open_in_arena(file, bytes, isa, &arena, say, out);
  if (status == AOIE_OK)
    (*out)->blocks = blocks;
  else
    free_all(blocks);
  return status == AOIE_NO_MEMORY ? no_room(say, bytes) : status;
}

int open_copy(const void* data, size_t bytes, const char* isa, const Message& say, aoie_model** out) {
  void* blocks = nullptr;
  if (bytes > kMaxFileBytes) bytes = kMaxFileBytes + 1;  // refused by its size, not copied
  void* file = bytes > kMaxFileBytes ? const_cast<void*>(data) : more(&blocks, bytes);
  if (file == nullptr) return no_room(say, bytes);
  if (bytes <= kMaxFileBytes) std::memcpy(file, data, bytes);
  return open_on(blocks, file, bytes, isa, say, out);
}

// The bytes of a file in a block of *blocks. Of a file beyond the limit (to some systems a folder is one) the first are
// enough to be refused.
int read_file(const char* path, void** blocks, unsigned char** data, size_t* bytes) {
  FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return AOIE_IO;
  int status = AOIE_IO;
  const long end = std::fseek(file, 0, SEEK_END) == 0 ? std::ftell(file) : -1;
  if (end >= 0) {
    const bool fits = static_cast<unsigned long>(end) <= kMaxFileBytes;
    const size_t want = fits ? static_cast<size_t>(end) : kFirstBytes;
    std::rewind(file);
    *data = static_cast<unsigned char*>(more(blocks, want));
    if (*data != nullptr) {
      const size_t got = std::fread(*data, 1, want, file);
      *bytes = fits ? got : kMaxFileBytes + 1;
      status = std::ferror(file) != 0 || (!fits && got < want) ? AOIE_IO : AOIE_OK;
    } else {
      status = AOIE_NO_MEMORY;
    }
  }
  std::fclose(file);
  return status;
}

}  // namespace
}  // namespace aoie

extern "C" {

int aoie_open_isa(const void* data, size_t bytes, const char* isa, aoie_model** out, char* message,
                  size_t message_bytes) {
  const aoie::Message say{message, message_bytes};
  if (out != nullptr) *out = nullptr;
  if (data == nullptr || out == nullptr) {
    say.print("data and out are not NULL; received NULL.");
    return AOIE_BAD_ARGUMENT;
  }
  return aoie::open_copy(data, bytes, isa, say, out);
}

int aoie_open(const void* data, size_t bytes, aoie_model** out, char* message, size_t message_bytes) {
  return aoie_open_isa(data, bytes, nullptr, out, message, message_bytes);
}

int aoie_open_file(const char* path, aoie_model** out, char* message, size_t message_bytes) {
  const aoie::Message say{message, message_bytes};
  if (out != nullptr) *out = nullptr;
  if (path == nullptr || out == nullptr) {
    say.print("path and out are not NULL; received NULL.");
    return AOIE_BAD_ARGUMENT;
  }
  void* blocks = nullptr;
  unsigned char* data = nullptr;
  size_t bytes = 0;
  const int status = aoie::read_file(path, &blocks, &data, &bytes);
  if (status == AOIE_OK) return aoie::open_on(blocks, data, bytes, nullptr, say, out);
  aoie::free_all(blocks);
  const bool io = status == AOIE_IO;
  say.print(io ? "the model file can be read" : "the model file fits into memory", aoie::kReceived, aoie::Quoted{path},
            io ? ". Check the path and who may read it." : ".");
  return status;
}

void aoie_close(aoie_model* model) {
  if (model == nullptr) return;
  void* blocks = model->blocks;  // the model stands in them itself
  model->blocks = nullptr;
  aoie::free_all(blocks);
}
}
