// Randomized slopes around 0: the Mellin integral of mellin.hpp where its right tail is slow.
//
// If 0 lies in [lower, upper] the tail of L(t) carries log t and has no power series. The integral
// is then taken by a double exponential substitution v = w - e^(w_1 - w) + e^(w - w_2), which turns
// tails e^(-rate |v|) into doubly exponential ones, so rates down to about 1e-14 cost little. w_1
// lies left of the bulk of the integrand, w_2 right of its last singularity (log of -1/(2 a^2) for
// the nonzero end points a), which keeps the strip of analyticity wide. The error has no bound that
// is uniform in the law here: the caller's comparison of two runs with different steps and
// substitutions decides.
//
// Far out sqrt(t) L(t) = lambda v + mu to working precision. Close to order -width, or for great
// widths at very negative orders, all the mass of the integral lies there; then it is a gamma
// function. Otherwise the nodes out there are taken from that formula, so that e^v may be beyond
// the range of any number format.
//
// With an atom (dropout) the part with one alive unit decays like e^(-(1/2+p) v) only and has the
// pole of the moment at p = -1/2; it is taken out and added back in closed form (single_unit.hpp).
#pragma once

#include <optional>
#include <vector>

#include "fracmoment/digits/mellin.hpp"

namespace fracmoment::digits {

// sqrt(t) L(t) = lambda (v + shift) beyond v = far, up to 2^-target, without an atom.
struct RemoteTransform {
  RemoteTransform(const Law& law, Bits target, Bits bits) : lambda(bits), shift(bits) {
    const Rational length = law.upper - law.lower;
    const bool two_sided = law.lower.sign() < 0;
    // asinh(a sqrt(2t)) = v/2 + log(a sqrt(8)) + O(1/t) at each nonzero end point.
    const Real root_two = sqrt(Real(bits, 2));
    const Real share = Real(bits, law.slope / length) / root_two;
    Real logs = log(Real(bits, law.upper) * root_two * 2);
    if (two_sided) logs += log(Real(bits, law.lower.abs()) * root_two * 2);
    lambda = share * (two_sided ? 2 : 1) / 2;
    shift = (Real(bits, law.one) / root_two + share * logs) / lambda;
    far = (static_cast<double>(target) + 16.0 - 2.0 * law.log2_smallest()) * kLog2 +
          std::log(static_cast<double>(law.width)) + std::fabs(shift.to_double()) + 2.0;
  }
  Real lambda, shift;
  double far;
};

// What remote_tail_moment found: whether all of the moment comes from v > far, and if so its value
// where the closed form holds.
struct RemoteTail {
  bool everything = false;
  std::optional<Complex> value;
};

// E X^p for p < 0 without an atom where the remote part is everything: with delta = d/2+p,
//     1/Gamma(-p) integral e^(-delta v) (lambda v + mu)^d dv
//         = lambda^d e^(delta mu/lambda) d! / (delta^(d+1) Gamma(-p)).
// sqrt(t) L(t) increases with t; so what lies before v = far is at most about far (far lambda)^d,
// which has to be negligible. So has the next term of sqrt(t) L(t), a multiple of e^(-v)/a^2, a the
// smallest end. On the real line v > far makes it negligible; else it replaces delta^(d+1) by
// (delta+1)^(d+1), hardly larger in modulus where the imaginary part is great: no value then. A sum
// along the real line would cancel |delta/Re delta|^d times there.
inline RemoteTail remote_tail_moment(const Law& law, const ComplexRational& order, Bits target) {
  const Rational& p = order.re;
  if (law.has_atom() || p.sign() >= 0) return {};
  const Bits bits = target + 40 + 2 * magnitude_bits(static_cast<double>(law.width)) +
                    law.cancellation_bits() +
                    magnitude_bits(std::fabs(order.im.to_double()) - p.to_double());
  const Complex delta(bits, {law.half_width() + p, order.im});
  const auto width = static_cast<double>(law.width);
  const RemoteTransform remote(law, target, bits);
  const double log_far = std::log(remote.far) + delta.log2_abs() * kLog2;
  if ((width + 1.0) * log_far - log_abs_gamma(width + 1.0, 0.0) >
      -(static_cast<double>(target) + 16.0) * kLog2) {
    return {};
  }
  const Complex next(bits, {law.half_width() + p + Rational(1, 1), order.im});
  const double gain = width * (next.log2_abs() - delta.log2_abs());
  const double loss = (width + 1.0) * (delta.log2_abs() - (law.half_width() + p).log2_abs());
  const double needed = static_cast<double>(target) + 16.0 + std::log2(width);
  if (loss > 8.0 && gain < needed - 2.0 * law.log2_smallest()) return {true, std::nullopt};
  Real factorial(bits);
  mpfr_gamma(factorial.get(), Real(bits, static_cast<long>(law.width) + 1).get(), kNearest);
  const Real log_lambda = log(remote.lambda) * static_cast<long>(law.width);
  const Complex log_power = log(delta) * Real(bits, static_cast<long>(law.width) + 1);
  return {true, exp(delta * remote.shift + Complex(log_lambda) - log_power) * factorial /
                    gamma(bits, {-p, -order.im})};
}

class VanishingSlopeSum {
 public:
  VanishingSlopeSum(const Law& law, const ComplexRational& p, unsigned long cumulants, Bits target,
                    unsigned variant)
      : law_(law),
        p_(p.re),
        frequency_(p.im),
        m_(static_cast<unsigned long>(
            std::max(law.has_atom() || cumulants > 0 ? 1L : 0L, (p.re + Rational(1, 2)).ceil()))),
        split_(law.has_atom() && cumulants == 0),
        target_(target) {
    place(variant);
    sum(cumulants);
  }

