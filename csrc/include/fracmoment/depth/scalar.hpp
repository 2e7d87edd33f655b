// Elementary functions as the laws at finite depth use them: doubles, the same bits everywhere, and
// ends of the range that do not trap.
#pragma once

#include <cmath>
#include <complex>
#include <limits>

#include "fracmoment/special/complex.hpp"

namespace fracmoment {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

inline double exp_of(double x) { return x > -760.0 ? exp_rounded(Real(x)) : 0.0; }
inline double log_of(double x) { return x > 1e-307 ? log(Real(x)).hi : -kInfinity; }

using Point = std::complex<double>;

// Without the search for infinities of the standard operator.
inline Point times(const Point& a, const Point& b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}
inline Point exp_of(const Point& z) {
  const double size = exp_of(z.real());
  const Complex<double> turn = unit_circle(Real(z.imag()));
  return {size * turn.re.hi, size * turn.im.hi};
}
// Principal square root, of numbers whose squares neither overflow nor vanish.
inline Point root_of(const Point& z) {
  const double size = std::sqrt(z.real() * z.real() + z.imag() * z.imag());
  const double large = std::sqrt(0.5 * (size + std::abs(z.real())));
  const double small = large > 0.0 ? 0.5 * std::abs(z.imag()) / large : 0.0;
  const bool left = z.real() < 0.0;
  const double im = left ? large : small;
  return {left ? small : large, z.imag() < 0.0 ? -im : im};
}
inline Point power_of(Point base, std::int64_t n) {
  Point result = 1.0;
  for (; n > 0; n >>= 1, base = times(base, base))
    if ((n & 1) != 0) result = times(result, base);
  return result;
}

}  // namespace fracmoment
