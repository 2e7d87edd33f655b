// Laws of one layer's log gain: see step_law.hpp.
#include "fracmoment/depth/step_law.hpp"

#include <algorithm>

#include "fracmoment/depth/branch_transform.hpp"
#include "fracmoment/error.hpp"
#include "fracmoment/gains/rules.hpp"
#include "fracmoment/special/log_gamma.hpp"
#include "fracmoment/special/polygamma.hpp"

namespace fracmoment {
namespace {

constexpr double kCertain = 700.0;  // exp(-700): below every probability that is asked for

Real mean_log(const GainLaw& law) {
  const double zero = 0.0;
  Real value;
  law.log_scales(&zero, &value, 1, true);
  return -value;
}

// Below which y the density of log R is C exp(lambda y) to rounding; -infinity if slopes come
// arbitrarily near to 0.
double power_limit_of(const LawSpec& spec, const Description& law, double log_mean) {
  if (law.unit.uniform && law.through_zero) return -kInfinity;
  double least = 1.0;
  for (int i = 0; i < law.unit.points; ++i)
    if (law.unit.point[i].hi > 0.0) least = std::min(least, law.unit.point[i].hi);
  if (law.unit.uniform) least = std::min(least, law.unit.lower.hi * law.unit.lower.hi);
  // relative corrections are R^2 over the smallest square, and R if units can be dead
  const double distance = law.atom && spec.width > 1 ? 40.0 : 20.0;
  return 0.5 * log_of(least) + log(law.factor).hi - log_mean - distance;
}

// log |Gamma(a + ib)|/Gamma(a) to 1e-6: recurrence, then Stirling's formula.
double log_gamma_decay(double a, double b) {
  double sum = 0.0;
  for (; a < 8.0; a += 1.0) sum -= 0.5 * log_of(1.0 + (b / a) * (b / a));
  const double ratio = b / a;
  return sum + (a - 0.5) * 0.5 * log_of(1.0 + ratio * ratio) - b * rough_arctangent(ratio) +
         (a / (a * a + b * b) - 1.0 / a) / 12.0;
}

class GainStep : public StepLaw {
 public:
  explicit GainStep(const LawSpec& spec) : law_(spec), description_(describe(spec, true)) {
    origin_ = mean_log(law_);
    spread_ = std::sqrt(std::max(law_.log_var(), 1e-300));
    power_limit_ = power_limit_of(spec, description_, origin_.hi);
  }
  void log_densities(const Real* y, double* out, std::size_t n) const override {
    std::vector<Real> centred(y, y + n);
    for (Real& at : centred) at = at - mean_;
    law_.centred_density(centred.data(), out, n);
    for (std::size_t i = 0; i < n; ++i) out[i] = log_of(out[i]);
  }
  double log_tail(double at, bool upper) const override {
    try {
      const double centred = at - mean_.hi;
      double log_p, density;
      law_.centred_tails(&centred, &log_p, &density, 1, upper);
      return log_p;
    } catch (const ConvergenceError&) {
      return 0.0;
    }
  }
  double log_moment(double order) const override {
    if (order == 0.0) return 0.0;
    Real log_scale;
    law_.log_scales(&order, &log_scale, 1, true);
    return -order * (log_scale + origin_).hi;
  }

 protected:
  GainLaw law_;
  Description description_;
};

// R is |g| B with |g| ~ chi_d independent of B, so |M(s+it)|/M(s) <= |Gamma((d+s+it)/2)|/
// Gamma((d+s)/2).
class GaussianStep final : public GainStep {
 public:
  explicit GaussianStep(const LawSpec& spec) : GainStep(spec), width_(double(spec.width)) {
    edge_ = description_.atom ? -1.0 : -width_;
    one_hill_ = smallest_scale(description_.unit) >= 0.04;
    bent_ = !one_hill_ || (width_ > 1.0 && edge_ == -1.0);
  }
  bool decays() const override { return true; }
  double log_decay(double order, double t) const override {
    if (!(order > -width_)) throw ConvergenceError("the order is beyond every hill of the law");
    return log_gamma_decay(0.5 * (width_ + order), 0.5 * t);
  }

