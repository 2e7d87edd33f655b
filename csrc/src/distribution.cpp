// Density, distribution and survival function of a gain: see distribution.hpp.
#include "fracmoment/gains/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/error.hpp"
#include "fracmoment/gains/chi_mixture.hpp"
#include "fracmoment/gains/contour.hpp"
#include "fracmoment/gains/slope_law.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// P(X > x) <= e^(-x/4) L(-1/4)^d <= e^(-x/4) 2^(d/2): beyond, densities and survival are 0 in
// doubles.
bool vanishes(double x, double width) { return 0.25 * x - 0.35 * width > 760.0; }

// E b^p, p = 1 or 2
double mean_power(const UnitLaw& unit, int p) {
  double sum = 0.0;
  for (int i = 0; i < unit.points; ++i) {
    const double b = unit.point[i].hi;
    sum += unit.weight[i].hi * (p == 1 ? b : b * b);
  }
  if (unit.uniform) {
    const double l = unit.lower.hi, u = unit.upper.hi, s = l + u, q = l * u;
    const double square = (s * s - q) / 3.0;                                    // E A^2
    const double fourth = (u * u * u * s + l * l * (u * u + q + l * l)) / 5.0;  // E A^4
    sum += unit.uniform_weight.hi * (p == 1 ? square : fourth);
  }
  return sum;
}

std::vector<Real> divided(const double* r, std::size_t n, const Real& factor) {
  std::vector<Real> scaled(n);
  for (std::size_t i = 0; i < n; ++i)
    scaled[i] = r[i] < kInfinity ? Real(r[i]) / factor : Real(kInfinity);
  return scaled;
}

void require(const std::vector<Real>& values) {
  for (const Real& value : values)
    if (!(value.hi == value.hi))
      throw ConvergenceError(
          "an inversion integral of the gain's distribution did not converge; "
          "the point is too close to an atom of the law");
}

void rounded(const std::vector<Real>& p, double* out) {
  require(p);
  for (std::size_t i = 0; i < p.size(); ++i) out[i] = std::min(1.0, std::max(0.0, to_double(p[i])));
}

}  // namespace

Distribution::Distribution(const Law& law) : law_(law) {
  const UnitLaw& unit = law_.unit;
  floor_ = law_.ratio ? smallest_square(unit) : Real(0.0);
  high_ = law_.ratio ? 1.0 : kInfinity;
  const double d = unit.width, alive = exp(law_.log_alive).hi;
  const double mean = mean_power(unit, 1), square = mean_power(unit, 2) / (mean * mean);
  mean_square_ = (law_.ratio ? mean : d * mean) / alive;
  // Var Y = 3 E b^2 - (E b)^2; the shares of an orthogonal layer are Dirichlet
  const double spread = law_.ratio ? 3.0 * (square - 1.0) / (d + 2.0) : (3.0 * square - 1.0) / d;
  spread_ = std::max(alive * spread + expm1(law_.log_alive).hi, 1e-18);
}

double Distribution::end_atom(bool highest) const {
  const UnitLaw& unit = law_.unit;
  if (!law_.ratio) return 0.0;
  for (int i = 0; i < unit.points; ++i)
    if (unit.point[i].hi == (highest ? 1.0 : floor_.hi))
      return slope_atom(unit, i) / exp(law_.log_alive).hi;
  return 0.0;
}

bool Distribution::above_low(const Real& r) const {
  return r.hi > 0.0 && (floor_.hi == 0.0 || (r * r - floor_).hi > 0.0);
}
bool Distribution::below_high(const Real& r) const {
  if (law_.ratio) return (r - Real(1.0)).hi < 0.0;
  return r.hi < kInfinity && !vanishes(r.hi * r.hi, law_.unit.width);
}

void Distribution::pdf(const double* r, double* out, std::size_t n) const {
  std::vector<Real> value = density(divided(r, n, law_.factor));
  for (std::size_t i = 0; i < n; ++i)
    if (at_inner_atom(r[i])) value[i] = density_across(r[i]);
  require(value);
  for (std::size_t i = 0; i < n; ++i) {
    const bool infinite = value[i].hi == kInfinity;
    out[i] = infinite ? kInfinity : std::max(0.0, to_double(value[i] / law_.factor));
  }
}

