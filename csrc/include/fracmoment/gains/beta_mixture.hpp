// Distribution of the ratio law B = X/|g|^2 where a unit's squared slope takes two values low <
// high.
//
// Given n units of the larger one, 0 < n < d, B = low + (high - low) W with W ~ Beta(n/2, (d-n)/2)
// (theory.md section 2), n ~ Bin(d, theta); n = 0 and n = d are atoms at the ends. So the
// distribution function is a finite sum of regularized incomplete beta functions, all terms
// positive, which holds however close to the ends or the atoms.
#pragma once

#include <vector>

#include "fracmoment/gains/unit.hpp"

namespace fracmoment {

class BetaMixture {
 public:
  static constexpr double kLargestWidth = 256.0;  // beyond, contour integrals do

  // Whether a law is of this kind.
  static bool applies(const UnitLaw& unit);

  // Given R > 0, which has the probability exp(log_alive); W = 0 stands for R = 0 if low = 0.
  BetaMixture(const UnitLaw& unit, const Real& log_alive);

  // A point of W by its logit u = log(W/(1-W)), and by the logarithms of W and 1-W.
  struct Point {
    Real log_x, log_y;
  };
  static Point at_logit(const Real& u);
  Point at(const Real& r) const;  // W of B = r^2, low <= r^2 < high

  double cdf(const Point& w) const { return atom_low_ + tail(w, false); }
  double sf(const Point& w) const { return atom_high_ + tail(w, true); }
  double density(const Real& r) const;  // of sqrt(B)
  // sqrt(B) where the distribution function (or the survival function, if upper) is q.
  Real quantile(double q, bool upper) const;

 private:
  double tail(const Point& w, bool upper) const;
  double logit_density(const Point& w) const;

  double width_;
  Real low_, high_;
  double atom_low_ = 0.0, atom_high_ = 0.0;
  std::vector<Real> log_coefficient_;  // of P(n) / Beta function, n = 1..d-1
  std::vector<double> weight_;         // P(n)
};

}  // namespace fracmoment
