// Moments of complex orders with great imaginary parts, and of great real orders, by an integral
// along a path that is chosen for the order.
//
// Hankel's loop integral of 1/Gamma, averaged over X, gives for every order of the domain
//     E[X^p; X > 0] = Gamma(p+1)/(2 pi i) integral e^(-p w) f(-e^w) dw,  f(t) = E e^(-tX) = L(t)^d,
// along a loop from +infinity - i H around the branch points on the real line to +infinity + i H,
// pi/2 < H <= pi. No derivative of L enters, so the cost does not grow with the order. For
// p = sigma + i q, q > 0, the continuation of continued_transform.hpp lets the ends turn downwards,
// where e^(-p w) decays like e^(-q |Im w|): an arch from x_1 - i infinity over the branch points to
// x_2 - i infinity. It sums the loops around the branch points at 0, -2 pi i, ..., each e^(2 pi i
// p) times the one before, so that it is 1/(1 - e^(2 pi i p)) times the loop.
//
// Arches and loops run close to a saddle point of the integrand, where it is hardly larger than the
// integral: the cancellation of e^(pi |q|/2) and more that a real path suffers is gone.
//
// The paths are analytic, with corners rounded by softplus functions, and take the trapezoidal
// rule. contour_plan.hpp chooses them in doubles, with steps, and with ends beyond which a bound of
// the integrand leaves nothing. The precision follows from the size of the sum itself. Two runs
// with other paths, steps and ends decide.
#pragma once

#include <optional>

#include "fracmoment/digits/contour_plan.hpp"

namespace fracmoment::digits {

// E[X^p; X > 0] (dual: under the dual measure), Im p >= 0, along the paths of a plan.
class ContourSum {
 public:
  ContourSum(const Law& law, bool dual, const ComplexRational& p, Bits target,
             const ContourPlan& plan)
      : law_(law),
        p_(p),
        dual_(dual),
        target_(target),
        plan_(plan),
        bits_(working_bits()),
        sum_{Real(bits_), Real(bits_)} {
    for (const PlannedPath& path : plan_.paths()) add(path);
  }

  // Logarithms of the sum and of a bound of its terms together, for the plan: ends, dropped nodes
  // and precision were right if the one is not smaller and the other not larger.
  double log_sum() const { return kLog2 * (symmetric() ? sum_.im.log2_abs() : sum_.log2_abs()); }
  double log_terms() const { return log_terms_; }

  Complex moment() const {
    Complex pi_p(bits_, p_);
    Real pi(bits_);
    mpfr_const_pi(pi.get(), kNearest);
    pi_p = pi_p * pi;
    const Rational one(1, 1);
    if (!plan_.arch()) {
      const Complex factor = gamma(bits_, ComplexRational{p_.re + one, p_.im});
      if (p_.im.sign() == 0) return Complex(sum_.im * factor.re / pi);
      return factor * Complex(sum_.im, -sum_.re) / (pi * 2);
    }
    const Complex turn = exp(Complex(-pi_p.im, pi_p.re));  // e^(i pi p)
    if (p_.re < Rational(-1, 2)) return sum_ * turn / gamma(bits_, {-p_.re, -p_.im});
    const Complex copies = one_minus(turn * turn);
    return gamma(bits_, ComplexRational{p_.re + one, p_.im}) * copies * Complex(sum_.im, -sum_.re) /
           (pi * 2);
  }

 private:
  bool symmetric() const { return p_.im.sign() == 0; }

  Bits working_bits() const {
    Bits bits = target_ + 40 + plan_.lost_bits();
    bits += 2 * magnitude_bits(static_cast<double>(law_.width)) + law_.cancellation_bits();
    bits += magnitude_bits((std::fabs(p_.re.to_double()) + std::fabs(p_.im.to_double()) + 1.0) *
                           plan_.reach());
    if (law_.kind == SlopeKind::kUniform) {
      bits += static_cast<Bits>((plan_.last_column() - least_x()) / (2.0 * kLog2)) + 8;
    }
    return bits;
  }

  double least_x() const {
    double least = 0.0;
    for (const PlannedPath& path : plan_.paths()) least = std::min(least, path.path.left);
    return least;
  }

  void add(const PlannedPath& planned) {
    const ContinuedTransform<Complex, Real> unit(law_, dual_, Real(bits_));
    const Complex order(bits_, p_);
    const Real step = Real::from_double(bits_, planned.step);
    double largest = -HUGE_VAL;
    Complex sum{Real(bits_), Real(bits_)};
    for (long k = 0; k <= planned.nodes; ++k) {
      const double at = planned.begin + planned.step * static_cast<double>(k);
      if ((symmetric() && at < 0.0) || !plan_.keep(planned.path, at)) continue;
      const PathValue<Real> v = follow(planned.path, Real::from_double(bits_, at));
      const Complex w(v.x, v.y);
      const Complex half = exp(w / Real(bits_, 2));
      const bool above = planned.path.arch || v.y.sign() >= 0;
      const Complex f = pow(unit({w, half, half * half, v.x.to_double(), above}), law_.width);
      Complex term = exp(Complex(Real(bits_), Real(bits_)) - order * w) * f * Complex(v.dx, v.dy);
      if (symmetric() && at == 0.0) term = term / Real(bits_, 2);
      sum = sum + term;
      largest = std::max(largest, term.log2_abs());
    }
    const double length = planned.step * static_cast<double>(planned.nodes + 1);
    log_terms_ = std::max(log_terms_, kLog2 * largest + std::log(length));
    sum_ = sum_ + sum * step;
  }

  const Law& law_;
  ComplexRational p_;
  bool dual_;
  Bits target_;
  const ContourPlan& plan_;
  Bits bits_;
  Complex sum_;
  double log_terms_ = -HUGE_VAL;
};

// E[X^p; X > 0] along a contour (dual: under the dual measure), or nothing where no path is found.
// paths: what the search for the first run found; the second run moves them.
inline std::optional<Complex> contour_moment(const Law& law, bool dual, const ComplexRational& p,
                                             Bits target, unsigned variant,
                                             std::vector<Path>& paths) {
  const ComplexRational upper{p.re, p.im.abs()};
  ContourPlan plan(law, dual, upper, target, variant, paths);
  paths = plan.found_paths();
  while (plan.found()) {
    const ContourSum sum(law, dual, upper, target, plan);
    // Within the margins of keep(), of the ends and of the working precision.
    if (sum.log_sum() > plan.log_sum() - 4.0 && sum.log_terms() < plan.log_terms() + 12.0) {
      Complex value = sum.moment();
      if (p.im.sign() < 0) value.im = -value.im;
      return value;
    }
    const double more = std::max(20.0, plan.log_terms() - plan.log_sum());
    plan.expect(std::max(sum.log_sum() - 4.0, plan.log_sum() - more), sum.log_terms());
  }
  return std::nullopt;
}

}  // namespace fracmoment::digits
