// One vertical line of integration, ready for the inversion of a tilted law.
//
// With K(s) = log E exp(s Y) and phi_s the characteristic function of the law tilted by exp(s Y),
//   P(Y > y) = exp(K(s) - s y)/(2 pi) int phi_s(t) exp(-it (y - K'(s)))/(s + it) dt,  s > 0,
// and for s < 0 minus P(Y <= y). Where the density is analytic this is a trapezoidal sum (s = 0:
// midpoints), which replaces the law by its translates by 2 pi/step: exact to rounding if that
// exceeds the range of the law. Otherwise the line ends at a height T, and what is beyond is taken
// apart into the breaks of the law, each of which has its path turned by 45 degrees to the side
// where exp(z (break - y)) falls.
#pragma once

#include <vector>

#include "fracmoment/depth/step_sum.hpp"

namespace fracmoment {

class Rung {
 public:
  struct Value {
    double log_value, log_error;
  };

  Rung(const StepSum& sum, Tilt tilt);

  // P(Y > x) if the order is positive, P(Y <= x) if it is negative, at order 0 that on x's side of
  // the mean.
  Value tail(const Real& x) const;
  Value density(const Real& x) const;

  double order() const { return order_; }
  // log of the factor by which the law at x is tilted
  double log_front(double x) const { return log_mass_ - order_ * x; }

 private:
  struct Column {  // nodes first, first + step, ... with their weights
    double first;
    std::vector<Point> value, divided;  // phi and phi/(order + it)
  };
  // A sum of breaks of the layers: the tilted transform beyond T is the sum of part(u) exp(it at).
  struct Branch {
    Real at;
    RaySeries part;
  };

  void make_line(const StepSum& sum, const Tilt& tilt);
  void make_nodes(double last);
  void make_branches(const StepSum& sum, const Tilt& tilt, bool left);
  double line_integral(double x, bool divided) const;
  double branch_integral(const Branch& branch, const Real& x, bool left, bool divided) const;
  double integral(const Real& x, bool divided) const;

  double order_, log_mass_, mean_, height_;
  std::pair<double, double> log_neglected_;  // of probabilities and densities
  double low_, high_;                        // the tilted law has nothing beyond
  double step_ = 0.0;
  double rounding_ = 4e-16;  // of the integrals, over those of the moduli
  std::vector<Column> columns_;
  std::vector<Branch> branches_[2];  // with paths turned to the right and to the left
  double size_[2] = {0.0, 0.0};      // of the integrals of the moduli, of value and divided
};

}  // namespace fracmoment
