// Loop integrals around branch points: see branch_transform.hpp.
#include "fracmoment/depth/branch_transform.hpp"

#include <algorithm>

namespace fracmoment {
namespace {

constexpr double kStep = 0.11;            // of theta, where the path is xi = i c (1 - i theta)^2,
constexpr double kStepOfGaussian = 0.28;  // and of theta sqrt(kappa), for exp(-2 kappa theta^2)
constexpr double kNegligible = 42.0;      // exp(-42) = 6e-19
constexpr double kSmallestOrder = 7.0;
constexpr double kFewUnits = 4.0;  // of kappa
constexpr double kFarthest = 1.3;  // of the path from its branch point, at its top
constexpr double kApart = 8.0;     // and of the next branch point, over that

}  // namespace

// Gamma(p+1)/Gamma(p+1/2), |p| >= 7, |arg p| <= 135 degrees: sqrt(w) times a series in w^(-2),
// w = p + 1/4 [Tricomi and Erdelyi 1951]. Relative error below 4e-17.
Point half_step_ratio(const Point& p) {
  constexpr double coefficient[] = {-8.405706047857563,
                                    0.9698228757253365,
                                    -0.14065807079546204,
                                    0.02641215466006486,
                                    -0.0066709634620565335,
                                    0.0023855575127527118,
                                    -0.0012987628579139710,
                                    0.0012035369873046875,
                                    -0.0023193359375,
                                    0.015625,
                                    1.0};
  const Point w = p + 0.25, inverse = 1.0 / times(w, w);
  Point sum = 0.0;
  for (const double a : coefficient) sum = times(sum, inverse) + a;
  return times(root_of(w), sum);
}

// Square roots of 1 - (b_j/b_i) e^xi, continued from the top of the path, where they are principal.
struct BranchTransform::Walk {
  std::vector<Point> root;
  bool started = false;

