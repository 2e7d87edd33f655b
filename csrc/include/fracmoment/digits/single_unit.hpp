// Closed forms for one unit: the law of b z^2 for a unit that is alive (theory.md section 1).
#pragma once

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

// Mean and variance of log b given b > 0.
struct LogMoments {
  Real mean, variance;
};

// x log^k|x| sums of integral_0^x log|a| da and integral_0^x log^2|a| da, both odd in x.
inline LogMoments log_integrals(Bits bits, const Rational& x) {
  if (x.sign() == 0) return {Real(bits), Real(bits)};
  const Real value(bits, x);
  const Real logarithm = log(abs(value));
  const Real one(bits, 1);
  return {value * (logarithm - one),
          value * (logarithm * logarithm - logarithm * 2 + Real(bits, 2))};
}

inline LogMoments log_squared_slope(Bits target, const Law& law) {
  if (law.kind == SlopeKind::kNone) return {Real(target), Real(target)};
  const Bits bits = target + 16 + 2 * law.cancellation_bits();
  Real first(bits);
  Real second(bits);
  if (law.kind == SlopeKind::kPoint) {
    first = log(Real(bits, law.upper));
    second = first * first;
  } else {
    const Real length(bits, law.upper - law.lower);
    const LogMoments high = log_integrals(bits, law.upper);
    const LogMoments low = log_integrals(bits, law.lower);
    first = (high.mean - low.mean) / length;
    second = (high.variance - low.variance) / length;
  }
  const Real share(bits, law.slope / (law.one + law.slope));
  const Real mean = share * first * 2;
  return {mean, share * second * 4 - mean * mean};
}

}  // namespace fracmoment::digits
