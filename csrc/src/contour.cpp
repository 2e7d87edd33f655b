// Saddle points of the inversion integrals: see contour.hpp.
#include "fracmoment/gains/contour.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/kernels.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr double kMostGrowth = 12.0;  // of the logarithm of the integrand: 5 of 31 digits

double exp_double(double x) { return exp_rounded(Real(x)); }

// log of the integrand at real z, up to a constant: it is convex there, and its minimum is where
// the contour crosses the axis. A rough value is enough: the integral does not depend on it.
class RealIntegrand {
 public:
  RealIntegrand(const UnitLaw& unit, Inverse what, bool ratio, const InversionPoint& point)
      : unit_(unit), what_(what), ratio_(ratio), point_(point) {}

  double operator()(double z) const {
    const double offset = 1.0 - 2.0 * z * point_.beta.hi;
    double live = 0.0;
    for (int i = 0; i < unit_.points; ++i)
      live += unit_.weight[i].hi / std::sqrt(at_point(z, unit_.point[i]));
    if (unit_.uniform) live += unit_.uniform_weight.hi * uniform_mean(z, offset);
    live *= point_.scale;
    const double d = unit_.width, dead = unit_.dead.hi;
    double value = z * point_.x.hi;
    if (dead > 0.0)
      value += log_live_power(live, ratio_ ? dead / std::sqrt(offset) : dead);
    else
      value += d * rough_log(live);
    if (what_ != Inverse::density) value -= rough_log(std::abs(z));
    return value == value ? value : 1e300;  // rounded to beyond an end of the strip
  }

 private:
  // base + 2zb
  double at_point(double z, const Real& b) const {
    const Real beta = scale_by(scale_by(point_.beta, point_.scale), point_.scale);
    return point_.scale * point_.scale + 2.0 * z * (b - beta).hi;
  }

  // E (base + 2z A^2)^(-1/2), A uniform
  double uniform_mean(double z, double offset) const {
    const double low = unit_.lower.hi, high = unit_.upper.hi;
    const double at_low = at_point(z, unit_.lower * unit_.lower);
    const double at_high = at_point(z, unit_.upper * unit_.upper);
    const double least = low > 0.0 ? low : 0.0, base = offset * point_.scale * point_.scale;
    const double spread = 2.0 * std::abs(z) * (high - least) * (high + least);
    // The closed form next to the ends of the strip, where the mean has a singularity that no
    // quadrature sees; the quadrature where the closed form is a difference of near numbers.
    if (spread < 0.1 * std::min(at_high, low > 0.0 ? at_low : base)) {
      double sum = 0.0;
      for (int i = 0; i < 16; ++i) {
        const double a = low + (high - low) * tables::kLegendreNodeHi[i];
        sum +=
            tables::kLegendreWeightHi[i] / std::sqrt(at_high + 2.0 * z * (a - high) * (a + high));
      }
      return sum;
    }
    const double root = std::sqrt(2.0 * std::abs(z));
    const double log_base = rough_log(offset) + 2.0 * rough_log(point_.scale);
    const auto arc = [&](double a, double square) {
      if (a == 0.0) return 0.0;
      const double x = std::abs(a) * root;
      const double value = z > 0.0 ? rough_log(x + std::sqrt(square)) - 0.5 * log_base
                                   : rough_arctangent(x / std::sqrt(std::max(square, 1e-300)));
      return a < 0.0 ? -value : value;
    };
    return (arc(high, at_high) - arc(low, at_low)) / (root * (high - low));
  }

  // log((live + dead)^d - dead^d)
  double log_live_power(double live, double dead) const {
    const double d = unit_.width, w = live / dead;
    const double x = w < 1e-6 ? d * w : d * rough_log(1.0 + w);
    const double part = x < 1e-6 ? rough_log(x) : (x > 30.0 ? x : rough_log(exp_double(x) - 1.0));
    return d * rough_log(dead) + part;
  }

  const UnitLaw& unit_;
  Inverse what_;
  bool ratio_;
  const InversionPoint& point_;
};

template <class F>
double golden_minimum(F&& f, double lo, double hi) {
  const double g = 0.6180339887498949;
  double a = hi - g * (hi - lo), b = lo + g * (hi - lo), fa = f(a), fb = f(b);
  for (int i = 0; i < 64; ++i) {
    if (fa < fb) {
      hi = b;
      b = a;
      fb = fa;
      a = hi - g * (hi - lo);
      fa = f(a);
    } else {
      lo = a;
      a = b;
      fa = fb;
      b = lo + g * (hi - lo);
      fb = f(b);
    }
  }
  return 0.5 * (lo + hi);
}

// The interval of z for each integral, as a function of a variable on the whole line.
struct Axis {
  Inverse what;
  bool ratio;
  double left, right;  // ends of the strip of analyticity (right only for the ratio)

  double operator()(double t) const {
    const double e = exp_double(t);
    if (!ratio) {
      if (what == Inverse::cdf) return e;
      return what == Inverse::sf ? left / (1.0 + e) : left + e;
    }
    const double part = e / (1.0 + e);
    if (what == Inverse::cdf) return right * part;
    if (what == Inverse::sf) return left * (1.0 - part);
    return left + (right - left) * part;
  }
};

Axis strip(const UnitLaw& unit, Inverse what, bool ratio, const InversionPoint& p) {
  const double grow = 1.0 / p.scale, half = 0.5 * p.scale * p.scale;
  if (!ratio) return {what, ratio, -half, kInfinity};
  const Real above = p.beta - scale_by(scale_by(smallest_square(unit), grow), grow);
  const Real below = Real(1.0) - scale_by(scale_by(p.beta, p.scale), p.scale);
  return {what, ratio, -half / below.hi, 0.5 / above.hi};
}