 private:
  double width_;
};

class OrthogonalStep final : public GainStep {
 public:
  explicit OrthogonalStep(const LawSpec& spec)
      : GainStep(spec), transform_(description_.unit, Real(log_of(law_.prob_alive()))) {
    const UnitLaw& unit = description_.unit;
    const double d = unit.width;
    mean_ = origin_ - log(description_.factor);
    origin_ = log(description_.factor);
    power_limit_ += mean_.hi;
    std::vector<Real> logs = transform_.log_squares();
    std::reverse(logs.begin(), logs.end());
    // log of the smallest probability of one kind of slope for all units
    double rarest = unit.uniform ? d * log(unit.uniform_weight).hi : 0.0;
    for (const Real& log_square : logs) {
      breaks_.push_back({scale_by(log_square, 0.5), 0.0});
      for (int i = 0; i < unit.points; ++i)
        if ((log(unit.point[i]) - log_square).hi == 0.0) {
          const double log_atom = d * log(unit.weight[i]).hi - log_of(law_.prob_alive());
          breaks_.back().atom = exp_of(log_atom);
          rarest = std::min(rarest, log_atom);
        }
    }
    const bool to_zero = (description_.atom && d > 1.0) || (unit.uniform && unit.lower.hi <= 0.0);
    high_ = breaks_.back().at.hi;
    if (to_zero) {
      edge_ = description_.atom ? -1.0 : -d;
    } else {
      low_ = breaks_.front().at.hi;
      power_limit_ = -kInfinity;
    }
    if (unit.points == 1 && !unit.uniform && (d == 1.0 || unit.dead.hi == 0.0)) low_ = high_;
    const bool small_slopes = smallest_scale(unit) < 0.04;
    one_hill_ = rarest < -kCertain || (!small_slopes && d > 1.0);
    bent_ = d > 1.0 && to_zero && (small_slopes || edge_ == -1.0);
  }
  double threshold() const override { return 2.0 * transform_.threshold(); }
  Point part(std::size_t i, const Point& z) const override {
    return transform_.part(breaks_.size() - 1 - i, 0.5 * z);
  }

 private:
  BranchTransform transform_;
};

class ProjectionStep final : public StepLaw {
 public:
  ProjectionStep(std::int64_t width, std::int64_t fan_in)
      : width_(width),
        rest_(fan_in - width),
        half_(0.5 * double(width)),
        half_rest_(0.5 * double(rest_)) {
    LawSpec spec;
    spec.lower = spec.upper = 1.0;
    spec.width = width;
    mean_ = mean_log(GainLaw(spec));
    spec.width = fan_in;
    mean_ = mean_ - mean_log(GainLaw(spec));
    const Real a(half_), b(half_rest_);
    spread_ = 0.5 * std::sqrt((polygamma(1, a) - polygamma(1, a + b)).hi);
    log_constant_ = log_two() + log_gamma(a + b) - log_gamma(a) - log_gamma(b);
    edge_ = -double(width);
    power_limit_ = -20.0 - 0.5 * log_of(half_rest_ + 1.0);
    high_ = 0.0;
    breaks_.push_back({Real(0.0), 0.0});
  }
  void log_densities(const Real* y, double* out, std::size_t n) const override {
    for (std::size_t i = 0; i < n; ++i) {
      const Real log_square = scale_by(y[i], 2.0);
      const Real rest = -expm1(log_square);  // 1 - R^2
      out[i] =
          rest.hi > 0.0
              ? (log_constant_ + log_square * Real(half_) + log(rest) * Real(half_rest_ - 1.0)).hi
              : -kInfinity;
    }
  }
  // Below by the density without the power of 1 - R^2, or that at R = 1/e
  double log_tail(double at, bool upper) const override {
    if (upper || at > -1.0) return 0.0;
    return log_constant_.hi + 2.0 * half_ * at - log_of(2.0 * half_) + 0.1;
  }
  double log_moment(double order) const override {
    const Real a(half_), sum(half_ + half_rest_), p(0.5 * order);
    return (log_gamma(a + p) - log_gamma(a) - log_gamma(sum + p) + log_gamma(sum)).hi;
  }
  double threshold() const override { return 14.0; }
  // Gamma(a+p) Gamma(a+b)/(Gamma(a) Gamma(a+b+p)), p = z/2, by steps of one
  Point part(std::size_t /*i*/, const Point& z) const override {
    const Point p = 0.5 * z;
    Point value = 1.0;
    double a = half_;
    if (rest_ % 2 == 1) {
      value = gamma_ratio(a) / half_step(a, p);
      a += 0.5;
    }
    for (std::int64_t j = 0; j < rest_ / 2; ++j, a += 1.0) value = times(value, a / (a + p));
    return value;
  }

 private:
  // Gamma(a + 1/2)/Gamma(a)
  static double gamma_ratio(double a) {
    return exp_of((log_gamma(Real(a + 0.5)) - log_gamma(Real(a))).hi);
  }
  // Gamma(a + 1/2 + p)/Gamma(a + p)
  static Point half_step(double a, const Point& p) { return half_step_ratio(p + (a - 0.5)); }

  std::int64_t width_, rest_;
  double half_, half_rest_;
  Real log_constant_{0.0};
};

}  // namespace

double StepLaw::decayed(double order, double depth) const {
  double low = 0.0, high = 1.0;
  while (log_decay(order, high) > -depth) high *= 2.0;
  for (int i = 0; i < 12; ++i) {
    const double middle = 0.5 * (low + high);
    (log_decay(order, middle) > -depth ? low : high) = middle;
  }
  return high;
}

std::unique_ptr<StepLaw> gain_step(const LawSpec& spec) {
  if (spec.orthogonal) return std::make_unique<OrthogonalStep>(spec);
  return std::make_unique<GaussianStep>(spec);
}
std::unique_ptr<StepLaw> projection_step(std::int64_t width, std::int64_t fan_in) {
  return std::make_unique<ProjectionStep>(width, fan_in);
}

}  // namespace fracmoment
