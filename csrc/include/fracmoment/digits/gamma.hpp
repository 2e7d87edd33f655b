// Gamma function and its logarithmic derivatives at exact rational arguments.
#pragma once

#include <cmath>
#include <complex>
#include <vector>

#include "fracmoment/digits/number.hpp"

namespace fracmoment::digits {

// Relative error of Gamma(x(1+e)) is about x psi(x) e: the bits that rounding the argument costs.
inline Bits gamma_argument_bits(const Rational& x) {
  const double log2_x = x.log2_abs();
  return 4 + magnitude_bits_log2(log2_x) + magnitude_bits(std::fabs(log2_x) + 1.0);
}

// x (x+1) ... (x+count-1) for x = num/den, as many factors at a time as fit in a machine word.
inline Real rising_factorial(Bits bits, unsigned long num, unsigned long den, unsigned long count) {
  Real out(bits, 1);
  Real divisor(bits, static_cast<long>(den));
  mpfr_pow_ui(divisor.get(), divisor.get(), count, kNearest);
  unsigned long product = 1;
  for (unsigned long k = 0; k < count; ++k) {
    const unsigned long factor = num + k * den;
    unsigned long longer = 0;
    if (__builtin_mul_overflow(product, factor, &longer)) {
      mpfr_mul_ui(out.get(), out.get(), product, kNearest);
      longer = factor;
    }
    product = longer;
  }
  mpfr_mul_ui(out.get(), out.get(), product, kNearest);
  return out / divisor;
}

// Gamma(x), x > 0, relative error a few 2^-bits. With many bits MPFR is quicker at arguments that
// Stirling's series likes: they come from the recurrence.
inline Real gamma(Bits bits, const Rational& x) {
  constexpr Bits many = 800;
  constexpr std::size_t short_bits = 31;
  mpz_srcptr num = mpq_numref(x.get());
  mpz_srcptr den = mpq_denref(x.get());
  const double enough = 0.6 * static_cast<double>(bits);
  if (bits < many || x.to_double() > 0.5 * enough || mpz_sizeinbase(num, 2) > short_bits ||
      mpz_sizeinbase(den, 2) > short_bits) {
    return unary(Real(bits + gamma_argument_bits(x), x), mpfr_gamma);
  }
  const auto count = static_cast<unsigned long>(enough);
  const Bits work = bits + 2 + magnitude_bits(enough);
  const Rational moved = x + Rational(static_cast<long>(count), 1);
  return unary(Real(work + gamma_argument_bits(moved), moved), mpfr_gamma) /
         rising_factorial(work, mpz_get_ui(num), mpz_get_ui(den), count);
}

// Gamma(n/2) likewise, from a factorial.
inline Real gamma_of_half(Bits bits, unsigned long n) {
  Real out(bits + 4);
  if (n % 2 == 0) {
    mpfr_fac_ui(out.get(), n / 2 - 1, kNearest);
    return out;
  }
  mpz_t product;  // (n-2)!! 2^((1-n)/2) sqrt(pi)
  mpz_init(product);
  mpz_2fac_ui(product, n > 2 ? n - 2 : 1);
  Real root_pi(bits + 4);
  mpfr_const_pi(root_pi.get(), kNearest);
  mpfr_sqrt(root_pi.get(), root_pi.get(), kNearest);
  mpfr_mul_z(out.get(), root_pi.get(), product, kNearest);
  mpz_clear(product);
  mpfr_div_2ui(out.get(), out.get(), (n - 1) / 2, kNearest);
  return out;
}

inline Real digamma(Bits bits, const Rational& x) {
  return unary(Real(bits + gamma_argument_bits(x), x), mpfr_digamma);
}

// B_{2k} = (-1)^(k+1) 2 (2k)! zeta(2k) / (2 pi)^(2k).
inline Real bernoulli_number(Bits bits, unsigned long k) {
  Real zeta(bits);
  mpfr_zeta_ui(zeta.get(), 2 * k, kNearest);
  Real factorial(bits);
  mpfr_fac_ui(factorial.get(), 2 * k, kNearest);
  Real two_pi(bits);
  mpfr_const_pi(two_pi.get(), kNearest);
  two_pi *= 2;
  const Real magnitude = zeta * factorial * 2 / pow(two_pi, 2 * k);
  return k % 2 == 1 ? magnitude : -magnitude;
}

// psi^(k)(x), x > 0. For k >= 1 by the recurrence up to a large y, then
//     (-1)^(k+1) psi^(k)(y) = (k-1)!/y^k + k!/(2 y^(k+1)) + sum_j B_2j (2j+k-1)!/((2j)! y^(2j+k)).
// The error of that alternating series is below its first omitted term, whose least value is about
// e^(-2 pi y).
inline Real polygamma(Bits bits, unsigned long k, const Rational& x) {
  if (k == 0) return digamma(bits, x);
  const Bits work = bits + 16 + magnitude_bits(static_cast<double>(bits));
  const double target = 0.25 * static_cast<double>(work) + 4.0 + static_cast<double>(k);
  Real factorial(work);
  mpfr_fac_ui(factorial.get(), k, kNearest);
  Real argument(work, x);
  Real sum(work);
  while (argument.to_double() < target) {
    sum += factorial / pow(argument, k + 1);
    argument += Real(work, 1);
  }
  const Real inverse_square = Real(work, 1) / (argument * argument);
  Real power = factorial / pow(argument, k);  // (2j+k-1)!/((2j)! y^(2j+k)), from j = 0 on
  power /= static_cast<long>(k);
  sum += power + power * static_cast<long>(k) / argument / 2;
  for (unsigned long j = 1;; ++j) {
    power *= inverse_square;
    power *= static_cast<long>((2 * j + k - 1) * (2 * j + k - 2));
    power /= static_cast<long>(2 * j * (2 * j - 1));
    const Real term = bernoulli_number(work, j) * power;
    sum += term;
    if (term.log2_abs() < sum.log2_abs() - static_cast<double>(work)) break;
  }
  return k % 2 == 1 ? sum : -sum;
}

// E X^p for X chi-square with d degrees of freedom: 2^p Gamma(d/2+p)/Gamma(d/2), p > -d/2.
inline Real chi_square_moment(Bits bits, unsigned long d, const Rational& p) {
  const Rational half(static_cast<long>(d), 2);
  return exp2(bits + 4 + magnitude_bits_log2(p.log2_abs()), p) * gamma(bits, half + p) /
         gamma(bits, half);
}

// log|Gamma(a + i y)| in double, a > 0: recurrence up to |Re| >= 15, then Stirling's series.
inline double log_abs_gamma(double a, double y) {
  double shift = 0.0;
  while (a < 15.0) {
    shift += 0.5 * std::log(a * a + y * y);
    a += 1.0;
  }
  const std::complex<double> z(a, y);
  const std::complex<double> inverse = 1.0 / z;
  const std::complex<double> series =
      (z - 0.5) * std::log(z) - z + inverse / 12.0 - inverse * inverse * inverse / 360.0;
  return series.real() + 0.5 * std::log(2.0 * kPi) - shift;
}

}  // namespace fracmoment::digits
