// Closed forms for one unit: the law of b z^2 for a unit that is alive (theory.md section 1).
#pragma once

#include <vector>

#include "fracmoment/digits/complex.hpp"
#include "fracmoment/digits/cumulants.hpp"
#include "fracmoment/digits/gamma.hpp"
#include "fracmoment/digits/law.hpp"

namespace fracmoment::digits {

// integral_0^x |a|^e da, odd in x, e > -1.
inline Real odd_power_integral(Bits bits, const Rational& x, const Rational& e) {
  if (x.sign() == 0) return Real(bits);
  const Rational next = e + Rational(1, 1);
  const Real magnitude = pow(Real(bits, x.abs()), Real(bits, next)) / Real(bits, next);
  return x.sign() > 0 ? magnitude : -magnitude;
}

// E |A|^e for A uniform on (lower, upper); every real e where lower > 0, else e > -1.
inline Real uniform_slope_moment(Bits target, const Law& law, const Rational& e) {
  const Bits bits = target + 16 + law.cancellation_bits() + magnitude_bits_log2(e.log2_abs()) +
                    magnitude_bits(std::fabs(law.upper.log2_abs()) + 1.0);
  const Real length(bits, law.upper - law.lower);
  if (law.vanishing()) {
    return (odd_power_integral(bits, law.upper, e) - odd_power_integral(bits, law.lower, e)) /
           length;
  }
  // (u^(e+1) - l^(e+1))/(e+1) = l^(e+1) expm1((e+1) log(u/l))/(e+1), which is log(u/l) at e = -1.
  const Real log_ratio = log1p(length / Real(bits, law.lower));
  const Rational next = e + Rational(1, 1);
  if (next.sign() == 0) return log_ratio / length;
  const Real exponent(bits, next);
  return pow(Real(bits, law.lower), exponent) * expm1(exponent * log_ratio) / exponent / length;
}

// E[b^p; b > 0] for one unit.
inline Real squared_slope_moment(Bits bits, const Law& law, const Rational& p) {
  Real sum(bits, law.one);
  if (law.kind == SlopeKind::kNone) return sum;
  const Rational e = p * Rational(2, 1);
  if (law.kind == SlopeKind::kPoint) {
    const Bits work = bits + 16 + magnitude_bits_log2(e.log2_abs()) +
                      magnitude_bits(std::fabs(law.upper.log2_abs()) + 1.0);
    sum += Real(bits, law.slope) * pow(Real(work, law.upper), Real(work, e));
  } else {
    sum += Real(bits, law.slope) * uniform_slope_moment(bits, law, e);
  }
  return sum;
}

// The same for a complex order, Re 2p > -1 where the slope can vanish.
inline Complex uniform_slope_moment(Bits target, const Law& law, const ComplexRational& e) {
  const ComplexRational next{e.re + Rational(1, 1), e.im};
  const Bits rounded =
      magnitude_bits(std::fabs(next.re.to_double()) + std::fabs(next.im.to_double()) + 1.0) +
      magnitude_bits(std::fabs(law.upper.log2_abs()) + 1.0);
  // Close to next = 0 the difference of two powers cancels.
  const double log2_next = std::max(next.re.log2_abs(), next.im.log2_abs());
  const Bits bits = target + 16 + law.cancellation_bits() + rounded +
                    magnitude_bits_log2(-log2_next) + law.cancellation_bits();
  const Real length(bits, law.upper - law.lower);
  const Complex exponent(bits, next);
  Complex sum = pow(Real(bits, law.upper), exponent);
  if (law.lower.sign() != 0) {
    const Complex low = pow(Real(bits, law.lower.abs()), exponent);
    sum = law.lower.sign() > 0 ? sum - low : sum + low;
  }
  return sum / exponent / length;
}

// E[b^p; b > 0] for one unit and a complex order.
inline Complex squared_slope_moment(Bits bits, const Law& law, const ComplexRational& p) {
  if (p.im.sign() == 0) return Complex(squared_slope_moment(bits, law, p.re));
  Complex sum{Real(bits, law.one), Real(bits)};
  if (law.kind == SlopeKind::kNone) return sum;
  const ComplexRational e{p.re * Rational(2, 1), p.im * Rational(2, 1)};
  if (law.kind == SlopeKind::kUniform) {
    return sum + uniform_slope_moment(bits, law, e) * Real(bits, law.slope);
  }
  const Bits work = bits + 16 + magnitude_bits_log2(e.re.log2_abs()) +
                    magnitude_bits_log2(e.im.log2_abs()) +
                    magnitude_bits(std::fabs(law.upper.log2_abs()) + 1.0);
  return sum + pow(Real(work, law.upper), Complex(work, e)) * Real(bits, law.slope);
}

// integral_0^x log^k|a| da = x log^k|x| - k integral_0^x log^(k-1)|a| da, k = 0..n.
inline std::vector<Real> log_integrals(Bits bits, const Rational& x, unsigned long n) {
  std::vector<Real> out(n + 1, Real(bits));
  if (x.sign() == 0) return out;
  out[0] = Real(bits, x);
  const Real logarithm = log(abs(out[0]));
  Real power = out[0];
  for (unsigned long k = 1; k <= n; ++k) {
    power *= logarithm;
    out[k] = power - out[k - 1] * static_cast<long>(k);
  }
  return out;
}

// Cumulants 1..n of log b given b > 0.
inline std::vector<Real> log_squared_slope(Bits target, const Law& law, unsigned long n) {
  if (law.kind == SlopeKind::kNone) return std::vector<Real>(n, Real(target));
  const Bits bits = target + 16 + 2 * law.cancellation_bits();
  std::vector<Real> moments;
  if (law.kind == SlopeKind::kPoint) {
    const Real logarithm = log(Real(bits, law.upper));
    for (unsigned long k = 0; k <= n; ++k) moments.push_back(pow(logarithm, k));
  } else {
    const Real length(bits, law.upper - law.lower);
    const std::vector<Real> high = log_integrals(bits, law.upper, n);
    const std::vector<Real> low = log_integrals(bits, law.lower, n);
    for (unsigned long k = 0; k <= n; ++k) moments.push_back((high[k] - low[k]) / length);
  }
  // log b = 2 log|a|, and 0 where b = 1.
  Real share(bits, law.slope / (law.one + law.slope));
  for (unsigned long k = 1; k <= n; ++k) {
    share *= 2;
    moments[k] *= share;
  }
  return cumulants_from_moments(moments);
}

}  // namespace fracmoment::digits