  Complex moment() const {
    Real factorial(bits_);
    mpfr_fac_ui(factorial.get(), m_, kNearest);
    const Rational alpha = Rational(static_cast<long>(m_), 1) - p_;
    const Complex value = Complex(s_[0], s_[1]) * Real::from_double(bits_, step_) * factorial /
                          gamma(bits_, {alpha, -frequency_});
    if (!split_) return value;
    // d atom^(d-1) E[(b z^2)^p; b > 0].
    const ComplexRational p{p_, frequency_};
    return value + chi_square_moment(bits_, 1, p) * squared_slope_moment(bits_, law_, p) *
                       one_alive_weight();
  }

  std::vector<Real> log_cumulants() const { return log_cumulants_from_nodes(s_, 0.0, m_); }

 private:
  Real one_alive_weight() const {
    return pow(Real(bits_, law_.atom), law_.width - 1) * static_cast<long>(law_.width);
  }

  // Step, centers of the substitution, range of w and working precision.
  void place(unsigned variant) {
    const double wiggle = static_cast<double>(variant);
    const double alpha = (Rational(static_cast<long>(m_), 1) - p_).to_double();
    const double decay = (static_cast<double>(target_) + 24.0) * kLog2;
    const double mean_log =
        std::log(static_cast<double>(law_.width)) + 2.0 * kLog2 * law_.log2_largest();
    const Rational half = law_.has_atom() ? Rational(split_ ? 2 : 1, 2) : law_.half_width();
    const double rate = (half + p_).to_double();
    const double lengthen = static_cast<double>(law_.width);  // room for the powers of log t
    left_center_ = -mean_log - 1.5 - 0.3 * wiggle;
    right_center_ = -2.0 * kLog2 * law_.log2_smallest() + 1.0 + 0.3 * wiggle;
    const double left_reach = 2.0 * decay / alpha + std::fabs(left_center_) + 8.0;
    const double right_reach =
        right_center_ + (2.0 * decay + 4.0 * lengthen * std::log(2.0 + lengthen / rate)) / rate;
    if (!(right_reach < 1e300)) {
      throw ConvergenceError(
          "the order is within 1e-296 of -width for a randomized slope whose range contains 0; "
          "move "
          "it away from the edge of the domain");
    }
    left_ = short_double(left_center_ - std::log(left_reach) - 1.0);
    right_ = right_center_ + std::log(right_reach + 2.0) + 1.0;
    // The peak of the integrand is no narrower than about 1/sqrt(alpha + rate); one far out, where
    // the integrand is e^(-delta v) v^d, no narrower than 1/sqrt(d) in w.
    double strip = 0.5 * kPi / (1.0 + 0.02 * std::sqrt(alpha));
    // Tails e^(-(rate + iq) v) grow beyond the angle atan(rate/q) in w.
    const double wave = std::fabs(frequency_.to_double());
    if (wave > 0.0) strip = std::min(strip, 0.9 * std::atan2(std::min(alpha, rate), wave));
    const double remote = law_.has_atom() ? 0.0 : std::sqrt(2.0 * lengthen * decay);
    const double frequency = std::max(decay / strip, remote);
    step_ = short_double(2.0 * kPi * 0.8 / frequency * (1.0 - 0.11 * wiggle));
    bits_ = target_ + 48 + 2 * magnitude_bits(static_cast<double>(law_.width)) +
            magnitude_bits((std::fabs(p_.to_double()) + wave + 1.0) * (right_reach + left_reach)) +
            law_.cancellation_bits() + UnitTransform::lost_bits(law_, m_, target_);
  }

