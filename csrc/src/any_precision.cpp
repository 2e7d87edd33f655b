// Calls of the any-precision route from the double route.
#include "fracmoment/gains/any_precision.hpp"

#include <cmath>

#include "fracmoment/digits/evaluate.hpp"
#include "fracmoment/error.hpp"

namespace fracmoment {
namespace {

constexpr long kDigits = 34;
constexpr long kComplexDigits = 20;  // the cost of a complex order is that of its cancellation

digits::Law exact_law(const LawSpec& s) {
  return digits::make_law(static_cast<unsigned long>(s.width), digits::Rational(s.lower),
                          digits::Rational(s.upper), digits::Rational(s.keep_prob), s.inverted,
                          s.orthogonal);
}

// The cost grows with the square of the derivatives of the Laplace transform that an order needs:
// beyond, nobody should wait without having asked.
constexpr double kMostDerivatives = 512.0;

digits::Law checked_law(const LawSpec& spec, double order) {
  digits::Law law = exact_law(spec);
  const bool dual = digits::takes_dual(law, digits::Rational(order) * digits::Rational(1, 2));
  if (0.5 * (dual ? -double(spec.width) - order : order) > kMostDerivatives)
    throw ConvergenceError(
        "orders above 1024, or as far below -width, are only computed with digits=");
  return law;
}

digits::Real evaluate(digits::Quantity what, const LawSpec& spec, double order, bool given_alive) {
  return digits::evaluate(what, checked_law(spec, order), digits::Rational(order), given_alive,
                          kDigits);
}

Real rounded(digits::Real x) {
  const double hi = mpfr_get_d(x.get(), MPFR_RNDN);
  mpfr_sub_d(x.get(), x.get(), hi, MPFR_RNDN);
  return {hi, mpfr_get_d(x.get(), MPFR_RNDN)};
}

}  // namespace

double any_precision_moment(const LawSpec& spec, double order, bool given_alive) {
  return mpfr_get_d(evaluate(digits::Quantity::kMoment, spec, order, given_alive).get(), MPFR_RNDN);
}

Real any_precision_log_scale(const LawSpec& spec, double order, bool given_alive) {
  return rounded(log(evaluate(digits::Quantity::kScale, spec, order, given_alive)));
}

Real any_precision_log_cumulant(const LawSpec& spec, int n) {
  return rounded(evaluate(digits::Quantity::kLogCumulant, spec, n, true));
}

std::complex<double> any_precision_complex_moment(const LawSpec& spec, std::complex<double> order,
                                                  bool given_alive) {
  const digits::Law law = checked_law(spec, order.real());
  const digits::ComplexRational s{digits::Rational(order.real()), digits::Rational(order.imag())};
  const digits::Complex value = digits::evaluate_complex(law, s, given_alive, kComplexDigits);
  return {value.re.to_double(), value.im.to_double()};
}

}  // namespace fracmoment
