// Complex numbers of the any-precision route, and the gamma function of a complex argument.
#pragma once

#include "fracmoment/digits/gamma.hpp"
#include "fracmoment/digits/number.hpp"

namespace fracmoment::digits {

// A complex number with rational parts: an order, or half of one.
struct ComplexRational {
  Rational re, im;
};

class Complex {
 public:
  Complex(Real re_, Real im_) : re(std::move(re_)), im(std::move(im_)) {}
  Complex(Bits bits, const ComplexRational& z) : re(bits, z.re), im(bits, z.im) {}
  explicit Complex(Real x) : re(std::move(x)), im(re.bits()) {}

  double log2_abs() const {
    const double larger = std::max(re.log2_abs(), im.log2_abs());
    if (!(larger > -HUGE_VAL)) return larger;
    const double ratio = std::exp2(std::min(re.log2_abs(), im.log2_abs()) - larger);
    return larger + 0.5 * std::log2(1.0 + ratio * ratio);
  }
  bool is_finite() const { return re.is_finite() && im.is_finite(); }

  friend Complex operator+(const Complex& a, const Complex& b) {
    return {a.re + b.re, a.im + b.im};
  }
  friend Complex operator-(const Complex& a, const Complex& b) {
    return {a.re - b.re, a.im - b.im};
  }
  friend Complex operator*(const Complex& a, const Complex& b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  friend Complex operator*(const Complex& a, const Real& b) { return {a.re * b, a.im * b}; }
  friend Complex operator/(const Complex& a, const Real& b) { return {a.re / b, a.im / b}; }
  friend Complex operator/(const Complex& a, const Complex& b) {
    return a * Complex(b.re, -b.im) / (b.re * b.re + b.im * b.im);
  }

  Real re, im;
};

// e^(i x)
inline Complex unit_circle(const Real& x) {
  Complex out{Real(x.bits()), Real(x.bits())};
  mpfr_sin_cos(out.im.get(), out.re.get(), x.get(), kNearest);
  return out;
}
inline Complex exp(const Complex& z) { return unit_circle(z.im) * exp(z.re); }
inline Complex log(const Complex& z) {
  return {log(z.re * z.re + z.im * z.im) / 2, binary(z.im, z.re, mpfr_atan2)};
}
// The principal root.
inline Complex sqrt(const Complex& z) {
  if (z.re.is_zero() && z.im.is_zero()) return z;
  const Real size = binary(z.re, z.im, mpfr_hypot);
  const Real larger = sqrt((z.re.sign() < 0 ? size - z.re : size + z.re) / 2);
  const Real smaller = z.im / larger / 2;
  if (z.re.sign() >= 0) return {larger, smaller};
  return z.im.sign() < 0 ? Complex(-smaller, -larger) : Complex(smaller, larger);
}
// z^n by repeated squaring
inline Complex pow(Complex z, unsigned long n) {
  Complex out{Real(z.re.bits(), 1), Real(z.re.bits())};
  for (; n > 0; n >>= 1U) {
    if (n & 1U) out = out * z;
    if (n > 1) z = z * z;
  }
  return out;
}
// x^z, x > 0
inline Complex pow(const Real& x, const Complex& z) { return exp(z * log(x)); }

// Gamma(z), Re z > 0, relative error a few 2^-bits, by the recurrence and Stirling's series
//     log Gamma(z) = (z-1/2) log z - z + log(2 pi)/2 + sum_k B_2k/(2k (2k-1) z^(2k-1)).
// The error after the term k is below 2^k times the next one for Re z >= 0 [DLMF 5.11(ii)]; that is
// least, about e^(-4.4 |z|), far beyond the terms that are needed for |z| >= bits/5.
inline Complex gamma(Bits bits, const ComplexRational& argument) {
  if (argument.im.sign() == 0) return Complex(gamma(bits, argument.re));
  const double least = 0.2 * static_cast<double>(bits) + 16.0;
  const double size =
      std::fabs(argument.re.to_double()) + std::fabs(argument.im.to_double()) + least;
  const Bits work = bits + 32 + magnitude_bits(size * std::log(size)) + magnitude_bits(least);
  Complex z(work, argument);
  Complex product{Real(work, 1), Real(work)};
  for (; z.log2_abs() < std::log2(least); z.re += Real(work, 1)) product = product * z;
  const Complex inverse = Complex(Real(work, 1)) / z;
  const Complex inverse_square = inverse * inverse;
  Complex sum = (z - Complex(Real(work, 1) / 2)) * log(z) - z;
  Complex power = inverse;
  for (unsigned long k = 1;; ++k) {
    const Complex term =
        power * (bernoulli_number(work, k) / static_cast<long>(2 * k * (2 * k - 1)));
    sum = sum + term;
    if (term.log2_abs() + static_cast<double>(k) < -static_cast<double>(work)) break;
    power = power * inverse_square;
  }
  Real two_pi(work);
  mpfr_const_pi(two_pi.get(), kNearest);
  two_pi *= 2;
  return exp(sum) * sqrt(two_pi) / product;
}

// E X^p for X chi-square with d degrees of freedom, Re p > -d/2.
inline Complex chi_square_moment(Bits bits, unsigned long d, const ComplexRational& p) {
  if (p.im.sign() == 0) return Complex(chi_square_moment(bits, d, p.re));
  const Rational half(static_cast<long>(d), 2);
  const Bits work =
      bits + 8 + magnitude_bits_log2(p.re.log2_abs()) + magnitude_bits_log2(p.im.log2_abs());
  return pow(Real(work, 2), Complex(work, p)) * gamma(bits, {half + p.re, p.im}) /
         gamma(bits, half);
}

}  // namespace fracmoment::digits
