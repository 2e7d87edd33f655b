// The lattice law of one layer: see density_lattice.hpp.
#include "fracmoment/depth/density_lattice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/depth/lattice_kernels.hpp"
#include "fracmoment/error.hpp"
#include "fracmoment/gains/rules.hpp"
#include "fracmoment/random/chebyshev.hpp"
#include "fracmoment/special/complex.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNegligible = 41.0;  // exp(-41) = 1.6e-18
constexpr std::int64_t kBlock = 16;
constexpr std::int64_t kLongestBlock = 2048;
constexpr std::size_t kMaxPointsOfLattice = 1u << 17;

double exp_of(double x) { return exp_rounded(Real(x)); }
double log_of(double x) { return x > 1e-307 ? log(Real(x)).hi : -kInfinity; }

// Below which y the density of log R is C exp(lambda y) to rounding; -infinity if slopes come
// arbitrarily near to 0.
double power_limit(const LawSpec& spec, const Description& law, double log_mean) {
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

}  // namespace

DensityLattice::DensityLattice(const LawSpec& spec) : law_(spec), width_(double(spec.width)) {
  const double zero = 0.0;
  law_.log_scales(&zero, &log_mean_, 1, true);
  log_mean_ = -log_mean_;
  const Description description = describe(spec, true);
  edge_ = description.atom ? -1.0 : -width_;
  power_limit_ = power_limit(spec, description, log_mean_.hi);
  small_slopes_ = smallest_scale(description.unit) < 0.04;
}

double DensityLattice::log_decay(double order, double t) const {
  return log_gamma_decay(0.5 * (width_ + order), 0.5 * t);
}

double DensityLattice::decayed(double order, double depth) const {
  double low = 0.0, high = 1.0;
  while (log_decay(order, high) > -depth) high *= 2.0;
  for (int i = 0; i < 12; ++i) {
    const double middle = 0.5 * (low + high);
    (log_decay(order, middle) > -depth ? low : high) = middle;
  }
  return high;
}

DensityLattice::Table& DensityLattice::table(int level) {
  Table& found = tables_[level];
  if (found.log_density.empty()) {
    found.first = 0;
    extend(found, std::ldexp(1.0, -level), false);
  }
  return found;
}

// The next points on one side. Where the logarithm of the density is smooth on the scale of the
// block it is interpolated, and the next block is longer.
void DensityLattice::extend(Table& table, double step, bool left) const {
  if (table.log_density.size() > kMaxPointsOfLattice)
    throw ConvergenceError(
        "the density of a layer's log gain reaches too far for a lattice: its slopes are of very "
        "different sizes, or the order is too near the edge of the moments");
  std::int64_t& block = table.block[left ? 0 : 1];
  const auto size = std::int64_t(table.log_density.size());
  std::int64_t begin = left ? table.first - block : table.first + size;
  std::vector<double> value(static_cast<std::size_t>(block));
  if (left && double(begin + block - 1) * step < power_limit_) {
    const double anchor = table.log_density.front();
    for (std::int64_t i = 0; i < block; ++i)
      value[std::size_t(i)] = anchor - edge_ * double(begin + i - table.first) * step;
    block = std::min(2 * block, kLongestBlock);
  } else if (block > kBlock && interpolate(begin, step, value)) {
    block = std::min(2 * block, kLongestBlock);
  } else {
    if (left) begin += block - kBlock;
    value.resize(std::size_t(kBlock));
    for (std::int64_t i = 0; i < kBlock; ++i) value[std::size_t(i)] = double(begin + i) * step;
    log_densities(value.data(), value.data(), kBlock);
    block = size > 0 ? 2 * kBlock : kBlock;
  }
  table.log_density.insert(left ? table.log_density.begin() : table.log_density.end(),
                           value.begin(), value.end());
  if (left) table.first = begin;
}

void DensityLattice::log_densities(const double* y, double* out, std::int64_t n) const {
  law_.centred_density(y, out, std::size_t(n));
  for (std::int64_t i = 0; i < n; ++i) out[i] = log_of(out[i]);
}

