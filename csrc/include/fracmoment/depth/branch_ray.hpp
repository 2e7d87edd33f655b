// The parts of one layer's transform that belong to its breaks, along a straight line.
#pragma once

#include <vector>

#include "fracmoment/depth/step_law.hpp"

namespace fracmoment {

// Points z = start + rho exp(i turn) of the upper half-plane, rho from 0 to infinity, as
// u = (1 + rho/|start|)^(-1/2) from 1 to 0: powers of z^(-1/2) are nearly powers of u.
struct Ray {
  Point start, direction;  // |direction| = 1
  double size;             // |start|

  Ray(const Point& from, const Point& to) : start(from), direction(to), size(std::abs(from)) {}
  Point at_u(double u) const { return start + direction * (size * (1.0 / (u * u) - 1.0)); }
  double u_of(double rho) const { return 1.0 / std::sqrt(1.0 + rho / size); }
  static double node(int k, int n);  // u at which a series of n terms takes its values
};

// A function of u from its values at the nodes.
class RaySeries {
 public:
  static constexpr int kTerms = 64;  // what the parts of one layer take

  explicit RaySeries(const std::vector<Point>& value);
  Point at(double u) const;
  double tail() const { return tail_; }  // size of the last coefficients

 private:
  std::vector<double> re_, im_;
  double tail_ = 0.0;
};

// The parts of all breaks of a law along a ray.
std::vector<RaySeries> branch_parts(const StepLaw& law, const Ray& ray);

// The threshold of a law for frequencies at an order: from there on its parts are exact.
double branch_frequency(const StepLaw& law, double order);

// The values of E exp(z y) beyond the branch frequency, on the line Re z = order.
class BranchLine {
 public:
  BranchLine(const StepLaw& law, double order, double first);
  // E exp(z (y - mean))/exp(log_mass), z = order + it.
  Point at(double t, double mean, double log_mass) const;
  // Size of the last coefficients of the parts, on the scale of `at`.
  double tail(double log_mass) const;

 private:
  const StepLaw& law_;
  Ray ray_;
  std::vector<RaySeries> part_;
};

}  // namespace fracmoment
