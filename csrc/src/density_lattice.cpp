// The lattice law of one layer: see density_lattice.hpp.
#include "fracmoment/depth/density_lattice.hpp"

#include <algorithm>

#include "fracmoment/depth/break_masses.hpp"
#include "fracmoment/depth/lagrange.hpp"
#include "fracmoment/depth/lattice_kernels.hpp"
#include "fracmoment/error.hpp"

namespace fracmoment {
namespace {

constexpr double kNegligible = 41.0;  // exp(-41) = 1.6e-18
constexpr std::int64_t kBlock = 64;
constexpr std::int64_t kZone = 18;     // points around a break where masses are integrals
constexpr double kMostTurn = 0.45;     // |order + it| h that Lagrange's formula serves
constexpr double kUnresolved = 1e-8;   // error of the formula on every second point
constexpr double kMassError = 1e-11;   // of the lattice that resolves a density
constexpr int kMoreLevels = 3;         // finer, to bring it below a tenth of that
constexpr double kFarAway = 1e12;      // points, from where a lattice begins
constexpr double kDeepestCut = 500.0;  // below the mean
constexpr std::size_t kMaxPointsOfLattice = 1u << 17;

}  // namespace

DensityLattice::DensityLattice(std::unique_ptr<StepLaw> law)
    : law_(std::move(law)), density_(*law_, law_->spread()) {
  if (law_->decays() || law_->is_point()) return;
  // Where a coarse lattice lies in the zone of a break as a whole, it has no points that tell
  // whether it resolves the density; its mass tells that as well.
  int more = 0;
  for (base_level_ = 1 - std::ilogb(law_->spread());; ++base_level_) {
    Table& found = table(base_level_, 0.0);
    cover(found, 0.0, kNegligible);
    if (!resolved(found)) continue;
    const double log_mass = tilted_on(found, 0.0).log_mass, error = std::abs(log_mass);
    if (error < 0.1 * kMassError || (error < kMassError && more++ == kMoreLevels)) {
      found.calibrated = true;
      found.calibration = log_mass;
      break;
    }
  }
}

// For Gaussian weights 2 pi/h is the frequency at which one layer has fallen to nothing, and
// `reach` beyond it.
int DensityLattice::level_for(double order, double reach) const {
  if (law_->decays())
    return std::ilogb((law_->decayed(order, kNegligible) + reach) * 0.15915494309189535) + 1;
  const double turn = std::sqrt(order * order + reach * reach) / kMostTurn;
  return std::max(base_level_, std::ilogb(turn) + 1);
}

DensityLattice::Table& DensityLattice::table(int level, double order) {
  const int side = law_->decays() || order == 0.0 ? 0 : order < 0.0 ? -1 : 1;
  Table& found = tables_[{level, side}];
  if (found.step > 0.0) return found;
  found.step = std::ldexp(1.0, -level);
  double start = law_->mean().hi;
  if (!law_->decays()) start += order * law_->spread() * law_->spread();
  start = std::min(std::max(start, law_->low()), law_->high());
  found.first = std::int64_t(std::nearbyint(start / found.step)) - kBlock / 2;
  const std::vector<StepLaw::Break>& breaks = law_->breaks();
  for (std::size_t i = 0; i < breaks.size(); ++i) {
    if (std::abs(breaks[i].at.hi - start) > kFarAway * found.step) continue;
    const auto at = std::int64_t(std::nearbyint(breaks[i].at.hi / found.step));
    if (found.zones.empty() || at - kZone > found.zones.back().last + kStencil)
      found.zones.push_back({at - kZone, at + kZone, {}, {}});
    found.zones.back().last = at + kZone;
    found.zones.back().breaks.push_back(i);
  }
  extend(found, true);
  return found;
}

// The next points on one side.
void DensityLattice::extend(Table& table, bool up) {
  if (table.log_size.size() > kMaxPointsOfLattice)
    throw ConvergenceError(
        "the density of a layer's log gain reaches too far for a lattice: its slopes are of very "
        "different sizes, or the order is too near the edge of the moments");
  const auto size = std::int64_t(table.log_size.size());
  const std::int64_t begin = up ? table.first + size : table.first - kBlock;
  std::vector<double> value(static_cast<std::size_t>(kBlock));
  for (std::int64_t i = 0; i < kBlock; ++i)
    value[std::size_t(i)] = density_.log_density(double(begin + i) * table.step);
  table.log_size.insert(up ? table.log_size.end() : table.log_size.begin(), value.begin(),
                        value.end());
  table.sign.insert(up ? table.sign.end() : table.sign.begin(), value.size(), 1);
  if (!up) table.first = begin;
  for (Zone& zone : table.zones)
    if (begin <= zone.last && begin + kBlock > zone.first) enter(table, zone);
  const double end = double(up ? begin + kBlock - 1 : begin), margin = double(kZone);
  table.ended[up ? 1 : 0] =
      up ? end > law_->high() / table.step + margin : end < law_->low() / table.step - margin;
}

void DensityLattice::enter(Table& table, Zone& zone) {
  if (zone.value.empty())
    zone.value = break_masses(density_, *law_, zone.breaks, table.step, zone.first, zone.last);
  const std::int64_t end = table.first + std::int64_t(table.log_size.size());
  for (std::int64_t i = std::max(zone.first, table.first); i <= std::min(zone.last, end - 1); ++i) {
    const double value = zone.value[std::size_t(i - zone.first)];
    table.log_size[std::size_t(i - table.first)] = log_of(std::abs(value));
    table.sign[std::size_t(i - table.first)] = value < 0.0 ? -1 : 1;
  }
}

// Whether log E[exp(order y); y beyond] < least, by the distribution function or the survival
// function F there: by exp(order y) F where the exponential falls, else by Chernoff's or Hoelder's
// inequality with an order further on, half way to the edge of the moments if there is one.
bool DensityLattice::nothing_beyond(double order, double y, double least, bool upper) const {
  if (law_->one_hill() || (law_->decays() && upper)) return true;
  if (!upper && y < std::max(law_->power_limit(), -500.0)) return true;
  const double log_p = law_->log_tail(y, upper);
  const bool falling = upper ? order <= 0.0 : order >= 0.0;
  if (falling) return order * y + log_p < least;
  if (upper && order * law_->high() + log_p < least) return true;
  const double further = upper                       ? 2.0 * order + 1.0
                         : law_->edge() > -kInfinity ? 0.5 * (law_->edge() + order)
                                                     : 2.0 * order - 1.0;
  if (std::abs(further) > 60.0) return false;
  const double share = order / further, log_moment = law_->log_moment(further);
  return std::min((order - further) * y + log_moment, share * log_moment + (1.0 - share) * log_p) <
         least;
}

// Extends the table until what lies beyond is negligible after tilting, or a power on the left.
void DensityLattice::cover(Table& table, double order, double negligible) {
  const auto exponent = [&](std::size_t i) {
    return table.log_size[i] + order * double(table.first + std::int64_t(i)) * table.step;
  };
  double peak = -kInfinity;
  const auto update = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) peak = std::max(peak, exponent(i));
  };
  const auto grow = [&](bool up) {
    const std::size_t size = table.log_size.size();
    extend(table, up);
    const std::size_t more = table.log_size.size() - size;
    update(up ? size : 0, up ? size + more : more);
  };
  update(0, table.log_size.size());
  while (peak == -kInfinity && !(table.ended[0] && table.ended[1]))
    for (const bool up : {false, true})
      if (!table.ended[up ? 1 : 0] && peak == -kInfinity) grow(up);
  const double spread = 0.5 * log_of(table.step);
  const auto falls = [&](bool up) {  // negligible at the end, and not on the way up
    const std::size_t n = table.log_size.size(), end = up ? n - 1 : 0;
    const double at_end = exponent(end), inside = exponent(up ? n - 2 : 1);
    if (!(at_end < peak - negligible && (at_end < inside || at_end == -kInfinity))) return false;
    const double y = double(table.first + std::int64_t(end)) * table.step;
    return nothing_beyond(order, y, peak + spread - negligible, up);
  };
  const auto closed = [&] {  // a power follows, which has a sum
    return double(table.first) * table.step < law_->power_limit() && negligible == kNegligible;
  };
  while (!table.ended[1] && !falls(true)) grow(true);
  while (!table.ended[0] && !closed() && !falls(false)) grow(false);
}

