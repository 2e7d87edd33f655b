// The law of y = log R - origin of one layer, given R > 0, as sums of layers need it. The origin is
// the mean of log R, or its supremum where there is one: close to it y keeps all its digits.
//
// Three kinds: Gaussian weights, whose laws are analytic and have characteristic functions that
// fall exponentially; orthogonal weights, R = |phi(u)| with u a uniform direction, which are
// bounded, with atoms and singular points where all slopes of the layer are the same; and
// projections on `width` of `fan_in` dimensions, R^2 ~ Beta(width/2, (fan_in - width)/2), which
// come before the activation where orthogonal weights narrow the layer.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "fracmoment/depth/scalar.hpp"
#include "fracmoment/gains/law.hpp"

namespace fracmoment {

class StepLaw {
 public:
  // A point at which the density is not analytic, with the probability of the point itself.
  struct Break {
    Real at;
    double atom;
  };

  virtual ~StepLaw() = default;

  virtual void log_densities(const Real* y, double* out, std::size_t n) const = 0;
  // Upper bounds of log P(y < at), or of log P(y > at), and of log E exp(order y).
  virtual double log_tail(double at, bool upper) const = 0;
  virtual double log_moment(double order) const = 0;

  // Whether |E exp((order + it) y)|/E exp(order y) has a known bound that falls exponentially;
  // then its logarithm.
  virtual bool decays() const { return false; }
  virtual double log_decay(double /*order*/, double /*t*/) const { return 0.0; }
  // The smallest t with log_decay(order, t) <= -depth.
  double decayed(double order, double depth) const;

  // For laws with breaks: E exp(z y) = sum_i part(i, z) exp(z breaks[i].at) for |arg z - pi/2| <=
  // pi/4 where |z| >= threshold and Im z >= 14, each part with algebraic behaviour at infinity.
  virtual double threshold() const { return kInfinity; }
  virtual Point part(std::size_t /*i*/, const Point& /*z*/) const { return 0.0; }

  const Real& origin() const { return origin_; }
  const Real& mean() const { return mean_; }           // of y
  double spread() const { return spread_; }            // about the standard deviation
  double edge() const { return edge_; }                // orders below have no moments
  double power_limit() const { return power_limit_; }  // below, the density is exp(-edge y)
  // Whether a few units can rule the law far below: some may be dead, or have small slopes.
  bool bent() const { return bent_; }
  // Whether nothing that counts lies beyond a point where the density has become negligible.
  bool one_hill() const { return one_hill_; }
  const std::vector<Break>& breaks() const { return breaks_; }  // in ascending order
  double low() const { return low_; }
  double high() const { return high_; }
  bool is_point() const { return low_ == high_; }

 protected:
  Real origin_{0.0}, mean_{0.0};
  double spread_ = 1.0;
  double edge_ = -kInfinity, power_limit_ = -kInfinity;
  double low_ = -kInfinity, high_ = kInfinity;  // where the law lives
  bool bent_ = false, one_hill_ = true;
  std::vector<Break> breaks_;
};

std::unique_ptr<StepLaw> gain_step(const LawSpec& spec);
std::unique_ptr<StepLaw> projection_step(std::int64_t width, std::int64_t fan_in);

}  // namespace fracmoment
