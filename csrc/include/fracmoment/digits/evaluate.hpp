// Quantities of a gain law to any number of digits, with the check that vouches for them.
//
// Moments that are sums of known error (binomial_mixture.hpp) are computed once. Every other number
// is computed twice, at two working precisions and with two different discretizations (step, nodes,
// ends, starting term), and is returned only if both agree to more than the digits asked for;
// otherwise both precisions are raised.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fracmoment/digits/binomial_mixture.hpp"
#include "fracmoment/digits/contour.hpp"
#include "fracmoment/digits/law.hpp"
#include "fracmoment/digits/mellin.hpp"
#include "fracmoment/digits/vanishing.hpp"
#include "fracmoment/error.hpp"

namespace fracmoment::digits {

// The finite sum is quicker below this width, the integral, flat in the width, above it.
inline constexpr unsigned long kDirectSumWidth = 20000;
inline constexpr Bits kGuardBits = 8;
inline constexpr Bits kMostBits = 100000;
inline constexpr long kMostCumulants = 12;

// One of the two runs of the check.
struct Run {
  Bits bits;         // relative accuracy aimed at
  unsigned variant;  // which discretization
  Bits lost;         // bits by which moments of complex orders are smaller than those of real ones
  std::vector<Path>& paths;  // contours that the other run has found, if any
};

// Below this order (p < -d/4) slopes bounded away from 0 take the dual integral.
inline bool takes_dual(const Law& law, const Rational& p) {
  return law.kind != SlopeKind::kNone && !law.has_atom() && !law.vanishing() &&
         p * Rational(2, 1) < -law.half_width();
}

inline bool takes_slow_tail_route(const Law& law, const Rational& p) {
  return law.vanishing() && (law.has_atom() || law.half_width() + p < Rational(4, 1));
}

// p* = -(d/2+p), the order of the dual law.
inline ComplexRational dual_order(const Law& law, const ComplexRational& p) {
  return {-(law.half_width() + p.re), -p.im};
}

// Mellin sums cost the square of the derivatives that an order needs, and lose the bits by which
// complex moments are smaller than real ones. Beyond these numbers the contour is quicker; it has
// to search for paths, longest with the three branch points of a uniform slope, and ends that are
// longer than the tails of the Mellin sum at many digits.
inline bool takes_contour(const Law& law, const ComplexRational& p, const Run& run, bool slow) {
  if (p.re > Rational(static_cast<long>(16 + run.bits / 50), 1)) return true;
  if (p.im.sign() == 0) return false;
  const Bits most = (law.kind == SlopeKind::kUniform ? 600 : 400) + run.bits;
  return run.lost > most || (slow && p.im.abs() > Rational(4, 1));
}

// Whether the real path, for an order that found no contour, is a matter of seconds.
inline void check_real_path(const ComplexRational& p, bool slow) {
  if (p.re <= Rational(2048, 1) && !(slow && p.im.abs() > Rational(32, 1))) return;
  throw ConvergenceError(
      "no path of integration was found for so great an order; move it closer to the real line "
      "and to 0 or -width");
}

// E B^p = E*[X*^(p*)] Gamma(d/2)/(2^(p*) Gamma(-p)).
inline Complex dual_moment(const Law& law, const ComplexRational& p, const Run& run) {
  const ComplexRational dual = dual_order(law, p);
  const Bits bits = run.bits + 40 + magnitude_bits_log2(dual.im.log2_abs());
  const Complex power = pow(Real(bits, 2), Complex(bits, {-dual.re, -dual.im}));
  std::optional<Complex> value;
  if (takes_contour(law, dual, run, false)) {
    value = contour_moment(law, true, dual, run.bits, run.variant, run.paths);
    if (!value) check_real_path(dual, false);
  }
  if (!value) value = MellinSum(law, dual, true, 0, run.bits + run.lost, run.variant).moment();
  return *value * power * gamma(bits, law.half_width()) / gamma(bits, {-p.re, -p.im});
}

// E[X^p; X > 0], X = R^2 before any division by keep_prob or |g|.
inline Complex square_moment(const Law& law, const ComplexRational& p, const Run& run) {
  const Bits bits = run.bits + 8;
  const bool real = p.im.sign() == 0;
  if (law.chi_square()) return chi_square_moment(bits, law.width, p);
  if (law.width == 1) {
    const Bits sum_bits = bits + run.lost;  // its terms may cancel
    return chi_square_moment(bits, 1, p) * squared_slope_moment(sum_bits, law, p);
  }
  if (real && law.kind == SlopeKind::kNone && law.width <= kDirectSumWidth) {
    return Complex(BinomialMixture(law, run.bits, run.variant).moment(p.re));
  }
  if (real && p.re.is_integer() && p.re.sign() > 0) {
    return Complex(integer_moment(run.bits, law, static_cast<unsigned long>(p.re.ceil())));
  }
  if (takes_dual(law, p.re)) {
    return dual_moment(law, p, run) * chi_square_moment(bits, law.width, p);
  }
  const bool slow = takes_slow_tail_route(law, p.re);
  RemoteTail remote;
  if (law.vanishing()) remote = remote_tail_moment(law, p, run.bits);
  if (remote.value) return *std::move(remote.value);
  if (remote.everything || takes_contour(law, p, run, slow)) {
    if (auto value = contour_moment(law, false, p, run.bits, run.variant, run.paths))
      return *std::move(value);
    check_real_path(p, slow);
    if (remote.everything) {
      throw ConvergenceError(
          "the order is too far from the real line for slopes around 0 at this width; ask for "
          "fewer "
          "digits or a smaller imaginary part");
    }
  }
  const Bits target = run.bits + run.lost;
  if (slow) {
    return VanishingSlopeSum(law, p, 0, target, run.variant).moment();
  }
  return MellinSum(law, p, false, 0, target, run.variant).moment();
}

// E[(X/|g|^2)^p; X > 0], the ratio law.
inline Complex ratio_moment(const Law& law, const ComplexRational& p, const Run& run) {
  const Bits bits = run.bits + 8;
  if (law.chi_square()) return Complex(Real(bits, 1));
  if (law.width == 1) return squared_slope_moment(bits + run.lost, law, p);
  if (takes_dual(law, p.re)) return dual_moment(law, p, run);
  return square_moment(law, p, run) / chi_square_moment(bits, law.width, p);
}

// E R^order on R > 0.
inline Complex alive_moment(const Law& law, const ComplexRational& order, const Run& run) {
  const Rational half(1, 2);
  const ComplexRational p{order.re * half, order.im * half};
  const Complex value = law.orthogonal ? ratio_moment(law, p, run) : square_moment(law, p, run);
  if (!law.inverted || law.keep_prob == Rational(1, 1)) return value;
  const Bits bits = run.bits + 16 + magnitude_bits_log2(order.re.log2_abs()) +
                    magnitude_bits_log2(order.im.log2_abs()) +
                    magnitude_bits(std::fabs(law.keep_prob.log2_abs()) + 1.0);
  return value * pow(Real(bits, law.keep_prob), Complex(bits, {-order.re, -order.im}));
}

inline Complex moment(const Law& law, const ComplexRational& order, bool given_alive,
                      const Run& run) {
  const Complex value = alive_moment(law, order, run);
  return given_alive && law.has_atom() ? value / prob_alive(run.bits + 16, law) : value;
}

// Cumulants 1..n of log X given X > 0.
inline std::vector<Real> square_log_cumulants(const Law& law, unsigned long n, const Run& run) {
  const Bits bits = run.bits + 16;
  if (law.width == 1 || law.chi_square()) {
    std::vector<Real> kappa = log_squared_slope(bits, law, n);
    for (unsigned long k = 0; k < n; ++k) kappa[k] += polygamma(bits, k, law.half_width());
    kappa[0] += log(Real(bits, 2));
    return kappa;
  }
  if (n <= 2 && law.kind == SlopeKind::kNone && law.width <= kDirectSumWidth) {
    return BinomialMixture(law, run.bits, run.variant).log_moments();
  }
  const Rational zero;
  if (takes_slow_tail_route(law, zero)) {
    return VanishingSlopeSum(law, {zero, zero}, n, run.bits, run.variant).log_cumulants();
  }
  return MellinSum(law, {zero, zero}, false, n, run.bits, run.variant).log_cumulants();
}

// The n-th cumulant of log R given R > 0. log X = log B + log |g|^2 with independent terms.
inline Real log_cumulant(const Law& law, unsigned long n, const Run& run) {
  const Bits bits = run.bits + 16;
  Real value(bits);
  if (law.orthogonal && law.width == 1) {
    value = log_squared_slope(bits, law, n)[n - 1];
  } else {
    value = square_log_cumulants(law, std::max(n, 2UL), run)[n - 1];
    if (law.orthogonal) value -= polygamma(bits, n - 1, law.half_width());
    if (law.orthogonal && n == 1) value -= log(Real(bits, 2));
  }
  mpfr_div_2ui(value.get(), value.get(), n, kNearest);
  if (law.inverted && n == 1) value -= log(Real(bits, law.keep_prob));
  return value;
}

// The bits of `digits` decimal digits and some to spare.
inline Bits digits_to_bits(long digits) {
  return static_cast<Bits>(std::ceil(static_cast<double>(digits) * 3.3219280948873626)) + 16;
}

inline Real rounded(const Real& x, Bits bits) {
  Real out(bits);
  mpfr_set(out.get(), x.get(), kNearest);
  return out;
}
inline Complex rounded(const Complex& z, Bits bits) {
  return {rounded(z.re, bits), rounded(z.im, bits)};
}

// compute(Run) -> Real or Complex, until two runs agree to 2^-wanted (of the modulus); `extra` bits
// are known to be lost, `lost` guessed. What stays below 2^zero counts as 0.
template <class Compute>
auto certify(Bits wanted, Bits extra, Bits lost, const Compute& compute, double zero = -HUGE_VAL) {
  const ExponentRange range;
  for (Bits bits = wanted + kGuardBits + extra; bits + lost <= kMostBits; bits += bits / 2) {
    std::vector<Path> paths;
    const auto first = compute(Run{bits, 0, lost, paths});
    const auto second = compute(Run{bits + 16, 1, lost, paths});
    if (!first.is_finite() || !second.is_finite()) break;
    const double error = (first - second).log2_abs();
    const double size = second.log2_abs();
    if (error < size - static_cast<double>(wanted + 2)) return rounded(second, wanted);
    if (std::max(error, size) <= zero) return rounded(second - second, wanted);
    lost += lost / 2;
  }
  throw ConvergenceError(
      "two runs of the any-precision route do not agree to the digits asked for, or the value is "
      "beyond the range of MPFR; ask for fewer digits or move the order away from the edge of its "
      "domain");
}

// The error of moment() at real orders is proved: gamma functions, or a binomial sum.
inline bool has_proved_moment(const Law& law) {
  return law.kind == SlopeKind::kNone && (law.chi_square() || law.width <= kDirectSumWidth);
}
// E R^s to 2^-wanted of itself: in one run where that is proved, else in two that agree.
inline Real certified_moment(const Law& law, const Rational& order, bool given_alive, Bits wanted) {
  const auto compute = [&](const Run& run) {
    return moment(law, {order, Rational()}, given_alive, run).re;
  };
  if (!has_proved_moment(law)) return certify(wanted, 0, 0, compute);
  const ExponentRange range;
  std::vector<Path> paths;
  const Real value = compute(Run{wanted + kGuardBits, 0, 0, paths});
  if (value.is_finite()) return rounded(value, wanted);
  throw ConvergenceError("the value is beyond the range of MPFR; ask for an order nearer to 0");
}

// (E R^s)^(-1/s): a relative error e of the moment is one of e/s in the scale, and the exponential
// has an error of the size of its argument.
inline Real certified_scale(const Law& law, const Rational& order, bool given_alive, Bits wanted) {
  const Bits extra = magnitude_bits_log2(-order.log2_abs());
  const Real value = certified_moment(law, order, given_alive, wanted + extra);
  const ExponentRange range;
  const Bits bits = value.bits() + kGuardBits + magnitude_bits(std::fabs(value.log2_abs()));
  const Real result = exp(-log(rounded(value, bits)) / Real(bits, order));
  if (result.is_finite() && !result.is_zero()) return rounded(result, wanted);
  throw ConvergenceError("the value is beyond the range of MPFR; ask for an order further from 0");
}

inline void check_order(const Law& law, const Rational& order, bool given_alive) {
  const Rational width(static_cast<long>(law.width), 1);
  const bool any_order = law.orthogonal && !law.has_atom() && !law.vanishing();
  const bool valid = law.has_atom() ? (given_alive ? order > Rational(-1, 1) : order.sign() > 0)
                                    : any_order || order > -width;
  if (!valid) throw std::invalid_argument("order outside the domain of the law");
}

enum class Quantity { kMoment, kScale, kLogCumulant };

inline Quantity parse_quantity(const std::string& name) {
  if (name == "moment") return Quantity::kMoment;
  if (name == "scale") return Quantity::kScale;
  if (name == "log_cumulant") return Quantity::kLogCumulant;
  throw std::invalid_argument("unknown quantity '" + name + "'");
}

// Whether the ratio law is the constant 1: linear units with orthogonal weights.
inline bool degenerate(const Law& law) { return law.orthogonal && law.chi_square(); }

// The n-th cumulant of log R is about d^(1-n); what it is computed from is not small. Cumulants can
// vanish (one orthogonal unit has log R = 0 or log|a|, a fair coin, without odd cumulants): to
// three times the digits 0 is 0.
inline Real evaluate_log_cumulant(const Law& law, unsigned long n, long digits) {
  const Bits wanted = digits_to_bits(digits);
  if (degenerate(law)) return Real(wanted);
  const auto width = static_cast<double>(law.width);
  const auto count = static_cast<double>(n);
  const Bits extra = n == 1 ? 0 : static_cast<Bits>(n) * magnitude_bits(width * count);
  const double zero = -(count - 1.0) * std::log2(width) - 3.0 * static_cast<double>(wanted);
  return certify(wanted, extra, 0, [&](const Run& run) { return log_cumulant(law, n, run); }, zero);
}

// The n-th cumulant takes n as `order`.
inline Real evaluate(Quantity quantity, const Law& law, const Rational& order, bool given_alive,
                     long digits) {
  const Bits wanted = digits_to_bits(digits);
  if (quantity == Quantity::kLogCumulant) {
    const long n = order.ceil();
    if (!order.is_integer() || n < 1 || n > kMostCumulants) {
      throw std::invalid_argument("cumulants of order 1 to " + std::to_string(kMostCumulants));
    }
    return evaluate_log_cumulant(law, static_cast<unsigned long>(n), digits);
  }
  if (degenerate(law)) return Real(wanted, 1);
  if (quantity == Quantity::kScale && order.sign() == 0) {  // Lyapunov's
    return certify(wanted, 0, 0, [&](const Run& run) { return exp(-log_cumulant(law, 1, run)); });
  }
  check_order(law, order, given_alive);
  if (quantity == Quantity::kScale) return certified_scale(law, order, given_alive, wanted);
  if (order.sign() == 0) return Real(wanted, 1);
  return certified_moment(law, order, given_alive, wanted);
}

// Bits by which Gamma(a + iy) is smaller than Gamma(a).
inline double gamma_decay_bits(const Rational& a, const Rational& y) {
  const double x = a.to_double();
  return x > 0.0 ? (log_abs_gamma(x, 0.0) - log_abs_gamma(x, y.to_double())) / kLog2 : 0.0;
}

// A guess of the bits by which a complex moment is smaller than the terms of the sums it comes
// from: the sums are divided by a gamma function, and the law is spread like a chi-square.
inline Bits complex_loss(const Law& law, const ComplexRational& order) {
  const Rational half(1, 2);
  ComplexRational p{order.re * half, order.im * half};
  if (takes_dual(law, p.re)) p = dual_order(law, p);
  const Rational rest((p.re + half).ceil(), 1);
  const Rational alpha = (rest < Rational(1, 1) ? Rational(1, 1) : rest) - p.re;
  double bits = gamma_decay_bits(alpha, p.im);
  const Rational dof = law.has_atom() ? half : law.half_width();
  bits += gamma_decay_bits(dof + p.re, p.im);
  return static_cast<Bits>(bits) + 16;
}

// Imaginary parts beyond which nobody should wait for an order that finds no contour: the terms of
// the sums along the real line cancel 2^(1.1 |Im s|) times.
inline constexpr double kMostImaginary = 4096.0;

// E R^order to a relative error of the modulus of 10^-digits.
inline Complex evaluate_complex(const Law& law, const ComplexRational& order, bool given_alive,
                                long digits) {
  const Bits wanted = digits_to_bits(digits);
  if (degenerate(law)) return Complex(Real(wanted, 1));
  check_order(law, order.re, given_alive);
  if (order.im.sign() == 0) {
    return Complex(evaluate(Quantity::kMoment, law, order.re, given_alive, digits));
  }
  if (!(std::fabs(order.im.to_double()) <= kMostImaginary)) {
    throw ConvergenceError("the imaginary part of the order is beyond " +
                           std::to_string(static_cast<long>(kMostImaginary)));
  }
  return certify(wanted, 0, complex_loss(law, order),
                 [&](const Run& run) { return moment(law, order, given_alive, run); });
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
  return certify(digits_to_bits(digits), extra, 0, [&](const Run& run) {
    Real value = pow(Real(run.bits, base), Real(run.bits, exponent));
    for (const Rational& x : numerators) value *= gamma(run.bits, x);
    for (const Rational& x : denominators) value /= gamma(run.bits, x);
    return value;
  });
}

}  // namespace fracmoment::digits