// The first point, from above, below which the tilted density has fallen to nothing; the table
// reaches from there to the upper end. Laws with dead units or small slopes have more of it further
// down, for small orders infinitely much.
std::int64_t DensityLattice::cover_above_cut(Table& table, double order) {
  const auto exponent = [&](std::int64_t i) {
    return table.log_size[std::size_t(i - table.first)] + order * double(i) * table.step;
  };
  const auto end = [&] { return table.first + std::int64_t(table.log_size.size()); };
  const double lowest = std::max(law_->power_limit(), -kDeepestCut);
  for (;;) {
    double peak = -kInfinity;
    std::int64_t i = end() - 1;
    for (;; --i) {
      if (i < table.first) {
        if (table.ended[0]) break;
        if (double(table.first) * table.step < lowest)
          throw ConvergenceError("the tilted density of a layer's log gain does not fall");
        extend(table, false);
      }
      peak = std::max(peak, exponent(i));
      if (exponent(i) < peak - kNegligible && double(i) * table.step < law_->mean().hi) break;
    }
    if (table.ended[1] || exponent(end() - 1) < peak - kNegligible) return i + 1;
    extend(table, true);
  }
}

// Whether every point far from breaks follows from its neighbours at odd distances.
bool DensityLattice::resolved(const Table& table) const {
  double weight[kStencil];
  lagrange_weights(double(kBefore) + 0.5, weight);
  const auto n = std::int64_t(table.log_size.size());
  const auto inside = [&](std::int64_t i) {
    for (const Zone& zone : table.zones)
      if (table.first + i + kStencil > zone.first && table.first + i - kStencil < zone.last)
        return true;
    return false;
  };
  double peak = -kInfinity, worst = 0.0;
  for (const double value : table.log_size) peak = std::max(peak, value);
  for (std::int64_t i = kStencil; i + kStencil < n; ++i) {
    if (inside(i)) continue;
    double sum = 0.0;
    for (std::int64_t k = 0; k < kStencil; ++k)
      sum += weight[k] * exp_of(table.log_size[std::size_t(i + 2 * (k - kBefore) - 1)] - peak);
    worst = std::max(worst, std::abs(sum - exp_of(table.log_size[std::size_t(i)] - peak)));
  }
  return worst < kUnresolved;
}