// By a Chebyshev series, if its last terms and two further values say that it has settled.
bool DensityLattice::interpolate(std::int64_t begin, double step,
                                 std::vector<double>& value) const {
  constexpr int terms = 18;
  const double left = double(begin) * step, right = left + double(value.size() - 1) * step;
  const double middle = 0.5 * (left + right), radius = 0.5 * (right - left);
  double y[terms + 2], log_density[terms + 2], series[terms];
  const auto& node = chebyshev_nodes<terms>();
  for (int k = 0; k < terms; ++k) y[k] = middle + radius * node[std::size_t(k)];
  y[terms] = middle - 0.13 * radius;
  y[terms + 1] = middle + 0.94 * radius;
  log_densities(y, log_density, terms + 2);
  double largest = 0.0;
  for (const double v : log_density) {
    if (v == -kInfinity) return false;
    largest = std::max(largest, std::abs(v));
  }
  chebyshev_series<terms>(log_density, series);
  const double tolerance = 2e-14 + 2e-16 * largest;
  for (int k = terms - 3; k < terms; ++k)
    if (std::abs(series[k]) > tolerance) return false;
  for (int k = terms; k < terms + 2; ++k) {
    const double error = clenshaw(series, terms, (y[k] - middle) / radius) - log_density[k];
    if (std::abs(error) > 4.0 * tolerance) return false;
  }
  for (std::size_t i = 0; i < value.size(); ++i)
    value[i] = clenshaw(series, terms, (double(begin + std::int64_t(i)) * step - middle) / radius);
  return true;
}

// Whether log E[exp(order y); y below] < least, by the distribution function F: for order >= 0 the
// expectation is below exp(order y) F, and for order < 0 by Chernoff's or Hoelder's inequality with
// an order half way to the edge.
bool DensityLattice::nothing_below(double order, double y, double least) const {
  // one hill, and on its left side already; or below every hill
  if (!small_slopes_ || y < std::max(power_limit_, -500.0)) return true;
  double log_p, density;
  law_.centred_tails(&y, &log_p, &density, 1, false);
  if (order >= 0.0) return order * y + log_p < least;
  const double lower = 0.5 * (edge_ + order), share = order / lower;
  Real log_scale;
  law_.log_scales(&lower, &log_scale, 1, true);
  const double log_moment = -lower * (log_scale + log_mean_).hi;
  return std::min((order - lower) * y + log_moment, share * log_moment + (1.0 - share) * log_p) <
         least;
}

// Extends the table until what lies beyond is negligible after tilting, or a power on the left.
void DensityLattice::cover(Table& table, double step, double order, double negligible) const {
  const auto exponent = [&](std::size_t i) {
    return table.log_density[i] + order * double(table.first + std::int64_t(i)) * step;
  };
  double peak = -kInfinity;
  for (std::size_t i = 0; i < table.log_density.size(); ++i) peak = std::max(peak, exponent(i));
  const auto update = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) peak = std::max(peak, exponent(i));
  };
  const auto falls = [&](bool left) {  // negligible at the end, and not on the way up
    const std::size_t n = table.log_density.size(), end = left ? 0 : n - 1;
    const double at_end = exponent(end), inside = exponent(left ? 1 : n - 2);
    return at_end < peak - negligible && (at_end < inside || at_end == -kInfinity);
  };
  while (!falls(false)) {
    const std::size_t size = table.log_density.size();
    extend(table, step, false);
    update(size, table.log_density.size());
  }
  const double spread = 0.5 * log_of(step);
  for (;;) {
    const double lowest = double(table.first) * step;
    if (lowest < power_limit_ && negligible == kNegligible) return;  // tilted: closed
    if (falls(true) && nothing_below(order, lowest, peak + spread - negligible)) return;
    const std::size_t size = table.log_density.size();
    extend(table, step, true);
    update(0, table.log_density.size() - size);
  }
}

