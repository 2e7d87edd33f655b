// High frequencies of the log gain of one orthogonal layer.
//
// Let B be the mean of the squared slopes b_j, weighted by the squares of a uniform direction in d
// dimensions. Its density is not analytic at the points b_i themselves, and there may be atoms. For
// Im p > 0 and away from the real axis
//   E B^p = sum_i A_i(p) b_i^p,
//   A_i(p) = Gamma(d/2) Gamma(1+p)/(2 pi i Gamma(d/2+p)) int exp(-p xi) L_i(xi)^d dxi,
//   L_i(xi) = E (1 - (b/b_i) exp(xi))^(-1/2),
// the integral from -i infinity on the left of the cut below xi = 0 around it, and back on its
// right. It is what is left of E X^p = 1/Gamma(-p) int t^(-p-1) L(t)^d dt, X = sum b_j z_j^2 and L
// the Laplace transform of one term, when the path of log t is moved below -i pi: once around every
// branch point t = -1/(2 b_i). What lies 2 pi lower is exp(-2 pi Im p), nothing.
//
// A_i tends to P(all slopes are b_i), by powers of p^(-1/2), in the whole upper half-plane: a path
// may be turned to either side for each i alone. See docs/algorithms/depth_law.md.
#pragma once

#include <vector>

#include "fracmoment/depth/scalar.hpp"
#include "fracmoment/gains/unit.hpp"

namespace fracmoment {

// Gamma(p+1)/Gamma(p+1/2), |p| >= 7, |arg p| <= 135 degrees: relative error below 4e-17.
Point half_step_ratio(const Point& p);

class BranchTransform {
 public:
  // Given that B is not 0, which has the probability exp(log_alive).
  BranchTransform(const UnitLaw& unit, const Real& log_alive);

  // log b_i, in descending order
  const std::vector<Real>& log_squares() const { return log_square_; }
  // The smallest |p| of p from 45 to 135 degrees, Im p >= 7, for which A_i(p) is good to rounding.
  double threshold() const { return threshold_; }
  Point part(std::size_t i, const Point& p) const;

 private:
  struct Walk;  // along the path of one integral
  Point transform(std::size_t i, const Point& xi, const Point& offset, Walk& walk) const;
  Point prefactor(const Point& p, const Point& c) const;
  double saddle(std::size_t i, double size) const;

  UnitLaw unit_;
  double alive_, threshold_ = 7.0;
  std::vector<Real> log_square_, square_;
  std::vector<double> rest_;  // of L_i at xi = 0, over the weight of (-xi)^(-1/2)
};

}  // namespace fracmoment
