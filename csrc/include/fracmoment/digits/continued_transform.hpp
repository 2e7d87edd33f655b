// The Laplace transform of one unit, continued to complex arguments.
//
// With t = -e^w, L(t) = E (1 - 2 b e^w)^(-1/2) is analytic in w but for branch points at
// w = -log(2b) + 2 pi i k. Paths here pass those of k = 0 above (arches), or on both sides (loops,
// where the branch is that of the sign of Im w). Right of the branch point, with z = w + log(2b),
//     (1 - e^z)^(-1/2) = +-i e^(-z/2) (1 - e^(-z))^(-1/2)
// goes on analytically however far w moves down, so a path may end at w = x - i infinity.
//
// The dual transform replaces b by 1/b under the measure b^(-1/2) dP (see mellin.hpp). Everything
// is a template of the numbers, double for planning and MPFR for sums.
#pragma once

#include <complex>
#include <vector>

#include "fracmoment/digits/complex.hpp"
#include "fracmoment/digits/law.hpp"

namespace fracmoment::digits {

using Complex64 = std::complex<double>;
using std::log;
using std::sqrt;

// What the template needs of its numbers.
inline double number_of(double, const Rational& x) { return x.to_double(); }
inline Real number_of(const Real& like, const Rational& x) { return {like.bits(), x}; }
inline double number_of(double, double x) { return x; }
inline Complex64 number_of(const Complex64&, double x) { return x; }
inline Real number_of(const Real& like, double x) { return Real::from_double(like.bits(), x); }
inline Complex64 complex_of(double re, double im) { return {re, im}; }
inline Complex complex_of(Real re, Real im) { return {std::move(re), std::move(im)}; }
inline Complex64 one_plus(const Complex64& z) { return 1.0 + z; }
inline Complex one_plus(const Complex& z) { return {z.re + Real(z.re.bits(), 1), z.im}; }
inline Complex64 one_minus(const Complex64& z) { return 1.0 - z; }
inline Complex one_minus(const Complex& z) { return {Real(z.re.bits(), 1) - z.re, -z.im}; }
inline Complex64 reciprocal(const Complex64& z) { return 1.0 / z; }
inline Complex reciprocal(const Complex& z) {
  const Real square = z.re * z.re + z.im * z.im;
  return {z.re / square, -(z.im / square)};
}
// i z, or -i z
inline Complex64 quarter_turn(const Complex64& z, bool left) {
  return left ? Complex64(-z.imag(), z.real()) : Complex64(z.imag(), -z.real());
}
inline Complex quarter_turn(const Complex& z, bool left) {
  return left ? Complex(-z.im, z.re) : Complex(z.im, -z.re);
}

// A point of a path with what its evaluation needs.
template <class C>
struct PathPoint {
  C w, half;   // half = e^(w/2)
  C power;     // e^w
  double x;    // Re w
  bool above;  // which side of the branch points the path takes
};

template <class C, class R>
class ContinuedTransform {
 public:
  // like: any number of the wanted precision.
  ContinuedTransform(const Law& law, bool dual, const R& like)
      : kind_(law.kind),
        dual_(dual),
        one_(number_of(like, law.one)),
        slope_(number_of(like, law.slope)),
        atom_(number_of(like, law.atom)),
        root_two_(sqrt(number_of(like, Rational(2, 1)))),
        zero_(number_of(like, Rational())),
        half_pi_(zero_) {
    set_half_pi(half_pi_);
    unit_ = end(like, Rational(1, 1));
    if (kind_ == SlopeKind::kNone) return;
    upper_ = end(like, law.upper);
    if (kind_ == SlopeKind::kPoint) {
      if (dual_) slope_ /= upper_[0].value;
      return;
    }
    slope_ /= number_of(like, law.upper - law.lower);
    negative_lower_ = law.lower.sign() < 0;
    if (law.lower.sign() != 0) lower_ = end(like, law.lower.abs());
  }

  C operator()(const PathPoint<C>& at) const {
    C value = inverse_root(at, unit_[0]) * one_;
    if (kind_ == SlopeKind::kPoint) value = value + inverse_root(at, upper_[0]) * slope_;
    if (kind_ == SlopeKind::kUniform) value = value + uniform(at);
    return value + complex_of(atom_, zero_);
  }

 private:
  // |a|, where its branch point is, and 2b (dual: 2/b) with its root.
  struct End {
    R value, logarithm, twice, root;
    double column;
  };

  std::vector<End> end(const R& like, const Rational& slope) const {
    const R a = number_of(like, slope);
    const R root = dual_ ? R(root_two_ / a) : R(root_two_ * a);
    const double log_a = kLog2 * slope.log2_abs();
    return {End{a, R(log(root)), R(root * root), root, (dual_ ? 2.0 : -2.0) * log_a - kLog2}};
  }

  static void set_half_pi(double& x) { x = 0.5 * kPi; }
  static void set_half_pi(Real& x) {
    mpfr_const_pi(x.get(), kNearest);
    x /= 2;
  }

  // (1 - 2b e^w)^(-1/2)
  static C inverse_root(const PathPoint<C>& at, const End& end) {
    const C z = at.power * end.twice;
    if (at.x <= end.column) return reciprocal(sqrt(one_minus(z)));
    return quarter_turn(reciprocal(at.half * end.root * sqrt(one_minus(reciprocal(z)))), at.above);
  }

  C uniform(const PathPoint<C>& at) const {
    C difference = dual_ ? inverse_secant(at, upper_[0]) : arc_sine(at, upper_[0]);
    if (!lower_.empty()) {
      const C low = dual_ ? inverse_secant(at, lower_[0]) : arc_sine(at, lower_[0]);
      difference = negative_lower_ ? difference + low : difference - low;
    }
    if (dual_) return difference * slope_;
    return difference * slope_ / (at.half * root_two_);
  }

  // arcsin z, z = a sqrt(2) e^(w/2), whose derivative in a is sqrt(2) e^(w/2) (1-z^2)^(-1/2).
  C arc_sine(const PathPoint<C>& at, const End& end) const {
    const C z = at.half * end.root;
    if (at.x <= end.column) {
      return quarter_turn(log(quarter_turn(z, true) + sqrt(one_minus(z * z))), false);
    }
    const C inverse = reciprocal(z);
    const C value = log_argument(at, end) + log(one_plus(sqrt(one_minus(inverse * inverse))));
    return quarter_turn(value, at.above) + complex_of(half_pi_, zero_);
  }

  // log((1 + sqrt(1-z^2))/z), z = sqrt(2) e^(w/2)/a, whose derivative in a is (a^2-2e^w)^(-1/2).
  C inverse_secant(const PathPoint<C>& at, const End& end) const {
    const C z = at.half * end.root;
    if (at.x <= end.column) {
      return log(one_plus(sqrt(one_minus(z * z)))) - log_argument(at, end);
    }
    const C inverse = reciprocal(z);
    const C root = sqrt(one_minus(inverse * inverse));
    const C turn = complex_of(zero_, half_pi_);
    const C value = log(root + quarter_turn(inverse, at.above));
    return at.above ? value - turn : value + turn;
  }

  // log z, continued
  C log_argument(const PathPoint<C>& at, const End& end) const {
    return at.w / number_of(half_pi_, 2.0) + complex_of(end.logarithm, zero_);
  }

  SlopeKind kind_;
  bool dual_, negative_lower_ = false;
  R one_, slope_, atom_, root_two_, zero_, half_pi_;
  std::vector<End> unit_, upper_, lower_;  // of one end, or none
};

}  // namespace fracmoment::digits
