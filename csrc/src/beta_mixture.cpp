// Sums of incomplete beta functions of half-integers: see beta_mixture.hpp.
#include "fracmoment/gains/beta_mixture.hpp"

#include <algorithm>
#include <cmath>

#include "fracmoment/special/log_gamma.hpp"

namespace fracmoment {
namespace {

// a B(a,b) x^(-a) (1-x)^(-b) I_x(a,b), the continued fraction [DLMF 8.17.22], for x below
// (a+1)/(a+b+2), by Lentz's algorithm.
double incomplete_beta_fraction(double a, double b, double x) {
  double c = 1.0, d = 1.0 / (1.0 - (a + b) * x / (a + 1.0)), value = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
    d = 1.0 / (1.0 + even * d);
    c = 1.0 + even / c;
    value *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
    d = 1.0 / (1.0 + odd * d);
    c = 1.0 + odd / c;
    value *= d * c;
    if (std::abs(d * c - 1.0) < 2e-16) break;
  }
  return value;
}

Real log_beta(double a, double b) {
  return log_gamma(Real(a)) + log_gamma(Real(b)) - log_gamma(Real(a + b));
}

// The larger squared slope, its probability, and the smaller one (0 for dead units).
struct TwoPoints {
  Real low{0.0}, high, theta;
};
TwoPoints two_points(const UnitLaw& unit) {
  if (unit.points == 1) return {Real(0.0), unit.point[0], unit.weight[0]};
  const int larger = unit.point[0].hi > unit.point[1].hi ? 0 : 1;
  return {unit.point[1 - larger], unit.point[larger], unit.weight[larger]};
}

}  // namespace

bool BetaMixture::applies(const UnitLaw& unit) {
  const bool two = unit.points == (unit.dead.hi > 0.0 ? 1 : 2);
  return two && !unit.uniform && unit.width > 1.0 && unit.width <= kLargestWidth;
}

BetaMixture::BetaMixture(const UnitLaw& unit, const Real& log_alive) : width_(unit.width) {
  const TwoPoints points = two_points(unit);
  low_ = points.low;
  high_ = points.high;
  const Real log_theta = log(points.theta), log_rest = log1p(-points.theta);
  const Real log_all = log_gamma(Real(width_ + 1.0)) - log_alive;
  if (unit.dead.hi == 0.0) atom_low_ = exp_rounded(log_rest * width_);
  atom_high_ = exp_rounded(log_theta * width_ - log_alive);
  for (double n = 1.0; n < width_; n += 1.0) {
    const Real log_choose = log_all - log_gamma(Real(n + 1.0)) - log_gamma(Real(width_ - n + 1.0));
    const Real log_weight = log_choose + log_theta * n + log_rest * (width_ - n);
    weight_.push_back(exp_rounded(log_weight));
    log_coefficient_.push_back(log_weight - log_beta(0.5 * n, 0.5 * (width_ - n)));
  }
}

BetaMixture::Point BetaMixture::at_logit(const Real& u) {
  const Real near = log1p(exp(u.hi > 0.0 ? -u : u));
  return u.hi > 0.0 ? Point{-near, -u - near} : Point{u - near, -near};
}

BetaMixture::Point BetaMixture::at(const Real& r) const {
  const Real log_span = log(high_ - low_), log_y = log(high_ - r * r) - log_span;
  if (low_.hi == 0.0) return {log(r) * 2.0 - log_span, log_y};  // r^2 may underflow
  const Real above = r * r - low_;
  if (above.hi <= 0.0) return {Real(-1e5), Real(0.0)};  // at the atom
  return {log(above) - log_span, log_y};
}

// sum_n P(n) I_x(n/2, (d-n)/2), or of the complements. Each term comes from the side of its mean on
// which the continued fraction converges; there the other side is not small.
double BetaMixture::tail(const Point& w, bool upper) const {
  const double x = exp_rounded(w.log_x), y = exp_rounded(w.log_y);
  double sum = 0.0;
  for (std::size_t i = 0; i < weight_.size(); ++i) {
    const double a = 0.5 * double(i + 1), b = 0.5 * width_ - a;
    const bool left = x < (a + 1.0) / (a + b + 2.0);
    const double power = exp_rounded(log_coefficient_[i] + w.log_x * a + w.log_y * b);
    const double part = left ? power / a * incomplete_beta_fraction(a, b, x)
                             : power / b * incomplete_beta_fraction(b, a, y);
    sum += left == upper ? weight_[i] - part : part;
  }
  return sum;
}

// The derivative of the distribution function with respect to the logit.
double BetaMixture::logit_density(const Point& w) const {
  double sum = 0.0;
  for (std::size_t i = 0; i < weight_.size(); ++i) {
    const double a = 0.5 * double(i + 1);
    sum += exp_rounded(log_coefficient_[i] + w.log_x * a + w.log_y * (0.5 * width_ - a));
  }
  return sum;
}

double BetaMixture::density(const Real& r) const {
  const Point w = at(r);  // du = (high - low) 2 r dr/((r^2 - low)(high - r^2)), u the logit of W
  const Real log_jacobian =
      log(r * 2.0) - w.log_x - w.log_y - log(high_ - low_) + log(Real(logit_density(w)));
  return exp_rounded(log_jacobian);
}

// Newton's method for the logarithm of the smaller side as a function of the logit, kept inside a
// bracket. The last step is added in double-double.
Real BetaMixture::quantile(double q, bool upper) const {
  const bool low_side = (q <= 0.5) != upper;
  const double want = std::min(q, 1.0 - q) - (low_side ? atom_low_ : atom_high_);
  if (want <= 0.0) return square_root(low_side ? low_ : high_);
  double lo = -3000.0, hi = 3000.0, u = 0.0;
  Real root{0.0};
  for (int round = 0; round < 200; ++round) {
    const Point w = at_logit(Real(u));
    const double have = tail(w, !low_side);
    const double error = have > 0.0 ? log(Real(have) / Real(want)).hi : -700.0;
    ((error > 0.0) == low_side ? hi : lo) = u;
    const double slope = have > 0.0 ? logit_density(w) / have : 0.0;
    const double step = slope > 0.0 ? (low_side ? -error : error) / slope : 0.0;
    root = two_sum(u, step);
    if (slope > 0.0 && std::abs(step) < 1e-12 * std::max(1.0, std::abs(u))) break;
    u = slope > 0.0 && root.hi > lo && root.hi < hi ? root.hi : 0.5 * (lo + hi);
    if (hi - lo < 1e-13) break;
  }
  const Point w = at_logit(root);
  const Real span = high_ - low_;
  if (low_.hi == 0.0) return exp((w.log_x + log(span)) * 0.5);
  return square_root(root.hi > 0.0 ? high_ - span * exp(w.log_y) : low_ + span * exp(w.log_x));
}

}  // namespace fracmoment
