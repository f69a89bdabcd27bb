// Messages without the heap and without printf: rule, received value.
#ifndef AOIENET_TEXT_H_
#define AOIENET_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "aoienet/aoienet.h"

namespace aoie {

// A line of bounded length; what is longer is cut.
class Line {
 public:
  Line& operator<<(std::string_view text);
  Line& operator<<(const char* text) { return *this << std::string_view(text); }
  Line& operator<<(const Line& line) { return *this << line.view(); }
  Line& operator<<(long long value);
  Line& operator<<(unsigned long long value);
  Line& operator<<(long value) { return *this << static_cast<long long>(value); }
  Line& operator<<(unsigned long value) { return *this << static_cast<unsigned long long>(value); }
  Line& operator<<(unsigned int value) { return *this << static_cast<unsigned long long>(value); }
  Line& operator<<(int value) { return *this << static_cast<long long>(value); }
  std::string_view view() const { return {text_, length_}; }

 private:
  char text_[320];
  size_t length_ = 0;
};

// The words of a file in quotes, at most 60 of them, what is not plain ASCII as '?'.
Line quoted(std::string_view text);

// Where the caller wants to read why; text may be NULL.
struct Message {
  char* text;
  size_t bytes;
  void print(const Line& line) const;
};

// The first thing that went wrong in aoie_open. Its functions return false, so that `return no.refuse(...)` ends a
// check.
class Refusal {
 public:
  explicit Refusal(const Message& message) : message_(message) {}
  bool refuse(const Line& rule, const Line& received) { return fail(AOIE_BAD_FILE, rule, received); }
  bool refuse(const Line& rule, const char* received) { return refuse(rule, Line() << received); }
  bool no_memory(size_t in_use);
  bool fail_as(int status, const Line& sentence);
  bool fail(int status, const Line& rule, const Line& received);
  int status() const { return status_; }

 private:
  Message message_;
  int status_ = AOIE_OK;
};

}  // namespace aoie
#endif  // AOIENET_TEXT_H_
