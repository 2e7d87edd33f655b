// Sums of doubles without rounding: the order of the terms, and how they were grouped, does not
// matter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fracmoment/simd.hpp"

namespace fracmoment {

// A fixed-point number of 2176 bits in 68 digits of base 2^32, the unit 2^-1074. A digit is kept
// in 64 bits and takes 2^31 terms before it can overflow.
class ExactSum {
 public:
  static constexpr int kDigits = 68;

  void add(double x) {  // finite
    const std::uint64_t b = std::uint64_t(bits(x));
    const int field = int((b >> 52) & 2047), exponent = field > 0 ? field - 1 : 0;
    const std::uint64_t hidden = field > 0 ? std::uint64_t(1) << 52 : 0;
    const std::uint64_t mantissa = (b & ((std::uint64_t(1) << 52) - 1)) | hidden;
    const int shift = exponent & 31;
    const std::uint64_t low = mantissa << shift;  // the low 64 bits of the shifted mantissa
    const std::uint64_t high = shift > 11 ? mantissa >> (64 - shift) : 0;
    std::int64_t* digit = digit_ + (exponent >> 5);
    const std::int64_t sign = (b >> 63) != 0 ? -1 : 1;
    digit[0] += sign * std::int64_t(low & 0xffffffff);
    digit[1] += sign * std::int64_t(low >> 32);
    digit[2] += sign * std::int64_t(high);
  }
  const std::int64_t* digits() const { return digit_; }

 private:
  std::int64_t digit_[kDigits] = {};
};

}  // namespace fracmoment
