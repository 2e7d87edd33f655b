// Exponentials and logarithms on lanes for the samplers, in plain double arithmetic: correctly
// rounded operations only, so that the bits are the same on every instruction set.
#pragma once

#include "fracmoment/random/normal.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

// log x, x > 0 normal: error below 2^-52 (1 + |log x|), relative 2^-50 next to x = 1.
FRACMOMENT_INLINE Vec natural_log(Vec x) { return -0.5 * minus_two_log(x); }

// log(1 + x) for x > -1, 1 + x normal: relative error below 2^-50.
FRACMOMENT_INLINE Vec log_one_plus(Vec x) {
  const Vec y = 1.0 + x;
  return natural_log(y) + (x - (y - 1.0)) / y;
}

// e^x - 1 = 2^power (1 + rest) - 1, from |r| <= log(2)/2 and Taylor's series: the first term left
// out is below 2^-57 of the result.
struct Exponential {
  Vec rest;
  VecInt power;
};
FRACMOMENT_INLINE Exponential exponential_parts(Vec x) {
  constexpr double inverse_factorial[] = {1.0,
                                          1.0 / 2,
                                          1.0 / 6,
                                          1.0 / 24,
                                          1.0 / 120,
                                          1.0 / 720,
                                          1.0 / 5040,
                                          1.0 / 40320,
                                          1.0 / 362880,
                                          1.0 / 3628800,
                                          1.0 / 39916800,
                                          1.0 / 479001600,
                                          1.0 / 6227020800};
  const Vec lo = splat<Vec>(-1400.0), hi = splat<Vec>(1400.0);
  x = select((VecInt)(x < lo), lo, select((VecInt)(x > hi), hi, x));
  const Vec k = round_to_integer(x * 0x1.71547652b82fep0);
  Vec r = fma(k, splat<Vec>(-0x1.62e42fefa39efp-1), x);
  r = fma(k, splat<Vec>(-0x1.abc9e3b39803fp-56), r);
  return {polynomial(inverse_factorial, r) * r, to_int(k)};
}

// scale * e^x, relative error below 2^-51 (1 + 2^-53 |x|), rounded once more below the normal
// range.
FRACMOMENT_INLINE Vec scaled_exp(Vec scale, Vec x) {
  const Exponential e = exponential_parts(x);
  return ldexp_wide(fma(scale, e.rest, scale), e.power);
}

// e^x - 1 for x <= 700, relative error below 2^-50.
FRACMOMENT_INLINE Vec exp_minus_one(Vec x) {
  const Exponential e = exponential_parts(x);
  const VecInt least = VecInt{} + std::int64_t(-1000);
  const Vec power = pow2(select((VecInt)(e.power < least), least, e.power));
  return fma(power, e.rest, power - 1.0);
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