bool Distribution::at_inner_atom(double r) const {
  if (!law_.ratio || law_.constant || is_slope() || is_beta_mixture()) return false;
  const UnitLaw& unit = law_.unit;
  for (int i = 0; i < unit.points; ++i) {
    const Real atom = square_root(unit.point[i]);
    if (r == to_double(atom * law_.factor) && slope_atom(unit, i) > 0.0)
      return above_low(atom) && below_high(atom);
  }
  return false;
}

Real Distribution::density_across(double r) const {
  const double sides[] = {std::nextafter(r, 0.0), std::nextafter(r, kInfinity)};
  const std::vector<Real> value = density(divided(sides, 2, law_.factor));
  const double low = value[0].hi, high = value[1].hi;
  if (std::fabs(high - low) <= 1e-12 * std::max(high, low)) return Real(0.5 * (low + high));
  return Real(kInfinity);
}
void Distribution::cdf(const double* r, double* out, std::size_t n) const {
  rounded(probability(divided(r, n, law_.factor), false), out);
}
void Distribution::sf(const double* r, double* out, std::size_t n) const {
  rounded(probability(divided(r, n, law_.factor), true), out);
}

std::vector<Real> Distribution::density(const std::vector<Real>& scaled) const {
  std::vector<Real> out(scaled.size());
  if (law_.constant) return out;
  if (is_slope()) {
    const SlopeLaw slope(law_.unit);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = Real(slope.density(scaled[i]));
    return out;
  }
  if (!law_.ratio && ChiMixture::applies(law_.unit)) {
    const ChiMixture mixture(law_.unit, law_.log_alive);
    for (std::size_t i = 0; i < out.size(); ++i)
      if (above_low(scaled[i]) && below_high(scaled[i])) out[i] = mixture.density(scaled[i]);
    return out;
  }
  if (!is_beta_mixture()) return contour_density(scaled);
  const BetaMixture mixture(law_.unit, law_.log_alive);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (above_low(scaled[i]) && below_high(scaled[i])) out[i] = Real(mixture.density(scaled[i]));
  return out;
}

std::vector<Real> Distribution::contour_density(const std::vector<Real>& scaled) const {
  std::vector<Real> out(scaled.size()), points;
  std::vector<std::size_t> where;
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    if (!above_low(scaled[i]) || !below_high(scaled[i])) continue;
    points.push_back(scaled[i]);
    where.push_back(i);
  }
  const std::vector<Real> value =
      inversion_integrals(law_.unit, Inverse::density, law_.ratio, points);
  const Real alive = exp(law_.log_alive);
  for (std::size_t j = 0; j < where.size(); ++j) out[where[j]] = value[j] / alive;
  return out;
}

std::vector<Real> Distribution::probability(const std::vector<Real>& scaled, bool upper) const {
  std::vector<Real> out;
  if (!law_.constant && !is_slope() && !is_beta_mixture())
    return contour_probability(scaled, upper);
  if (law_.constant || is_slope()) {
    const SlopeLaw slope(law_.unit);
    for (const Real& r : scaled)
      out.push_back(law_.constant ? Real((r.hi >= 1.0) != upper ? 1.0 : 0.0)
                                  : slope.probability(r, upper));
    return out;
  }
  const BetaMixture mixture(law_.unit, law_.log_alive);
  for (const Real& r : scaled) {
    const bool at_low = floor_.hi > 0.0 && r.hi >= square_root(floor_).hi;
    if (!(above_low(r) || at_low) || !below_high(r)) {
      out.push_back(Real(!below_high(r) != upper ? 1.0 : 0.0));
      continue;
    }
    const BetaMixture::Point w = mixture.at(r);
    out.push_back(Real(upper ? mixture.sf(w) : mixture.cdf(w)));
  }
  return out;
}