// The largest power of two below r where r^2 might underflow.
double unit_of(double r) {
  if (r > 0x1p-100) return 1.0;
  return std::ldexp(1.0, std::max(std::ilogb(r), -960));
}

// The saddle point, moved so far from the cut that exp(zx) decays within a few widths of the
// parabola, if the integrand does not grow by much: slopes of very different scales have saddle
// points from which the parabola would follow the cut closely.
double crossing(const RealIntegrand& f, const Axis& axis, Inverse what, double x) {
  // Saddle points lie well inside: nearer the ends of the strip results underflow, or differ from a
  // saddle at the end by less than rounding.
  const double low = axis.ratio ? -30.0 : (what == Inverse::cdf ? -40.0 : -25.0);
  const double high = axis.ratio || what == Inverse::sf ? 30.0 : 300.0;
  const double saddle = axis(golden_minimum([&](double t) { return f(axis(t)); }, low, high));
  if (axis.ratio) return saddle;
  const double away = 1.0 / x + (what == Inverse::cdf ? 0.0 : axis.left);
  const bool inside = what != Inverse::sf || away < 0.5 * axis.left;
  return inside && away > saddle && f(away) < f(saddle) + kMostGrowth ? away : saddle;
}

// The path of steepest descent is z = zeta + iy + y^2 f3/(6 f2) with derivatives f2, f3 of the
// logarithm of the integrand: the bend of a hyperbola like it, at most 3/4.
double steepest_bend(const RealIntegrand& f, double saddle, double step, Inverse what) {
  if (what != Inverse::density) step = std::min(step, 0.3 * std::abs(saddle));
  const double right = f(saddle + step), left = f(saddle - step), middle = f(saddle);
  const double far_right = f(saddle + 2.0 * step), far_left = f(saddle - 2.0 * step);
  const double second = right + left - 2.0 * middle;
  const double third = 0.5 * (far_right - far_left) - (right - left);
  const double bend = third / (3.0 * second * std::sqrt(second));
  return second > 0.0 ? std::min(std::max(bend, -0.75), 0.75) : 0.0;
}

double few_bits(double x) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::floor(mantissa * 32.0), exponent - 5);
}

InversionPoint make_point(const UnitLaw& unit, Inverse what, bool ratio, const Real& r) {
  InversionPoint p;
  p.scale = unit_of(r.hi);
  const Real scaled = scale_by(r, 1.0 / p.scale);
  (ratio ? p.beta : p.x) = scaled * scaled;
  const Axis axis = strip(unit, what, ratio, p);
  const RealIntegrand f(unit, what, ratio, p);
  p.saddle = crossing(f, axis, what, p.x.hi);
  const double room = std::min(p.saddle - axis.left, axis.right - p.saddle);
  double step = 1e-3 * room;
  if (what != Inverse::density) step = std::min(step, 1e-2 * std::abs(p.saddle));
  const double curvature =
      (f(p.saddle + step) + f(p.saddle - step) - 2.0 * f(p.saddle)) / (step * step);
  const double deviation = curvature > 0.0 ? 1.0 / std::sqrt(curvature) : kInfinity;
  if (ratio) {
    p.width = std::min(deviation, room);
    p.bend = few_bits(steepest_bend(f, p.saddle, 0.3 * p.width, what));
  } else {
    p.step = few_bits(std::min(0.3 * deviation / room, 0.1875));
  }
  return p;
}

// P(0 < R <= r) or P(R > r) of the atoms of the ratio.
double atoms(const UnitLaw& unit, double r, bool upper) {
  double sum = 0.0;
  for (int i = 0; i < unit.points; ++i)
    if ((r < to_double(square_root(unit.point[i]))) == upper) sum += slope_atom(unit, i);
  return sum;
}

}  // namespace

Real smallest_square(const UnitLaw& unit) {
  Real least{unit.dead.hi > 0.0 || (unit.uniform && unit.lower.hi <= 0.0) ? 0.0 : 1.0};
  const auto include = [&](const Real& b) {
    if ((b - least).hi < 0.0) least = b;
  };
  for (int i = 0; i < unit.points; ++i) include(unit.point[i]);
  if (unit.uniform) include(unit.lower * unit.lower);
  return least;
}

// Where a first contour fails (laws of very different scales, where the curvature at the saddle
// misleads) wider and narrower ones are tried.
std::vector<Real> inversion_integrals(const UnitLaw& unit, Inverse what, bool ratio,
                                      const std::vector<Real>& r) {
  std::vector<InversionPoint> points;
  for (const Real& x : r) points.push_back(make_point(unit, what, ratio, x));
  std::vector<Real> out(r.size());
  std::size_t failed =
      kernels().invert(unit, what, ratio, points.data(), out.data(), points.size());
  for (const double factor : {1.5, 0.4, 0.1}) {
    if (failed == 0) break;
    failed = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (out[i].hi == out[i].hi) continue;
      InversionPoint p = points[i];
      (ratio ? p.width : p.step) = ratio ? p.width * factor : few_bits(0.1 * factor);
      failed += kernels().invert(unit, what, ratio, &p, &out[i], 1);
    }
  }
  for (std::size_t i = 0; i < r.size(); ++i) {
    if (what == Inverse::density)  // f_R = 2 r f_X
      out[i] = out[i] * scale_by(r[i], 2.0 / points[i].scale);
    else if (ratio)
      out[i] = out[i] + Real(atoms(unit, to_double(r[i]), what == Inverse::sf));
  }
  return out;
}

}  // namespace fracmoment
