// Quantities of a gain law to any number of digits, with the check that vouches for them.
//
// Every number is computed twice, at two working precisions and with two different discretizations
// (step, nodes, ends, starting term), and is returned only if both agree to more than the digits
// asked for; otherwise both precisions are raised.
#pragma once

#include <string>
#include <vector>

#include "fracmoment/digits/binomial_mixture.hpp"
#include "fracmoment/digits/law.hpp"
#include "fracmoment/digits/mellin.hpp"
#include "fracmoment/digits/vanishing.hpp"
#include "fracmoment/error.hpp"

namespace fracmoment::digits {

// The finite sum is quicker below this width, the integral, flat in the width, above it.
inline constexpr unsigned long kDirectSumWidth = 20000;
inline constexpr Bits kGuardBits = 8;
inline constexpr Bits kMostBits = 100000;

// One of the two runs of the check.
struct Run {
  Bits bits;         // relative accuracy aimed at
  unsigned variant;  // which discretization
};

// Below this order (p < -d/4) slopes bounded away from 0 take the dual integral.
inline bool takes_dual(const Law& law, const Rational& p) {
  return law.kind != SlopeKind::kNone && !law.has_atom() && !law.vanishing() &&
         p * Rational(2, 1) < -law.half_width();
}

inline bool takes_slow_tail_route(const Law& law, const Rational& p) {
  return law.vanishing() && (law.has_atom() || law.half_width() + p < Rational(4, 1));
}

// E*[X*^(p*)], p* = -(d/2+p), the integral of the dual law.
inline Real dual_moment(const Law& law, const Rational& p, const Run& run) {
  return MellinSum(law, -(law.half_width() + p), true, false, run.bits, run.variant).moment();
}

// E[X^p; X > 0], X = R^2 before any division by keep_prob or |g|.
inline Real square_moment(const Law& law, const Rational& p, const Run& run) {
  if (law.chi_square()) return chi_square_moment(run.bits + 8, law.width, p);
  if (law.width == 1) {
    return chi_square_moment(run.bits + 8, 1, p) * squared_slope_moment(run.bits + 8, law, p);
  }
  if (law.kind == SlopeKind::kNone && law.width <= kDirectSumWidth) {
    return BinomialMixture(law, run.bits, run.variant).moment(p);
  }
  if (p.is_integer() && p.sign() > 0) {
    return integer_moment(run.bits, law, static_cast<unsigned long>(p.ceil()));
  }
  if (takes_dual(law, p)) {
    // E B^p = E*[X*^(p*)] Gamma(d/2)/(2^(p*) Gamma(-p)), times the chi-square moment.
    const Bits bits = run.bits + 8;
    const Rational half = law.half_width();
    return dual_moment(law, p, run) * exp2(bits + 40, p + p + half) * gamma(bits, half + p) /
           gamma(bits, -p);
  }
  if (law.vanishing()) {
    if (auto remote = remote_tail_moment(law, p, run.bits)) return *std::move(remote);
  }
  if (takes_slow_tail_route(law, p)) {
    return VanishingSlopeSum(law, p, false, run.bits, run.variant).moment();
  }
  return MellinSum(law, p, false, false, run.bits, run.variant).moment();
}

// E[(X/|g|^2)^p; X > 0], the ratio law.
inline Real ratio_moment(const Law& law, const Rational& p, const Run& run) {
  const Bits bits = run.bits + 8;
  if (law.chi_square()) return Real(bits, 1);
  if (law.width == 1) return squared_slope_moment(bits, law, p);
  if (takes_dual(law, p)) {
    const Rational half = law.half_width();
    return dual_moment(law, p, run) * gamma(bits, half) * exp2(bits + 40, half + p) /
           gamma(bits, -p);
  }
  return square_moment(law, p, run) / chi_square_moment(bits, law.width, p);
}

// E R^order on R > 0.
inline Real alive_moment(const Law& law, const Rational& order, const Run& run) {
  const Rational p = order * Rational(1, 2);
  Real value = law.orthogonal ? ratio_moment(law, p, run) : square_moment(law, p, run);
  if (law.inverted && !(law.keep_prob == Rational(1, 1))) {
    const Bits bits = run.bits + 16 + magnitude_bits_log2(order.log2_abs()) +
                      magnitude_bits(std::fabs(law.keep_prob.log2_abs()) + 1.0);
    value *= pow(Real(bits, law.keep_prob), Real(bits, -order));
  }
  return value;
}

inline Real moment(const Law& law, const Rational& order, bool given_alive, const Run& run) {
  Real value = alive_moment(law, order, run);
  if (given_alive && law.has_atom()) value /= prob_alive(run.bits + 16, law);
  return value;
}

// Mean and variance of log X given X > 0.
inline LogMoments square_log_moments(const Law& law, const Run& run) {
  const Bits bits = run.bits + 16;
  if (law.width == 1 || law.chi_square()) {
    const Rational half = law.half_width();
    const LogMoments slope = log_squared_slope(bits, law);
    return {digamma(bits, half) + log(Real(bits, 2)) + slope.mean,
            trigamma(bits, half) + slope.variance};
  }
  if (law.kind == SlopeKind::kNone && law.width <= kDirectSumWidth) {
    return BinomialMixture(law, run.bits, run.variant).log_moments();
  }
  const Rational zero;
  if (takes_slow_tail_route(law, zero)) {
    return VanishingSlopeSum(law, zero, true, run.bits, run.variant).log_moments();
  }
  return MellinSum(law, zero, false, true, run.bits, run.variant).log_moments();
}

// Mean and variance of log R given R > 0. log X = log B + log |g|^2 with independent terms.
inline LogMoments log_moments(const Law& law, const Run& run) {
  const Bits bits = run.bits + 16;
  if (law.orthogonal && law.width == 1) {
    LogMoments slope = log_squared_slope(bits, law);
    return {slope.mean / 2 - (law.inverted ? log(Real(bits, law.keep_prob)) : Real(bits)),
            slope.variance / 4};
  }
  LogMoments value = square_log_moments(law, run);
  if (law.orthogonal) {
    const Rational half = law.half_width();
    value.mean -= digamma(bits, half) + log(Real(bits, 2));
    value.variance -= trigamma(bits, half);
  }
  value.mean /= 2;
  value.variance /= 4;
  if (law.inverted) value.mean -= log(Real(bits, law.keep_prob));
  return value;
}

inline Real scale(const Law& law, const Rational& order, bool given_alive, const Run& run) {
  if (order.sign() == 0) return exp(-log_moments(law, run).mean);
  const Real value = moment(law, order, given_alive, run);
  return exp(-log(value) / Real(value.bits() + 64, order));
}

// The bits of `digits` decimal digits and some to spare.
inline Bits digits_to_bits(long digits) {
  return static_cast<Bits>(std::ceil(static_cast<double>(digits) * 3.3219280948873626)) + 16;
}

// compute(Run) -> Real, until two runs agree to 2^-wanted; `extra` bits are known to be lost.
template <class Compute>
Real certify(Bits wanted, Bits extra, const Compute& compute) {
  const ExponentRange range;
  for (Bits bits = wanted + kGuardBits + extra; bits <= kMostBits; bits += bits / 2) {
    const Real first = compute(Run{bits, 0});
    const Real second = compute(Run{bits + 16, 1});
    if (!first.is_finite() || !second.is_finite()) break;
    const Real difference = first - second;
    if (difference.is_zero() ||
        difference.log2_abs() < second.log2_abs() - static_cast<double>(wanted + 2)) {
      Real rounded(wanted);
      mpfr_set(rounded.get(), second.get(), kNearest);
      return rounded;
    }
  }
  throw ConvergenceError(
      "two runs of the any-precision route do not agree to the digits asked for, or the value is "
      "beyond the range of MPFR; ask for fewer digits or move the order away from the edge of its "
      "domain");
}

inline void check_order(const Law& law, const Rational& order, bool given_alive) {
  const Rational width(static_cast<long>(law.width), 1);
  const bool any_order = law.orthogonal && !law.has_atom() && !law.vanishing();
  const bool valid = law.has_atom() ? (given_alive ? order > Rational(-1, 1) : order.sign() > 0)
                                    : any_order || order > -width;
  if (!valid) throw std::invalid_argument("order outside the domain of the law");
}

enum class Quantity { kMoment, kScale, kLogMean, kLogVar };

inline Quantity parse_quantity(const std::string& name) {
  if (name == "moment") return Quantity::kMoment;
  if (name == "scale") return Quantity::kScale;
  if (name == "log_mean") return Quantity::kLogMean;
  if (name == "log_var") return Quantity::kLogVar;
  throw std::invalid_argument("unknown quantity '" + name + "'");
}

// Whether the ratio law is the constant 1: linear units with orthogonal weights.
inline bool degenerate(const Law& law) { return law.orthogonal && law.chi_square(); }

inline Real evaluate(Quantity quantity, const Law& law, const Rational& order, bool given_alive,
                     long digits) {
  const Bits wanted = digits_to_bits(digits);
  const auto width = static_cast<double>(law.width);
  if (quantity == Quantity::kLogMean || quantity == Quantity::kLogVar) {
    if (degenerate(law)) return Real(wanted);
    const bool mean = quantity == Quantity::kLogMean;
    return certify(wanted, mean ? 0 : 2 * magnitude_bits(width), [&](const Run& run) {
      LogMoments value = log_moments(law, run);
      return mean ? value.mean : value.variance;
    });
  }
  const bool lyapunov = quantity == Quantity::kScale && order.sign() == 0;
  if (degenerate(law)) return Real(wanted, 1);
  if (!lyapunov) check_order(law, order, given_alive);
  if (quantity == Quantity::kMoment) {
    if (order.sign() == 0) return Real(wanted, 1);
    return certify(wanted, 0, [&](const Run& run) { return moment(law, order, given_alive, run); });
  }
  // A relative error e of the moment is one of e/order in the scale.
  const Bits extra = lyapunov ? 0 : magnitude_bits_log2(-order.log2_abs());
  return certify(wanted, extra,
                 [&](const Run& run) { return scale(law, order, given_alive, run); });
}

// base^exponent prod Gamma(numerators)/prod Gamma(denominators): chi, Beta and F moments and
// (chi_m/chi_n)^s are of this form. All arguments and the base are positive.
inline Real gamma_ratio(const std::vector<Rational>& numerators,
                        const std::vector<Rational>& denominators, const Rational& base,
                        const Rational& exponent, long digits) {
  Bits extra =
      magnitude_bits_log2(exponent.log2_abs()) + magnitude_bits(std::fabs(base.log2_abs()) + 1.0);
  const auto check = [](const Rational& x) {
    if (x.sign() <= 0) throw std::invalid_argument("gamma_ratio needs positive arguments");
  };
  check(base);
  for (const Rational& x : numerators) check(x);
  for (const Rational& x : denominators) check(x);
  return certify(digits_to_bits(digits), extra, [&](const Run& run) {
    Real value = pow(Real(run.bits, base), Real(run.bits, exponent));
    for (const Rational& x : numerators) value *= gamma(run.bits, x);
    for (const Rational& x : denominators) value /= gamma(run.bits, x);
    return value;
  });
}

}  // namespace fracmoment::digits
