// Messages without the heap, without printf and with little stack: their pieces are written where the caller wants to
// read them. A piece is a text, an integer, or anything with `void write(Writer*, const T&)` beside its type.
#ifndef AOIENET_TEXT_H_
#define AOIENET_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "aoienet/aoienet.h"

namespace aoie {

// Writes into text until it is full; the last byte is always 0. text may be NULL.
class Writer {
 public:
  Writer(char* text, size_t bytes) : text_(text), bytes_(text == nullptr ? 0 : bytes) { end(); }
  void put(std::string_view piece);
  void put(unsigned long long value);
  void put(long long value);

 private:
  void end();
  char* text_;
  size_t bytes_, used_ = 0;
};

struct Quoted {  // in quotes, at most 60 characters, what is not plain ASCII as '?'
  std::string_view text;
};

inline void write(Writer* to, std::string_view text) { to->put(text); }
inline void write(Writer* to, const char* text) { to->put(std::string_view(text)); }
inline void write(Writer* to, long long value) { to->put(value); }
inline void write(Writer* to, unsigned long long value) { to->put(value); }
inline void write(Writer* to, long value) { to->put(static_cast<long long>(value)); }
inline void write(Writer* to, unsigned long value) { to->put(static_cast<unsigned long long>(value)); }
inline void write(Writer* to, int value) { to->put(static_cast<long long>(value)); }
inline void write(Writer* to, unsigned int value) { to->put(static_cast<unsigned long long>(value)); }
void write(Writer* to, const Quoted& quoted);

// Where the caller wants to read why.
struct Message {
  char* text;
  size_t bytes;
  const char* before = "";

  template <typename... T>
  void print(const T&... pieces) const {
    Writer to(text, bytes);
    to.put(std::string_view(before));
    (write(&to, pieces), ...);
  }
};

constexpr char kReceived[] = "; received ";

// The first thing that went wrong in aoie_open. Its functions return false, so that `return no.refuse(...)` ends a
// check.
class Refusal {
 public:
  explicit Refusal(const Message& message) : message_(message) {}

  // Pieces of the rule, kReceived, pieces of what was received; the full stop is added.
  template <typename... T>
  bool refuse(const T&... pieces) {
    message_.print(pieces..., ".");
    return fail(AOIE_BAD_FILE);
  }
  bool no_memory(size_t in_use);
  bool fail(int status) {
    status_ = status;
    return false;
  }
  int status() const { return status_; }
  const Message& message() const { return message_; }

 private:
  Message message_;
  int status_ = AOIE_OK;
};

}  // namespace aoie
#endif  // AOIENET_TEXT_H_
