#include "text.h"

namespace aoie {

Line& Line::operator<<(std::string_view text) {
  for (const char c : text)
    if (length_ < sizeof text_) text_[length_++] = c;
  return *this;
}

Line& Line::operator<<(unsigned long long value) {
  char digits[20];
  size_t count = 0;
  do digits[count++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  while (count > 0) *this << std::string_view(&digits[--count], 1);
  return *this;
}

Line& Line::operator<<(long long value) {
  if (value >= 0) return *this << static_cast<unsigned long long>(value);
  return *this << "-" << (0ull - static_cast<unsigned long long>(value));
}

Line quoted(std::string_view text) {
  Line line;
  line << "'";
  for (size_t i = 0; i < text.size() && i < 60; ++i) {
    const char c = text[i] >= 0x20 && text[i] < 0x7F ? text[i] : '?';
    line << std::string_view(&c, 1);
  }
  return line << "'";
}

void Message::print(const Line& line) const {
  if (text == nullptr || bytes == 0) return;
  size_t count = 0;
  for (const char c : line.view())
    if (count + 1 < bytes) text[count++] = c;
  text[count] = 0;
}

bool Refusal::fail_as(int status, const Line& sentence) {
  status_ = status;
  message_.print(sentence);
  return false;
}

bool Refusal::fail(int status, const Line& rule, const Line& received) {
  return fail_as(status, Line() << rule << "; received " << received << ".");
}

bool Refusal::no_memory(size_t in_use) {
  return fail_as(AOIE_NO_MEMORY,
                 Line() << "the model fits into the memory that it is given; received too little: " << in_use
                        << " bytes are in use and more are needed. aoie_model_bytes of the opened model "
                           "says how many.");
}

}  // namespace aoie