// Below the mean of R^2 from the distribution function, above it from the survival function: there
// the contour of each fits (docs/algorithms/inversion.md).
std::vector<Real> Distribution::contour_probability(const std::vector<Real>& scaled,
                                                    bool upper) const {
  std::vector<Real> out(scaled.size()), points[2];
  std::vector<std::size_t> where[2];
  const Real alive = exp(law_.log_alive), one{1.0}, zero{0.0};
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    const double r = scaled[i].hi;
    if (!above_low(scaled[i])) {
      out[i] = upper ? one : zero;
    } else if (!below_high(scaled[i])) {
      out[i] = upper ? zero : one;
    } else {
      const int side = r * r > mean_square_ ? 1 : 0;
      points[side].push_back(scaled[i]);
      where[side].push_back(i);
    }
  }
  for (int side = 0; side < 2; ++side) {
    const std::vector<Real> value =
        inversion_integrals(law_.unit, side ? Inverse::sf : Inverse::cdf, law_.ratio, points[side]);
    for (std::size_t j = 0; j < value.size(); ++j) {
      const Real p =
          value[j].hi == value[j].hi ? value[j] / alive : complement(points[side][j], side == 0);
      out[where[side][j]] = bool(side) == upper ? p : one - p;
    }
  }
  return out;
}

// P(R <= r), or P(R > r) if not `upper`, as 1 minus the other side; NaN where it is small.
Real Distribution::complement(const Real& scaled, bool upper) const {
  const Real other =
      inversion_integrals(law_.unit, upper ? Inverse::sf : Inverse::cdf, law_.ratio, {scaled})[0];
  const Real p = Real(1.0) - other / exp(law_.log_alive);
  return p.hi > 1e-6 ? p : Real(std::numeric_limits<double>::quiet_NaN());
}

void Distribution::centred_tails(const Real& log_mean, const double* x, double* log_p,
                                 double* density, std::size_t n, bool upper) const {
  std::vector<Real> scaled;
  std::vector<double> r(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double inside = std::min(std::max(x[i], -600.0), 600.0);
    const Real value = exp(log_mean + Real(inside));
    scaled.push_back(value / law_.factor);
    r[i] = value.hi;
  }
  const std::vector<Real> p = probability(scaled, upper);
  require(p);
  for (std::size_t i = 0; i < n; ++i) log_p[i] = p[i].hi > 0.0 ? log(p[i]).hi : -kInfinity;
  if (density == nullptr) return;
  pdf(r.data(), density, n);
  for (std::size_t i = 0; i < n; ++i) density[i] *= r[i];
}

void Distribution::centred_density(const Real& log_mean, const Real* x, double* out,
                                   std::size_t n) const {
  std::vector<Real> scaled;
  for (std::size_t i = 0; i < n; ++i) {
    const bool outside = std::abs(x[i].hi) > 600.0;
    const Real inside = outside ? Real(x[i].hi > 0.0 ? 600.0 : -600.0) : x[i];
    scaled.push_back(exp(log_mean + inside) / law_.factor);
  }
  const std::vector<Real> value = density(scaled);
  require(value);
  for (std::size_t i = 0; i < n; ++i) out[i] = std::max(0.0, to_double(value[i] * scaled[i]));
}

// E |Z|^3 = 3 int_0^inf t^2 (P(Z > t) + P(Z < -t)) dt, Z = log R - E log R, by the trapezoidal rule
// in w, t = sd exp(w - exp(-w)), which decays doubly exponentially on the left; halved until it
// settles.
double Distribution::log_abs_third(const Real& log_mean, double log_sd) const {
  const Real start = log_mean - log(law_.factor);
  const auto total = [&](double first, double h) {
    std::vector<Real> above, below;
    std::vector<double> weight;
    for (double w = first; w <= 6.0; w += h) {
      const double e = exp_rounded(Real(-w)), t = log_sd * exp_rounded(Real(w - e));
      weight.push_back(3.0 * t * t * t * (1.0 + e));
      above.push_back(exp(start + std::min(t, 130.0)));
      below.push_back(exp(start - Real(std::min(t, 130.0))));
    }
    const std::vector<Real> upper = probability(above, true), lower = probability(below, false);
    require(upper);
    require(lower);
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