  Point next(std::size_t j, const Point& square) {
    Point r = root_of(square);
    if (started && (r * std::conj(root[j])).real() < 0.0) r = -r;
    root[j] = r;
    return r;
  }
};

BranchTransform::BranchTransform(const UnitLaw& unit, const Real& log_alive)
    : unit_(unit), alive_(exp_of(log_alive.hi)) {
  for (int i = 0; i < unit.points; ++i) square_.push_back(unit.point[i]);
  if (unit.uniform)
    for (const Real& end : {unit.lower, unit.upper})
      if (end.hi != 0.0) square_.push_back(end * end);
  std::sort(square_.begin(), square_.end(),
            [](const Real& a, const Real& b) { return (a - b).hi > 0.0; });
  const auto same = [](const Real& a, const Real& b) { return (a - b).hi == 0.0; };
  square_.erase(std::unique(square_.begin(), square_.end(), same), square_.end());
  for (const Real& b : square_) log_square_.push_back(log(b));
  for (std::size_t i = 0; i < square_.size(); ++i) {
    double weight = 0.0, rest = unit_.dead.hi;
    for (int k = 0; k < unit_.points; ++k) {
      const double distance = std::abs((Real(1.0) - unit_.point[k] / square_[i]).hi);
      if (distance == 0.0)
        weight = unit_.weight[k].hi;
      else
        rest += unit_.weight[k].hi / std::sqrt(distance);
    }
    rest += 2.0 * unit_.uniform_weight.hi;
    rest_.push_back(weight > 0.0 ? rest / weight : kInfinity);
    double farthest = kFarthest;
    for (const std::size_t j : {i - 1, i + 1})
      if (j < square_.size())
        farthest = std::min(farthest, std::abs((log_square_[i] - log_square_[j]).hi) / kApart);
    threshold_ = std::max(
        threshold_, (0.5 * unit_.width / (1.0 + rest_[i] * std::sqrt(farthest)) + 1.0) / farthest);
  }
}

// |xi| about where exp(-p xi) L_i^d is stationary, L_i = (-xi)^(-1/2) + rest, times |p|; and 1
// more.
double BranchTransform::saddle(std::size_t i, double size) const {
  const double d = unit_.width, rest = rest_[i];
  double c = 0.5 * d / size;
  if (rest == kInfinity) c = 0.0;
  for (int k = 0; k < 8 && c > 0.0; ++k) {  // Newton's method for 2 |p| c (1 + rest sqrt c) = d
    const double root = std::sqrt(c);
    c -= (2.0 * size * c * (1.0 + rest * root) - d) / (2.0 * size * (1.0 + 1.5 * rest * root));
  }
  return c * size + 1.0;
}

// L_i(xi), given offset = e^xi - 1.
Point BranchTransform::transform(std::size_t i, const Point& xi, const Point& offset,
                                 Walk& walk) const {
  std::size_t j = 0;
  const auto root = [&](const Real& square) {
    const Real ratio = square / square_[i], rest = Real(1.0) - ratio;
    return walk.next(j++, to_double(rest) - ratio.hi * offset);
  };
  Point sum = unit_.dead.hi;
  for (int k = 0; k < unit_.points; ++k) sum += unit_.weight[k].hi / root(unit_.point[k]);
  if (!unit_.uniform) return sum;
  // E (1 - A^2 t)^(-1/2) = (arcsin(u sqrt t) - arcsin(l sqrt t))/((u-l) sqrt t)
  const Point half = exp_of(0.5 * xi);
  const double scale = exp_of(-0.5 * log_square_[i].hi);
  const auto arcsine = [&](const Real& end) -> Point {
    if (end.hi == 0.0) return 0.0;
    const Point y = std::abs(end.hi) * scale * half, s = root(end * end);
    const Complex<double> value =
        log(Complex<double>{Real(s.real() - y.imag()), Real(s.imag() + y.real())});
    const Point angle(value.im.hi, -value.re.hi);
    return end.hi < 0.0 ? -angle : angle;
  };
  const Point upper = arcsine(unit_.upper), span = upper - arcsine(unit_.lower);
  const double length = (unit_.upper - unit_.lower).hi * scale;
  return sum + unit_.uniform_weight.hi * span / (length * half);
}

// Gamma(d/2) Gamma(1+p)/(2 pi i Gamma(d/2+p)) c^(1-d/2), by steps of one, none of which is large.
Point BranchTransform::prefactor(const Point& p, const Point& c) const {
  const auto d = std::int64_t(unit_.width);
  Point value(0.0, -0.15915494309189535 / alive_);
  double first = 1.0;
  if (d % 2 == 1) {
    first = 0.5;
    value = times(times(value, 1.7724538509055159 * root_of(c)), half_step_ratio(p));
  }
  for (std::int64_t j = 0; j < (d - 1) / 2; ++j) {
    const double n = double(j) + first;
    value = times(value, n / times(c, p + n));
  }
  return value;
}

// The path opens downwards, away from other branch points, or along 1/p, where exp(-p xi) has no
// other phase: high powers would cancel.
Point BranchTransform::part(std::size_t i, const Point& p) const {
  const double size = std::sqrt(std::norm(p));
  const double kappa = saddle(i, size);
  const bool along = kappa > kFewUnits;
  const Point c = along ? Point(0.0, kappa) / p : Point(kappa / size), root_c = root_of(c);
  const double direction = along ? 1.0 : p.imag() / size;  // decay is exp(-kappa theta^2 this)
  const double end = std::sqrt(kNegligible / (kappa * direction)) + (along ? 0.0 : 1.0);
  const double step = std::min(kStep, kStepOfGaussian / std::sqrt(kappa));
  const auto d = std::int64_t(unit_.width);
  Walk start{std::vector<Point>(std::size_t(unit_.points) + 2), false};
  const auto term = [&](double theta, Walk& walk) {
    const Point speed = 2.0 * times(c, Point(1.0, -theta));  // d xi/d theta
    const Point xi = 0.5 * times(speed, Point(theta, 1.0));
    const Complex<double> half_turn = unit_circle(Real(0.5 * xi.imag()));
    const double cosine = half_turn.re.hi, sine = half_turn.im.hi;
    const double grown = expm1(Real(xi.real())).hi, turned = -2.0 * sine * sine;
    const Point offset(grown * (1.0 + turned) + turned, (1.0 + grown) * 2.0 * sine * cosine);
    const Point value = times(root_c, transform(i, xi, offset, walk));
    return times(times(exp_of(-times(p, xi)), power_of(value, d)), Point(2.0, -2.0 * theta));
  };
  Point sum = term(0.0, start);
  start.started = true;
  for (const double sign : {1.0, -1.0}) {
    Walk walk = start;
    for (double theta = step; theta < end; theta += step) sum += term(sign * theta, walk);
  }
  return times(prefactor(p, c), sum * step);
}

}  // namespace fracmoment
