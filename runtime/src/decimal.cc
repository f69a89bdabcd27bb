// Text to float64, rounded to nearest, ties to even, for texts of any length: the digits are halved and doubled until
// 53 bits stand before the point. The C library does the same, but on small boards not without a heap.
#include <cmath>
#include <limits>

#include "json.h"

namespace aoie {
namespace {

constexpr int kMaxDigits = 800;  // a float64 and the middle of two of them have at most 767 digits
constexpr int kMaxShift = 59;    // 10 * 2^59 + 2^59 is below 2^63
constexpr int kFar = 400;        // beyond 10^+-400 the value is infinity or 0 whatever the digits are

struct Decimal {  // 0.d0 d1 d2 ... * 10^point
  uint8_t digits[kMaxDigits];
  int count = 0;
  int point = 0;
  bool more = false;  // a digit that is not 0 was cut off

  void push(int digit) {
    if (count < kMaxDigits)
      digits[count++] = static_cast<uint8_t>(digit);
    else
      more = more || digit != 0;
  }

  void trim() {
    while (count > 0 && digits[count - 1] == 0) --count;
  }

  void divide(int shift) {  // by 2^shift
    const Decimal from = *this;
    count = 0;
    uint64_t rest = 0;
    int at = 0;
    for (; rest >> shift == 0 && (at < from.count || rest != 0); ++at)
      rest = rest * 10 + (at < from.count ? from.digits[at] : 0u);
    point = from.point - at + 1;
    const uint64_t mask = (uint64_t{1} << shift) - 1;
    while (true) {
      push(static_cast<int>(rest >> shift));
      rest &= mask;
      if (at >= from.count && rest == 0) break;
      rest = rest * 10 + (at < from.count ? from.digits[at] : 0u);
      ++at;
    }
    trim();
  }

  void multiply(int shift) {  // by 2^shift
    uint8_t reversed[kMaxDigits + 20];
    int total = 0;
    uint64_t carry = 0;
    for (int i = count - 1; i >= 0 || carry != 0; --i) {
      if (i >= 0) carry += static_cast<uint64_t>(digits[i]) << shift;
      reversed[total++] = static_cast<uint8_t>(carry % 10);
      carry /= 10;
    }
    point += total - count;
    count = 0;
    for (int i = total - 1; i >= 0; --i) push(reversed[i]);
    trim();
  }

  bool is_half_or_more() const { return count > 0 && digits[0] >= 5; }

  uint64_t rounded() const {  // point is at most 18
    uint64_t value = 0;
    for (int i = 0; i < point; ++i) value = value * 10 + (i < count ? digits[i] : 0u);
    if (point < 0 || point >= count) return value;
    const bool tie = digits[point] == 5 && point + 1 == count && !more;
    const bool up = tie ? value % 2 != 0 : digits[point] >= 5;
    return value + (up ? 1u : 0u);
  }
};

bool read(const char* at, const char* end, Decimal* out) {  // sign is read by the caller
  bool seen_point = false;
  for (; at < end && *at != 'e' && *at != 'E'; ++at) {
    if (*at == '.') {
      seen_point = true;
      continue;
    }
    if (out->count > 0 || *at != '0') {
      out->push(*at - '0');
      if (!seen_point && out->point < INT32_MAX / 4) ++out->point;
    } else if (seen_point && out->point > INT32_MIN / 4) {
      --out->point;
    }
  }
  int exponent = 0;
  if (at < end) {
    ++at;
    const bool negative = *at == '-';
    if (*at == '-' || *at == '+') ++at;
    for (; at < end; ++at)
      if (exponent < INT32_MAX / 20) exponent = exponent * 10 + (*at - '0');
    if (negative) exponent = -exponent;
  }
  out->point += exponent;
  out->trim();
  return out->count > 0;
}

}  // namespace

bool is_finite_decimal(const char* begin, const char* end) {
  // 2^1024 - 2^970, the middle between the largest float64 and what would follow it: rounds to infinity.
  static const char edge[] =
      "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641"
      "66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669"
      "59622842914819860834936475292719074168444365510704342711559699508093042880177904174497792";
  constexpr int length = static_cast<int>(sizeof edge) - 1;
  Decimal d;
  if (!read(begin + (begin < end && *begin == '-' ? 1 : 0), end, &d) || d.point < length) return true;
  if (d.point > length) return false;
  for (int i = 0; i < length; ++i) {
    const int digit = i < d.count ? d.digits[i] : 0, limit = edge[i] - '0';
    if (digit != limit) return digit < limit;
  }
  return false;
}

double decimal_value(const char* begin, const char* end) {
  const bool negative = begin < end && *begin == '-';
  const double sign = negative ? -1.0 : 1.0;
  Decimal d;
  if (!read(begin + (negative ? 1 : 0), end, &d) || d.point < -kFar) return sign * 0.0;
  if (d.point > kFar) return sign * std::numeric_limits<double>::infinity();
  int exponent = 0;  // value = d * 2^exponent
  // 8^n is below 10^n, so a value below 10^-(n + 1) stays below 1.
  const auto shift_of = [](int digits) { return digits > 17 ? kMaxShift : digits * 3 + 1; };
  while (d.point > 0) {
    const int shift = shift_of(d.point);
    d.divide(shift);
    exponent += shift;
  }
  while (d.point < 0 || !d.is_half_or_more()) {
    const int shift = d.point < 0 ? shift_of(-d.point - 1) : 1;
    d.multiply(shift);
    exponent -= shift;
  }
  // 0.5 <= d < 1: 53 bits of it, fewer below the smallest normal number
  const int bits = exponent + 1074 < 53 ? exponent + 1074 : 53;
  if (bits < 0) return sign * 0.0;
  d.multiply(bits);
  const double value = std::ldexp(static_cast<double>(d.rounded()), exponent - bits);
  return sign * value;
}

}  // namespace aoie
