#include "text.h"

namespace aoie {

void Writer::end() {
  if (bytes_ > 0) text_[used_] = 0;
}

void Writer::put(std::string_view piece) {
  for (const char c : piece)
    if (used_ + 1 < bytes_) text_[used_++] = c;
  end();
}

void Writer::put(unsigned long long value) {
  char digits[20];
  size_t first = sizeof digits;
  do digits[--first] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  put(std::string_view(digits + first, sizeof digits - first));
}

void Writer::put(long long value) {
  if (value < 0) put(std::string_view("-"));
  put(value < 0 ? 0ull - static_cast<unsigned long long>(value) : static_cast<unsigned long long>(value));
}

void write(Writer* to, const Quoted& quoted) {
  to->put(std::string_view("'"));
  for (size_t i = 0; i < quoted.text.size() && i < 60; ++i) {
    const char c = quoted.text[i] >= 0x20 && quoted.text[i] < 0x7F ? quoted.text[i] : '?';
    to->put(std::string_view(&c, 1));
  }
  to->put(std::string_view("'"));
}

bool Refusal::no_memory(size_t in_use) {
  message_.print("the model fits into the memory that it is given", kReceived, "too little: ", in_use,
                 " bytes are in use and more are needed. aoie_model_bytes of the opened model says how many.");
  return fail(AOIE_NO_MEMORY);
}

}  // namespace aoie