// Where the mass at order 0 comes from: a table of its own for Gaussian weights; the one that
// resolves the density for others, whose finer tables need not reach that far.
void DensityLattice::calibrate(Table& table) {
  if (table.calibrated) return;
  table.calibrated = true;
  if (!law_->decays() && &table != &tables_[{base_level_, 0}]) {
    Table& base = tables_[{base_level_, 0}];
    calibrate(base);
    table.calibration = base.calibration;
    return;
  }
  const double log_mass = tilted_on(table, 0.0).log_mass;
  if (!(std::abs(log_mass) < kMassError))
    throw ConvergenceError("the density of a layer's log gain integrates to 1 + " +
                           std::to_string(1e12 * log_mass) + "e-12");
  table.calibration = log_mass;
}

TiltedLattice DensityLattice::tilted(double order, double reach, bool above_cut) {
  const int level = level_for(order, reach);
  Table& source = table(level, order);
  calibrate(source);
  if (!above_cut || !law_->bent()) return tilted_on(source, order);
  const std::int64_t first = cover_above_cut(source, order);
  TiltedLattice law = tilted_from(source, order, std::size_t(first - source.first), false);
  law.cut = double(first) * source.step;
  return law;
}

TiltedLattice DensityLattice::tilted_on(Table& source, double order) {
  cover(source, order, kNegligible);
  // a power that goes on below
  const bool power = double(source.first) * source.step < law_->power_limit();
  return tilted_from(source, order, 0, power);
}

