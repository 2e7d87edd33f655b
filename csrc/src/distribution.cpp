// Saddle points for the inversion integrals, and what is built on them.
#include "fracmoment/gains/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "fracmoment/error.hpp"
#include "fracmoment/kernels.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double exp_double(double x) { return exp_rounded(Real(x)); }

double smallest_scale(const UnitLaw& unit) {
  if (unit.dead.hi > 0.0) return 0.0;
  double b = 1.0;
  for (int i = 0; i < unit.points; ++i) b = std::min(b, unit.point[i].hi);
  if (unit.uniform) b = unit.lower.hi <= 0.0 ? 0.0 : std::min(b, unit.lower.hi * unit.lower.hi);
  return b;
}

// log of the integrand at real z, up to a constant: it is convex there, and its minimum is where
// the contour crosses the axis. A rough value is enough: the integral does not depend on it.
class RealIntegrand {
 public:
  RealIntegrand(const UnitLaw& unit, Inverse what, bool ratio, double x, double beta)
      : unit_(unit), what_(what), ratio_(ratio), x_(x), beta_(beta) {}

  double operator()(double z) const {
    const double base = 1.0 - 2.0 * z * beta_;
    double live = 0.0;
    for (int i = 0; i < unit_.points; ++i)
      live += unit_.weight[i].hi / std::sqrt(base + 2.0 * z * unit_.point[i].hi);
    if (unit_.uniform) live += unit_.uniform_weight.hi * uniform_mean(z, base);
    double value = z * x_;
    if (unit_.dead.hi > 0.0) {  // then base > 0 on the whole interval
      const double dead = ratio_ ? unit_.dead.hi / std::sqrt(base) : unit_.dead.hi;
      const bool whole = what_ == Inverse::sf || (ratio_ && what_ == Inverse::density);
      value += whole ? unit_.width * rough_log(live + dead) : log_live_power(live, dead);
    } else {
      value += unit_.width * rough_log(live);
    }
    return what_ == Inverse::density ? value : value - rough_log(std::abs(z));
  }

 private:
  // E (base + 2z A^2)^(-1/2), A uniform
  double uniform_mean(double z, double base) const {
    const double low = unit_.lower.hi, high = unit_.upper.hi;
    // Next to the ends of the strip the mean has a singularity that no quadrature sees.
    if (z * high * high > 0.01) {
      const double root = std::sqrt(2.0 * z);
      const auto arc = [&](double a) {
        const double x = rough_log(std::abs(a) * root + std::sqrt(base + 2.0 * z * a * a));
        return a < 0.0 ? rough_log(base) - x : x;
      };
      return (arc(high) - arc(low)) / (root * (high - low));
    }
    if (z * high * high < -0.01) {
      const double root = std::sqrt(-2.0 * z);
      const auto arc = [&](double a) {
        const double rest = std::sqrt(std::max(base + 2.0 * z * a * a, 1e-300));
        const double x = rough_arctangent(std::abs(a) * root / rest);
        return a < 0.0 ? -x : x;
      };
      return (arc(high) - arc(low)) / (root * (high - low));
    }
    double sum = 0.0;
    for (int i = 0; i < 16; ++i) {
      const double a = low + (high - low) * tables::kLegendreNodeHi[i];
      sum += tables::kLegendreWeightHi[i] / std::sqrt(base + 2.0 * z * a * a);
    }
    return sum;
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
  double x_, beta_;
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
      if (what == Inverse::sf) return -0.5 + 0.5 * e / (1.0 + e);
      return -0.5 + e;
    }
    const double part = e / (1.0 + e);
    if (what == Inverse::cdf) return right * part;
    if (what == Inverse::sf) return left * (1.0 - part);
    return left + (right - left) * part;
  }
};