TiltedLattice DensityLattice::tilted(double order, int level) {
  const double step = std::ldexp(1.0, -level);
  Table& source = table(level);
  if (order != 0.0 && !source.calibrated) tilted(0.0, level);
  cover(source, step, order, kNegligible);

  TiltedLattice law;
  law.step = step;
  std::vector<double> exponent;
  double peak = -kInfinity;
  for (std::size_t i = 0; i < source.log_density.size(); ++i) {
    exponent.push_back(source.log_density[i] +
                       order * double(source.first + std::int64_t(i)) * step);
    peak = std::max(peak, exponent.back());
  }
  std::size_t begin = 0, end = exponent.size();
  // a power that goes on below counts only if the lattice ends before it is negligible
  const bool power =
      double(source.first) * step < power_limit_ && exponent[begin] > peak - kNegligible - 20.0;
  while (!power && exponent[begin] < peak - kNegligible) ++begin;
  while (exponent[end - 1] < peak - kNegligible) --end;
  law.first = source.first + std::int64_t(begin);
  const auto top = std::size_t(std::max_element(exponent.begin(), exponent.end()) -
                               exponent.begin());  // sums of distances from the highest point
  double mass = 0.0, first = 0.0, second = 0.0;
  for (std::size_t i = begin; i < end; ++i) {
    const double w = exp_of(exponent[i] - peak), y = double(i) - double(top);
    law.weight.push_back(w);
    mass += w;
    first += w * y;
    second += w * y * y;
  }
  if (power) {  // what follows below: q + q^2 + ..., at -1, -2, ...
    law.ratio = exp_of((edge_ - order) * step);
    const double q = law.ratio, rest = -expm1(Real((edge_ - order) * step)).hi;
    const double below = law.weight[0] * q / rest;  // sums of q^k, k q^k and k^2 q^k, k >= 1
    const double distance = below / rest, square = distance * (1.0 + q) / rest;
    const double lowest = double(begin) - double(top);
    mass += below;
    first += below * lowest - distance;
    second += below * lowest * lowest - 2.0 * lowest * distance + square;
  }
  for (double& w : law.weight) w /= mass;
  const double centre = first / mass;
  law.mean = (double(source.first + std::int64_t(top)) + centre) * step;
  law.variance = std::max(second / mass - centre * centre, 0.0) * step * step;
  law.log_mass = peak + log_of(mass * step);
  if (order == 0.0) {
    if (!(std::abs(law.log_mass) < 1e-11))
      throw ConvergenceError("the density of a layer's log gain does not integrate to 1");
    source.calibration = law.log_mass;
    source.calibrated = true;
  }
  law.log_mass -= source.calibration;
  return law;
}

LatticeMasses DensityLattice::masses(int level, double depth) {
  const double step = std::ldexp(1.0, -level);
  if (!table(level).calibrated) tilted(0.0, level);
  Table& source = table(level);
  cover(source, step, 0.0, depth);
  LatticeMasses law{step, source.first, {}};
  for (const double value : source.log_density)
    law.mass.push_back(exp_of(value - source.calibration) * step);
  trim(law, exp_of(-depth) * step);
  return law;
}

double TiltedLattice::log_moment(double s) const {
  const auto size = std::int64_t(weight.size());
  const auto exponent = [&](std::int64_t i) { return s * (double(first + i) * step - mean); };
  const double most = std::max(exponent(0), exponent(size - 1));
  double sum = 0.0;
  for (std::int64_t i = 0; i < size; ++i)
    sum += weight[std::size_t(i)] * exp_of(exponent(i) - most);
  if (ratio > 0.0) {
    const double q = ratio * exp_of(-s * step);
    if (q >= 1.0) return kInfinity;
    sum += weight[0] * exp_of(exponent(0) - most) * q / (1.0 - q);
  }
  return most + log_of(sum);
}

void TiltedLattice::characteristic_minus_one(const double* t, std::complex<double>* out,
                                             std::size_t n) const {
  // cos x - 1 = -2 sin^2(x/2) and sin x = 2 sin(x/2) cos(x/2): the half angles advance by rotations
  // from the point next to the mean.
  const auto size = std::int64_t(weight.size());
  const std::int64_t nearest = std::int64_t(std::nearbyint(mean / step));
  const std::int64_t start = std::min(std::max(nearest - first, std::int64_t(0)), size - 1);
  const double offset = double(first + start) * step - mean;
  std::vector<double> columns[6];
  for (std::vector<double>& column : columns) column.resize(n);
  for (std::size_t k = 0; k < n; ++k) {
    const Complex<double> at = unit_circle(two_prod(0.5 * t[k], offset));
    const Complex<double> by = unit_circle(Real(0.5 * t[k] * step));
    columns[0][k] = at.re.hi;
    columns[1][k] = at.im.hi;
    columns[2][k] = by.re.hi;
    columns[3][k] = by.im.hi;
  }
  const Rotations rotations{columns[0].data(), columns[1].data(), columns[2].data(),
                            columns[3].data()};
  lattice_kernels().angle_sums(weight.data(), weight.size(), std::size_t(start), rotations,
                               columns[4].data(), columns[5].data(), n);
  for (std::size_t k = 0; k < n; ++k) {
    std::complex<double> value(-2.0 * columns[4][k], 2.0 * columns[5][k]);
    if (ratio > 0.0) {
      const Complex<double> low = unit_circle(Real(t[k] * (double(first) * step - mean)));
      const std::complex<double> lowest(low.re.hi, low.im.hi);
      const double sine = columns[3][k];
      const std::complex<double> turn(1.0 - 2.0 * sine * sine, -2.0 * sine * columns[2][k]);
      value += weight[0] * ratio * (lowest * turn / (1.0 - ratio * turn) - 1.0 / (1.0 - ratio));
    }
    out[k] = value;
  }
}

}  // namespace fracmoment