  void sum(unsigned long cumulants) {
    s_.assign(std::max(cumulants, 1UL) + 1, Real(bits_));
    UnitTransform unit(law_, false, bits_, UnitTransform::small_exponent(m_, target_));
    PowerCoefficient power(law_.width, m_, bits_);
    std::vector<Real> u(m_ + 1, Real(bits_));
    const Real one(bits_, 1);
    const Real split_weight = split_ ? one_alive_weight() : Real(bits_);
    const Real exponent(bits_, -p_);
    const Real wave(bits_, frequency_);
    const Real rate(bits_, law_.half_width() + p_);
    const RemoteTransform remote(law_, target_, bits_);
    const bool has_remote = !law_.has_atom() && m_ == 0;
    const auto count = static_cast<long>((right_ - left_) / step_);
    const Real growth = exp(Real::from_double(bits_, step_));
    const Real start = Real::from_double(bits_, left_);
    Real down = exp(Real::from_double(bits_, left_center_) - start);
    Real up = exp(start - Real::from_double(bits_, right_center_));
    for (long i = 0; i <= count; ++i) {
      const Real w = Real::from_double(bits_, left_ + step_ * static_cast<double>(i));
      if (i > 0) {
        down /= growth;
        up *= growth;
      }
      const Real v = w - down + up;
      Real f(bits_);
      if (has_remote && v.to_double() > remote.far) {
        f = pow(remote.lambda * (v + remote.shift), law_.width) * exp(-rate * v);
      } else {
        unit(exp(v), u);
        f = power(u);
        if (split_) f -= split_weight * u[m_];
        f *= exp(exponent * v);
      }
      f *= one + down + up;
      if (frequency_.sign() != 0) {
        const Complex part = unit_circle(-(wave * v)) * f;
        s_[0] += part.re;
        s_[1] += part.im;
        continue;
      }
      s_[0] += f;
      for (unsigned long k = 1; k <= cumulants; ++k) {
        f *= v;
        s_[k] += f;
      }
    }
  }

  const Law& law_;
  Rational p_, frequency_;
  unsigned long m_;
  bool split_;
  Bits target_;
  Bits bits_ = 0;
  double step_ = 0.0, left_ = 0.0, right_ = 0.0, left_center_ = 0.0, right_center_ = 0.0;
  std::vector<Real> s_;
};

}  // namespace fracmoment::digits