InversionPoint make_point(const UnitLaw& unit, Inverse what, bool ratio, const Real& value) {
  InversionPoint p;
  (ratio ? p.beta : p.x) = value;
  const double beta = ratio ? value.hi : 0.0;
  const Axis axis{what, ratio, ratio ? -0.5 / (1.0 - beta) : -0.5,
                  ratio ? 0.5 / (beta - smallest_scale(unit)) : kInfinity};
  const RealIntegrand f(unit, what, ratio, p.x.hi, beta);
  // Saddle points lie well inside: nearer the ends of the strip results underflow, or differ from a
  // saddle at the end by less than rounding.
  const double low = ratio ? -30.0 : (what == Inverse::cdf ? -40.0 : -25.0);
  const double high = ratio || what == Inverse::sf ? 30.0 : 300.0;
  double t = golden_minimum([&](double s) { return f(axis(s)); }, low, high);
  p.saddle = axis(t);
  const double room =
      ratio ? std::min(p.saddle - axis.left, axis.right - p.saddle) : p.saddle + 0.5;
  double step = 1e-3 * room;
  if (what != Inverse::density) step = std::min(step, 1e-2 * std::abs(p.saddle));
  const double curvature =
      (f(p.saddle + step) + f(p.saddle - step) - 2.0 * f(p.saddle)) / (step * step);
  if (ratio)
    p.width = curvature > 0.0 ? std::min(1.0 / std::sqrt(curvature), room) : room;
  else
    p.width =
        curvature > 0.0 ? std::min(0.5 / ((p.saddle + 0.5) * std::sqrt(curvature)), 0.3) : 0.3;
  return p;
}

// The integrals at all points. Where a first contour fails (laws of very different scales, where
// the curvature at the saddle misleads) wider and narrower ones are tried.
std::vector<Real> integrals(const UnitLaw& unit, Inverse what, bool ratio,
                            std::vector<InversionPoint> points) {
  std::vector<Real> out(points.size());
  std::size_t failed =
      kernels().invert(unit, what, ratio, points.data(), out.data(), points.size());
  for (const double width : {0.15, 0.04, 0.01}) {
    if (failed == 0) return out;
    failed = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (out[i].hi == out[i].hi) continue;
      InversionPoint p = points[i];
      p.width = ratio ? p.width * 10.0 * width : width;
      // so far from the singularity that exp(zx) decays along the contour
      const double away = 1.0 / p.x.hi;
      if (!ratio && what != Inverse::sf) p.saddle = std::max(p.saddle, away);
      if (!ratio && what == Inverse::sf && away < 0.25) p.saddle = std::max(p.saddle, away - 0.5);
      failed += kernels().invert(unit, what, ratio, &p, &out[i], 1);
    }
  }
  return out;
}

void require(bool converged) {
  if (!converged)
    throw ConvergenceError(
        "an inversion integral of the gain's distribution did not converge; "
        "the point is too close to an atom of the law");
}

}  // namespace

// P(X > x) <= e^(-x/4) L(-1/4)^d <= e^(-x/4) 2^(d/2): beyond, densities and survival are 0 in
// doubles.
static bool vanishes(double x, double width) { return 0.25 * x - 0.35 * width > 760.0; }

double Distribution::highest() const { return law_.ratio ? law_.factor.hi : kInfinity; }
double Distribution::lowest() const {
  return law_.ratio && !law_.atom ? law_.factor.hi * std::sqrt(smallest_scale(*law_.unit)) : 0.0;
}

// P(R = highest() | R > 0): all units of an orthogonal layer have the largest slope.
double Distribution::highest_atom() const {
  const UnitLaw& unit = *law_.unit;
  if (!law_.ratio || (unit.uniform && unit.upper.hi >= 1.0)) return 0.0;
  for (int i = 0; i < unit.points; ++i)
    if (unit.point[i].hi == 1.0)
      return exp_rounded(log(unit.weight[i]) * unit.width - law_.log_alive);
  return 0.0;
}

// One unit under orthogonal weights: R is 1 or a slope. The law of constant layers is the point 1.
double Distribution::discrete_probability(double r, bool upper) const {
  if (law_.constant) return (r >= 1.0) != upper ? 1.0 : 0.0;
  const UnitLaw& unit = *law_.unit;
  Real below{0.0}, above{0.0};
  for (int i = 0; i < unit.points; ++i) {
    Real& side = square_root(unit.point[i]).hi <= r ? below : above;
    side = side + unit.weight[i];
  }
  if (unit.uniform) {  // |A| <= r
    const double low = unit.lower.hi, high = unit.upper.hi;
    const double covered = std::max(0.0, std::min(high, r) - std::max(low, -r));
    const Real part = unit.uniform_weight * Real(std::min(1.0, covered / (high - low)));
    below = below + part;
    above = above + (unit.uniform_weight - part);
  }
  return to_double((upper ? above : below) / (below + above));
}

double Distribution::discrete_quantile(double q, bool upper) const {
  if (law_.constant) return law_.factor.hi;
  double lo = 0.0, hi = 1.0;  // smallest r with P(R <= r) >= q, or with P(R > r) <= q
  for (int i = 0; i < 200 && hi - lo > 0.0; ++i) {
    const double r = 0.5 * (lo + hi), p = discrete_probability(r, upper);
    if (r == lo || r == hi) break;
    ((upper ? p <= q : p >= q) ? hi : lo) = r;
  }
  return hi * law_.factor.hi;
}

