// One unit under the Laplace transform, with the derivatives that the Mellin integrals need:
//     u_j(t) = E_b[ (1/2)_j/j! sqrt(y) (1-y)^j ],  y = 1/(1+2tb),
// the coefficients of eps^j in E exp(-t(1-eps) b z^2). All are positive; nothing cancels.
//
// The dual transform replaces b by 1/b under the measure b^(-1/2) dP (see mellin.hpp): the same
// with sqrt(y) -> (b+2t)^(-1/2) and 1-y -> 2t/(b+2t).
#pragma once

#include <vector>

#include "fracmoment/digits/gamma.hpp"
#include "fracmoment/digits/law.hpp"

namespace fracmoment::digits {

class UnitTransform {
 public:
  // small_exponent: arguments x^2 < 2^-small_exponent take the series of add_small.
  UnitTransform(const Law& law, bool dual, Bits bits, Bits small_exponent)
      : kind_(law.kind),
        dual_(dual),
        has_atom_(law.has_atom()),
        bits_(bits),
        small_(std::ldexp(1.0, -static_cast<int>(small_exponent))),
        one_(bits, law.one),
        slope_(bits, law.slope),
        atom_(bits, law.atom),
        lower_(bits, law.lower),
        upper_(bits, law.upper),
        square_(bits, law.upper * law.upper),
        length_(bits, law.upper - law.lower),
        two_t_(bits),
        root_(bits),
        den_(bits),
        g_(bits),
        w_(bits),
        high_(bits),
        low_(bits),
        k_(bits) {}

  // About 50 terms of the series at m = 1: balances them against the bits that the recurrence
  // loses, at most lost_bits.
  static Bits small_exponent(unsigned long m, Bits target) {
    return 4 + target / static_cast<Bits>(50 * std::max(m, 1UL));
  }
  static Bits lost_bits(const Law& law, unsigned long m, Bits target) {
    if (law.kind != SlopeKind::kUniform) return 0;
    return static_cast<Bits>(m) * (2 + small_exponent(m, target));
  }

  // Fills u_0..u_m, m = u.size() - 1.
  void operator()(const Real& t, std::vector<Real>& u) {
    mpfr_mul_2ui(two_t_.get(), t.get(), 1, kNearest);
    mpfr_add_ui(den_.get(), two_t_.get(), 1, kNearest);
    for (Real& value : u) mpfr_set_zero(value.get(), 1);
    add_point(u, one_, nullptr);
    if (kind_ == SlopeKind::kPoint) {
      if (dual_) {
        mpfr_add(den_.get(), square_.get(), two_t_.get(), kNearest);
      } else {
        mpfr_mul(den_.get(), square_.get(), two_t_.get(), kNearest);
        mpfr_add_ui(den_.get(), den_.get(), 1, kNearest);
      }
      add_point(u, slope_, dual_ ? nullptr : &square_);
    } else if (kind_ == SlopeKind::kUniform) {
      add_uniform(u);
    }
    if (has_atom_) u[0] += atom_;
  }

 private:
  // weight * den^(-1/2) (2t b/den)^j (1/2)_j/j!, b = 1 if absent.
  void add_point(std::vector<Real>& u, const Real& weight, const Real* b) {
    mpfr_sqrt(g_.get(), den_.get(), kNearest);
    mpfr_div(g_.get(), weight.get(), g_.get(), kNearest);
    u[0] += g_;
    if (u.size() == 1) return;
    mpfr_div(w_.get(), two_t_.get(), den_.get(), kNearest);
    if (b != nullptr) w_ *= *b;
    for (std::size_t j = 1; j < u.size(); ++j) {
      g_ *= w_;
      mpfr_mul_ui(g_.get(), g_.get(), 2 * j - 1, kNearest);
      mpfr_div_ui(g_.get(), g_.get(), 2 * j, kNearest);
      u[j] += g_;
    }
  }

  // The slope integral: with x = a sqrt(2t) (dual: a/sqrt(2t)), integrals of x^(2j)
  // (1+x^2)^(-1/2-j) (dual: (1+x^2)^(-1/2-j)) between the images of the end points, divided by u -
  // l.
  void add_uniform(std::vector<Real>& u) {
    mpfr_sqrt(root_.get(), two_t_.get(), kNearest);
    Real high = dual_ ? upper_ / root_ : upper_ * root_;
    Real low = dual_ ? lower_ / root_ : lower_ * root_;
    mpfr_div(g_.get(), slope_.get(), length_.get(), kNearest);
    if (!dual_) g_ /= root_;
    const Real one(bits_, 1);
    const Real high_square = high * high + one;
    const Real low_square = low * low + one;
    const Real high_root = sqrt(high_square);
    const Real low_root = sqrt(low_square);
    const double largest = std::max(high.to_double(), -low.to_double());
    if (!dual_ && u.size() > 1 && largest * largest < small_) {
      high_ = high / high_root;
      low_ = low / low_root;
      add_small(u);
      return;
    }
    // asinh(high) - asinh(low); for low < 0 the quotient would cancel, so use oddness.
    if (low.sign() >= 0) {
      k_ = log((high + high_root) / (low + low_root));
    } else {
      k_ = log((high + high_root) * (low_root - low));
    }
    mpfr_mul(w_.get(), k_.get(), g_.get(), kNearest);
    u[0] += w_;
    high_ = high / high_root;
    low_ = low / low_root;
    if (dual_) {
      recur_dual(u, one / high_square, one / low_square);
    } else {
      recur(u, high_ * high_, low_ * low_);
    }
  }