TiltedLattice DensityLattice::tilted_from(const Table& source, double order, std::size_t begin,
                                          bool power) const {
  TiltedLattice law;
  law.step = source.step;
  std::vector<double> exponent(source.log_size.size());
  double peak = -kInfinity;
  for (std::size_t i = begin; i < exponent.size(); ++i) {
    exponent[i] = source.log_size[i] + order * double(source.first + std::int64_t(i)) * source.step;
    peak = std::max(peak, exponent[i]);
  }
  std::size_t end = exponent.size();
  // the power counts only if the lattice ends before it is negligible
  power = power && exponent[begin] > peak - kNegligible - 20.0;
  while (!power && exponent[begin] < peak - kNegligible) ++begin;
  while (exponent[end - 1] < peak - kNegligible) --end;
  law.first = source.first + std::int64_t(begin);
  const auto top =
      std::size_t(std::max_element(exponent.begin() + std::ptrdiff_t(begin), exponent.end()) -
                  exponent.begin());  // sums of distances from the highest point
  double mass = 0.0, first = 0.0, second = 0.0;
  for (std::size_t i = begin; i < end; ++i) {
    const double w = exp_of(exponent[i] - peak) * source.sign[i], y = double(i) - double(top);
    law.weight.push_back(w);
    mass += w;
    first += w * y;
    second += w * y * y;
  }
  if (power) {  // what follows below: q + q^2 + ..., at -1, -2, ...
    const double rate = (law_->edge() - order) * source.step;
    law.ratio = exp_of(rate);
    const double q = law.ratio, rest = -expm1(Real(rate)).hi;
    const double below = law.weight[0] * q / rest;  // sums of q^k, k q^k and k^2 q^k, k >= 1
    const double distance = below / rest, square = distance * (1.0 + q) / rest;
    const double lowest = double(begin) - double(top);
    mass += below;
    first += below * lowest - distance;
    second += below * lowest * lowest - 2.0 * lowest * distance + square;
  }
  for (double& w : law.weight) w /= mass;
  const double centre = first / mass;
  law.mean = (double(source.first + std::int64_t(top)) + centre) * source.step;
  law.variance = std::max(second / mass - centre * centre, 0.0) * source.step * source.step;
  law.log_mass = peak + log_of(mass * source.step) - source.calibration;
  return law;
}

LatticeMasses DensityLattice::masses(int level, double depth) {
  const int fine = law_->decays() ? level : std::max(level, base_level_);
  Table& source = table(fine, 0.0);
  calibrate(source);
  cover(source, 0.0, depth);
  LatticeMasses law{source.step, source.first, {}};
  for (std::size_t i = 0; i < source.log_size.size(); ++i)
    law.mass.push_back(source.sign[i] * exp_of(source.log_size[i] - source.calibration) *
                       source.step);
  if (level < fine) law = coarsened(law, std::ldexp(1.0, -level));
  trim(law, exp_of(-depth) * law.step);
  return law;
}

double TiltedLattice::log_moment(double s) const {
  const auto size = std::int64_t(weight.size());
  const auto exponent = [&](std::int64_t i) { return s * (double(first + i) * step - mean); };
  const double most = std::max(exponent(0), exponent(size - 1));
  double sum = 0.0;
  for (std::int64_t i = 0; i < size; ++i)
    sum += std::abs(weight[std::size_t(i)]) * exp_of(exponent(i) - most);
  if (ratio > 0.0) {
    const double q = ratio * exp_of(-s * step);
    if (q >= 1.0) return kInfinity;
    sum += weight[0] * exp_of(exponent(0) - most) * q / (1.0 - q);
  }
  return most + log_of(sum);
}

void TiltedLattice::characteristic_minus_one(const double* t, Point* out, std::size_t n) const {
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