void Distribution::beta_mixture_pdf(const double* r, double* out, std::size_t n) const {
  const BetaMixture mixture(*law_.unit, law_.log_alive);
  const double low = lowest(), high = highest();
  for (std::size_t i = 0; i < n; ++i) {
    const bool inside = r[i] > low && r[i] < high;
    out[i] = inside ? mixture.density(Real(r[i]) / law_.factor) / law_.factor.hi : 0.0;
  }
}

std::vector<Real> Distribution::beta_mixture_probability(const std::vector<Real>& scaled,
                                                         bool upper) const {
  const BetaMixture mixture(*law_.unit, law_.log_alive);
  const double low = lowest() / law_.factor.hi, high = highest() / law_.factor.hi;
  std::vector<Real> out;
  for (const Real& r : scaled) {
    if (r.hi < low || r.hi <= 0.0 || r.hi >= high) {
      out.push_back(Real((r.hi >= high) != upper ? 1.0 : 0.0));
      continue;
    }
    const BetaMixture::Point w = mixture.at(r);
    out.push_back(Real(upper ? mixture.sf(w) : mixture.cdf(w)));
  }
  return out;
}

void Distribution::beta_mixture_quantile(const double* q, double* out, std::size_t n,
                                         bool upper) const {
  const BetaMixture mixture(*law_.unit, law_.log_alive);
  for (std::size_t i = 0; i < n; ++i) {
    if (q[i] <= 0.0 || q[i] >= 1.0)
      out[i] = (q[i] <= 0.0) != upper ? lowest() : highest();
    else
      out[i] = to_double(mixture.quantile(q[i], upper) * law_.factor);
  }
}

void Distribution::pdf(const double* r, double* out, std::size_t n) const {
  if (is_beta_mixture()) {
    beta_mixture_pdf(r, out, n);
    return;
  }
  if (discrete()) {  // the continuous part, if any, is that of the slopes
    for (std::size_t i = 0; i < n; ++i) {
      const double x = r[i] / law_.factor.hi, span = (law_.unit->upper - law_.unit->lower).hi;
      const bool in = law_.unit->uniform && x <= law_.unit->upper.hi && x >= law_.unit->lower.hi;
      const bool mirrored = law_.unit->uniform && -x >= law_.unit->lower.hi;
      const double mass = law_.unit->uniform_weight.hi / exp(law_.log_alive).hi;
      out[i] =
          (double(in) + double(mirrored)) * (in || mirrored ? mass / span / law_.factor.hi : 0.0);
    }
    return;
  }
  std::vector<InversionPoint> points;
  std::vector<std::size_t> where;
  const double low = lowest(), high = highest();
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = 0.0;
    if (!(r[i] > low && r[i] < high && r[i] > 1e-60 && r[i] < 1e60)) continue;
    const Real scaled = Real(r[i]) / law_.factor;
    if (!law_.ratio && vanishes(scaled.hi * scaled.hi, law_.unit->width)) continue;
    points.push_back(make_point(*law_.unit, Inverse::density, law_.ratio, scaled * scaled));
    where.push_back(i);
  }
  const std::vector<Real> value = integrals(*law_.unit, Inverse::density, law_.ratio, points);
  const Real alive = exp(law_.log_alive);
  for (std::size_t j = 0; j < where.size(); ++j) {
    require(value[j].hi == value[j].hi);
    const Real jacobian = Real(2.0 * r[where[j]]) / (law_.factor * law_.factor);
    out[where[j]] = std::max(0.0, to_double(value[j] * jacobian / alive));
  }
}