  // J_j = J_{j-1} - [T^(2j-1)]/(2j-1), T = x/sqrt(1+x^2). Loses a factor T^2 with every step;
  // the smallest T take the series instead.
  void recur(std::vector<Real>& u, const Real& high_step, const Real& low_step) {
    Real& step = w_;
    for (std::size_t j = 1; j < u.size(); ++j) {
      mpfr_sub(step.get(), high_.get(), low_.get(), kNearest);
      mpfr_div_ui(step.get(), step.get(), 2 * j - 1, kNearest);
      k_ -= step;
      high_ *= high_step;
      low_ *= low_step;
      add_scaled(u, j);
    }
  }

  // Small x: J_m = sum_{i>=m} [T^(2i+1)]/(2i+1), as asinh x = atanh T, then the recurrence
  // backwards, which adds positive terms only.
  void add_small(std::vector<Real>& u) {
    const std::size_t m = u.size() - 1;
    const Real high_step = high_ * high_;
    const Real low_step = low_ * low_;
    std::vector<Real> differences;  // [T^(2j+1)]/(2j+1), j < m
    Real& term = w_;
    const auto next = [&](std::size_t i) {
      mpfr_sub(term.get(), high_.get(), low_.get(), kNearest);
      mpfr_div_ui(term.get(), term.get(), 2 * i + 1, kNearest);
      high_ *= high_step;
      low_ *= low_step;
    };
    for (std::size_t j = 0; j < m; ++j) {
      next(j);
      differences.push_back(term);
    }
    mpfr_set_zero(k_.get(), 1);
    for (std::size_t i = m;; ++i) {
      next(i);
      k_ += term;
      if (term.log2_abs() < k_.log2_abs() - static_cast<double>(bits_)) break;
    }
    // g_ = slope/(u-l)/sqrt(2t) times (1/2)_m/m!, taken back one factor at a time.
    for (std::size_t j = 1; j <= m; ++j) {
      mpfr_mul_ui(g_.get(), g_.get(), 2 * j - 1, kNearest);
      mpfr_div_ui(g_.get(), g_.get(), 2 * j, kNearest);
    }
    for (std::size_t j = m;; --j) {
      mpfr_mul(w_.get(), g_.get(), k_.get(), kNearest);
      u[j] += w_;
      if (j == 0) break;
      k_ += differences[j - 1];
      mpfr_mul_ui(g_.get(), g_.get(), 2 * j, kNearest);
      mpfr_div_ui(g_.get(), g_.get(), 2 * j - 1, kNearest);
    }
  }

  // K_j = ((2j-2) K_{j-1} + [T y^(j-1)])/(2j-1), y = 1/(1+x^2).
  void recur_dual(std::vector<Real>& u, const Real& high_step, const Real& low_step) {
    Real& step = w_;
    for (std::size_t j = 1; j < u.size(); ++j) {
      mpfr_sub(step.get(), high_.get(), low_.get(), kNearest);
      mpfr_mul_ui(k_.get(), k_.get(), 2 * j - 2, kNearest);
      k_ += step;
      mpfr_div_ui(k_.get(), k_.get(), 2 * j - 1, kNearest);
      high_ *= high_step;
      low_ *= low_step;
      add_scaled(u, j);
    }
  }

  // u_j += (1/2)_j/j! slope/(u-l) K_j; g_ carries the factor.
  void add_scaled(std::vector<Real>& u, std::size_t j) {
    mpfr_mul_ui(g_.get(), g_.get(), 2 * j - 1, kNearest);
    mpfr_div_ui(g_.get(), g_.get(), 2 * j, kNearest);
    mpfr_mul(w_.get(), g_.get(), k_.get(), kNearest);
    u[j] += w_;
  }

  SlopeKind kind_;
  bool dual_, has_atom_;
  Bits bits_;
  double small_;
  Real one_, slope_, atom_, lower_, upper_, square_, length_;
  Real two_t_, root_, den_, g_, w_, high_, low_, k_;
};

}  // namespace fracmoment::digits