std::vector<Real> Distribution::probability(const std::vector<Real>& scaled, bool upper) const {
  if (is_beta_mixture()) return beta_mixture_probability(scaled, upper);
  std::vector<Real> out(scaled.size());
  std::vector<InversionPoint> points[2];
  std::vector<std::size_t> where[2];
  const double factor = law_.factor.hi, low = lowest() / factor, high = highest() / factor;
  const double middle = exp_double(law_.log_mean) / factor;
  const Real alive = exp(law_.log_alive), one{1.0}, zero{0.0};
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    const double r = scaled[i].hi;
    if (discrete()) {
      out[i] = Real(discrete_probability(r, upper));
      continue;
    }
    if (!(r > low && r > 1e-60)) {
      out[i] = upper ? one : zero;
    } else if (!(r < high && r < 1e60) || (!law_.ratio && vanishes(r * r, law_.unit->width))) {
      out[i] = upper ? zero : one;
    } else {
      const int side = r > middle ? 1 : 0;
      points[side].push_back(make_point(*law_.unit, side ? Inverse::sf : Inverse::cdf, law_.ratio,
                                        scaled[i] * scaled[i]));
      where[side].push_back(i);
    }
  }
  for (int side = 0; side < 2; ++side) {
    const Inverse what = side ? Inverse::sf : Inverse::cdf,
                  other = side ? Inverse::cdf : Inverse::sf;
    const std::vector<Real> value = integrals(*law_.unit, what, law_.ratio, points[side]);
    for (std::size_t j = 0; j < value.size(); ++j) {
      Real p = value[j] / alive;
      if (p.hi != p.hi) {  // the other side serves where this one is not small
        const InversionPoint& at = points[side][j];
        const Real x = law_.ratio ? at.beta : at.x;
        const Real complement = integrals(*law_.unit, other, law_.ratio,
                                          {make_point(*law_.unit, other, law_.ratio, x)})[0];
        p = one - complement / alive;
        require(p.hi > 1e-6);
      }
      out[where[side][j]] = bool(side) == upper ? p : one - p;
    }
  }
  return out;
}

namespace {

std::vector<Real> divided(const double* r, std::size_t n, const Real& factor) {
  std::vector<Real> scaled(n);
  for (std::size_t i = 0; i < n; ++i)
    scaled[i] = r[i] < kInfinity ? Real(r[i]) / factor : Real(kInfinity);
  return scaled;
}

void rounded(const std::vector<Real>& p, double* out) {
  for (std::size_t i = 0; i < p.size(); ++i) out[i] = std::min(1.0, std::max(0.0, to_double(p[i])));
}

}  // namespace

void Distribution::cdf(const double* r, double* out, std::size_t n) const {
  rounded(probability(divided(r, n, law_.factor), false), out);
}
void Distribution::sf(const double* r, double* out, std::size_t n) const {
  rounded(probability(divided(r, n, law_.factor), true), out);
}

void Distribution::centred_tails(const double* x, double* log_p, double* density, std::size_t n,
                                 bool upper) const {
  std::vector<Real> scaled;
  std::vector<double> r(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double inside = std::min(std::max(x[i], -600.0), 600.0);
    const Real value = exp(law_.precise_log_mean + Real(inside));
    scaled.push_back(value / law_.factor);
    r[i] = value.hi;
  }
  const std::vector<Real> p = probability(scaled, upper);
  pdf(r.data(), density, n);
  for (std::size_t i = 0; i < n; ++i) {
    log_p[i] = p[i].hi > 0.0 ? log(p[i]).hi : -kInfinity;
    density[i] *= r[i];
  }
}

// A quantile that needs more steps back lies out of reach itself.
constexpr int kMostRefused = 8;

// Newton's method for log F (or log of the survival function) in log r, kept inside a bracket.
void Distribution::quantile(const double* q, double* out, std::size_t n, bool upper_tail) const {
  if (is_beta_mixture()) {
    beta_mixture_quantile(q, out, n, upper_tail);
    return;
  }
  const double atom = discrete() ? 0.0 : highest_atom();
  std::vector<std::size_t> active;
  std::vector<double> lo(n, -400.0), hi(n, 400.0), at(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (discrete()) {
      out[i] = discrete_quantile(q[i], upper_tail);
      continue;
    }
    if (q[i] <= 0.0 || q[i] >= 1.0) {
      out[i] = (q[i] <= 0.0) != upper_tail ? lowest() : highest();
      continue;
    }
    if ((upper_tail ? q[i] : 1.0 - q[i]) <= atom) {
      out[i] = highest();
      continue;
    }
    active.push_back(i);
    // a normal quantile, roughly (Abramowitz-Stegun 26.2.23)
    const double tail = std::min(q[i], 1.0 - q[i]),
                 t = std::sqrt(-2.0 * rough_log(std::max(tail, 1e-300)));
    const double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                             (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    at[i] = law_.log_mean + ((q[i] < 0.5) != upper_tail ? -z : z) * law_.log_sd;
    if (lowest() > 0.0) lo[i] = rough_log(lowest());
    if (highest() < kInfinity) hi[i] = rough_log(highest());
    if (!(at[i] > lo[i] && at[i] < hi[i]))
      at[i] = 0.5 * (std::max(lo[i], law_.log_mean - 10.0) + std::min(hi[i], law_.log_mean + 10.0));
  }
  std::vector<double> r, p, f;
  std::vector<int> refused(n);  // how often an iterate was out of reach
  for (int round = 0; round < 200 && !active.empty(); ++round) {
    r.clear();
    for (const std::size_t i : active) r.push_back(exp_double(at[i]));
    p.assign(r.size(), 0.0);
    f.assign(r.size(), 0.0);
    for (std::size_t j = 0; j < r.size(); ++j) {  // one by one: some iterates may be out of reach
      const bool low_side = (q[active[j]] <= 0.5) != upper_tail;
      try {
        low_side ? cdf(&r[j], &p[j], 1) : sf(&r[j], &p[j], 1);
        pdf(&r[j], &f[j], 1);
      } catch (const ConvergenceError&) {  // a step back towards the middle of the law
        p[j] = -1.0;
      }
    }
    std::vector<std::size_t> next;
    for (std::size_t j = 0; j < active.size(); ++j) {
      const std::size_t i = active[j];
      const bool low_side = (q[i] <= 0.5) != upper_tail;
      const double have = p[j], want = std::min(q[i], 1.0 - q[i]);
      if (p[j] < 0.0) {
        require(++refused[i] <= kMostRefused);
        at[i] = 0.5 * (at[i] + law_.log_mean);
        next.push_back(i);
        continue;
      }
      out[i] = r[j];
      const double error = have > 0.0 ? log(Real(have) / Real(want)).hi : -700.0;
      const bool above = low_side ? error > 0.0 : error < 0.0;
      (above ? hi[i] : lo[i]) = at[i];
      const double slope = have > 0.0 ? f[j] * r[j] / have : 0.0;
      double step = slope > 0.0 ? (low_side ? -error : error) / slope : 0.0;
      double move = at[i] + step;
      if (!(move > lo[i] && move < hi[i]) || slope <= 0.0) {
        const double left = std::max(lo[i], law_.log_mean - 400.0),
                     right = std::min(hi[i], law_.log_mean + 400.0);
        move = 0.5 * (left + right);
      }
      // the last step is taken in r itself, so that rounding log r does no harm
      if (std::abs(step) < 1e-7 && slope > 0.0) {
        out[i] = r[j] + r[j] * step * (1.0 + 0.5 * step);
        if (std::abs(step) < 1e-9) continue;
      }
      if (hi[i] - lo[i] < 1e-15 * (1.0 + std::abs(at[i])))
        continue;  // an atom, or as close as it gets
      at[i] = move;
      next.push_back(i);
    }
    active = std::move(next);
  }
  if (!active.empty()) throw ConvergenceError("a quantile of the gain did not converge");
}

// E |Z|^3 = 3 int_0^inf t^2 (P(Z > t) + P(Z < -t)) dt, Z = log R - E log R, by the trapezoidal rule
// in w, t = sd exp(w - exp(-w)), which decays doubly exponentially on the left; halved until it
// settles.
double Distribution::log_abs_third() const {
  const Real start = law_.precise_log_mean - log(law_.factor);
  const auto total = [&](double first, double h) {
    std::vector<Real> above, below;
    std::vector<double> weight;
    for (double w = first; w <= 6.0; w += h) {
      const double e = exp_double(-w), t = law_.log_sd * exp_double(w - e);
      weight.push_back(3.0 * t * t * t * (1.0 + e));
      above.push_back(exp(start + std::min(t, 130.0)));
      below.push_back(exp(start - Real(std::min(t, 130.0))));
    }
    const std::vector<Real> upper = probability(above, true), lower = probability(below, false);
    Real sum{0.0};
    for (std::size_t i = 0; i < weight.size(); ++i) sum = sum + (upper[i] + lower[i]) * weight[i];
    return sum;
  };
  double h = 1.0 / 16.0;
  Real sum = total(-4.0, h);
  for (int level = 0; level < 5; ++level) {
    const Real finer = sum + total(-4.0 + 0.5 * h, h);
    const double change = std::abs(to_double(finer) * 0.5 - to_double(sum));
    sum = finer;
    h *= 0.5;
    if (change < 3e-14 * std::abs(to_double(sum)) * 0.5) break;
  }
  return to_double(sum * h);
}

}  // namespace fracmoment
