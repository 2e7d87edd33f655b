// Transforms of sums of log gains: see step_sum.hpp.
#include "fracmoment/depth/step_sum.hpp"

#include <algorithm>

#include "fracmoment/error.hpp"

namespace fracmoment {
namespace {

constexpr double kNegligible = 41.0;    // exp(-41) = 1.6e-18
constexpr double kFaded = 44.0;         // the same, of values at a few points
constexpr double kNoise = 3e-15;        // characteristic functions with breaks below are 0
constexpr double kSettledTail = 2e-14;  // of the series of a part
constexpr double kMostHeights = 12.0;   // times the first where the breaks are everything
constexpr double kFewLayers = 32.0;     // powers by multiplication up to here

// (1 + z)^n for |1 + z| <= 1 where z is known to relative accuracy.
Point power(const Point& z, double n) {
  if (n <= kFewLayers) return power_of(1.0 + z, std::int64_t(n));
  const Complex<double> exact{two_sum(1.0, z.real()), Real(z.imag())};
  if (exact.re.hi == 0.0 && exact.im.hi == 0.0) return 0.0;
  const Complex<double> value = exp(log(exact) * Real(n));
  return {value.re.hi, value.im.hi};
}

}  // namespace

Ray turned_ray(double order, double reach, bool left) {
  const double root = 0.7071067811865476;
  return {Point(order, reach), Point(left ? -root : root, root)};
}

StepSum::StepSum(const std::vector<DepthFactor>& factors) {
  double variance = 0.0;
  for (const DepthFactor& factor : factors) {
    std::unique_ptr<StepLaw> law = factor.fan_in > 0
                                       ? projection_step(factor.spec.width, factor.fan_in)
                                       : gain_step(factor.spec);
    origin_ = origin_ + law->origin() * Real(factor.count);
    if (law->is_point()) continue;
    mean_ = mean_ + law->mean() * Real(factor.count);
    edge_ = std::max(edge_, law->edge());
    bent_ = bent_ || law->bent();
    smooth_ = smooth_ || law->decays();
    const auto add_end = [&](Real& end, double at, const auto& break_at) {
      const bool open = std::isinf(end.hi) || std::isinf(at);
      end =
          open ? Real(at < 0.0 ? -kInfinity : kInfinity) : end + break_at().at * Real(factor.count);
    };
    add_end(low_, law->low(), [&] { return law->breaks().front(); });
    add_end(high_, law->high(), [&] { return law->breaks().back(); });
    if (!law->decays()) lowest_break_ += law->breaks().front().at.hi * factor.count;
    variance += factor.count * law->spread() * law->spread();
    factors_.push_back({std::make_unique<DensityLattice>(std::move(law)), factor.count});
  }
  spread_ = std::sqrt(variance);
}

// Where the product of the proved bounds has fallen to nothing.
double StepSum::smooth_reach(double order) const {
  double high = kInfinity;
  for (const Factor& f : factors_)
    if (f.law().decays()) high = std::min(high, f.law().decayed(order, kNegligible));
  double low = 0.0;
  for (int i = 0; i < 12; ++i) {
    const double middle = 0.5 * (low + high);
    double total = 0.0;
    for (const Factor& f : factors_) total += f.count * f.law().log_decay(order, middle);
    (total > -kNegligible ? low : high) = middle;
  }
  return high;
}

void StepSum::fill(Tilt& tilt, double reach) const {
  const double order = tilt.order;
  tilt.reach = reach;
  tilt.log_mass = tilt.mean = tilt.variance = 0.0;
  tilt.layers.clear();
  tilt.lines.clear();
  tilt.line_from.clear();
  for (const Factor& f : factors_) {
    double own = f.law().decays() ? reach : branch_frequency(f.law(), order);
    std::unique_ptr<BranchLine> line;
    for (; own < 0.5 * reach; own *= 1.5) {
      line = std::make_unique<BranchLine>(f.law(), order, own);
      if (line->tail(f.lattice->tilted(order, own, tilt.above_cut).log_mass) <= kSettledTail) break;
      line = nullptr;
    }
    tilt.layers.push_back(f.lattice->tilted(order, line != nullptr ? own : reach, tilt.above_cut));
    tilt.line_from.push_back(line != nullptr ? own : kInfinity);
    tilt.lines.push_back(std::move(line));
    const TiltedLattice& layer = tilt.layers.back();
    tilt.log_mass += f.count * layer.log_mass;
    tilt.variance += f.count * layer.variance;
    tilt.mean += f.count * layer.mean;
  }
  if (order == 0.0) {  // whatever the rounding of the densities says
    tilt.mean = mean_.hi;
    tilt.log_mass = 0.0;
  }
}

bool StepSum::faded(const Tilt& tilt, double reach) const {
  constexpr std::size_t n = 24;
  double t[n];
  Point value[n];
  for (std::size_t i = 0; i < n; ++i) t[i] = reach * (0.5 + 0.5 * double(i) / double(n));
  characteristic(tilt, t, value, n);
  return std::all_of(value, value + n,
                     [](const Point& v) { return std::abs(v) < exp_of(-kFaded); });
}

// log of the sum of the sizes of the breaks' parts: above the log of that of the tilted transform.
double StepSum::log_branch_size(const Tilt& tilt, const Point& z) const {
  double total = 0.0;
  for (std::size_t g = 0; g < factors_.size(); ++g) {
    const StepLaw& law = factors_[g].law();
    double sum = 0.0;
    for (std::size_t i = 0; i < law.breaks().size(); ++i)
      sum += std::abs(law.part(i, z)) *
             exp_of(tilt.order * law.breaks()[i].at.hi - tilt.layers[g].log_mass);
    total += factors_[g].count * log_of(sum);
  }
  return total;
}

// The parts of all breaks on the rays from a height; whether they are settled there.
bool StepSum::settled(Tilt& tilt, double from) const {
  for (const bool left : {false, true}) {
    std::vector<std::vector<RaySeries>>& parts = tilt.parts[left ? 1 : 0];
    parts.clear();
    const Ray ray = turned_ray(tilt.order, from, left);
    for (std::size_t g = 0; g < factors_.size(); ++g) {
      const StepLaw& law = factors_[g].law();
      parts.push_back(branch_parts(law, ray));
      for (std::size_t i = 0; i < law.breaks().size(); ++i) {
        const double log_tilt = tilt.order * law.breaks()[i].at.hi - tilt.layers[g].log_mass;
        if (parts[g][i].tail() * exp_of(log_tilt) > kSettledTail) return false;
      }
    }
  }
  return true;
}

void StepSum::take_apart(Tilt& tilt) const {
  const double first = tilt.reach;
  for (double reach = first; reach <= kMostHeights * first; reach *= 1.5) {
    const bool nothing = log_branch_size(tilt, Point(tilt.order, reach)) < -kFaded;
    if (!nothing && !settled(tilt, reach)) continue;
    if (reach > first) fill(tilt, reach);
    tilt.branched = !nothing;
    return;
  }
  throw ConvergenceError("the breaks of the laws of orthogonal layers cannot be taken apart");
}

Tilt StepSum::tilted(double order, bool above_cut) const {
  Tilt tilt;
  tilt.order = order;
  tilt.above_cut = above_cut;
  if (smooth_) {
    fill(tilt, smooth_reach(order));
  } else {
    double first = 0.0;  // from where on the breaks are everything
    for (const Factor& f : factors_) first = std::max(first, branch_frequency(f.law(), order));
    tilt.branched = true;
    for (double reach = 9.0 / spread_; tilt.branched && reach < 0.5 * first; reach *= 2.0) {
      fill(tilt, reach);
      tilt.branched = !faded(tilt, reach);
    }
    if (tilt.branched) fill(tilt, first);
  }
  if (!(tilt.variance > 0.0))
    throw ConvergenceError("the variance of a tilted law is lost in rounding");
  return tilt;
}

void StepSum::characteristic(const Tilt& tilt, const double* t, Point* out, std::size_t n) const {
  std::fill(out, out + n, Point(1.0));
  std::vector<Point> part(n);
  for (std::size_t g = 0; g < factors_.size(); ++g) {
    const TiltedLattice& layer = tilt.layers[g];
    const bool analytic = factors_[g].law().decays();
    std::size_t lattice = 0;  // arguments ascend
    while (lattice < n && std::abs(t[lattice]) <= tilt.line_from[g]) ++lattice;
    layer.characteristic_minus_one(t, part.data(), lattice);
    for (std::size_t i = lattice; i < n; ++i)
      part[i] = tilt.lines[g]->at(t[i], layer.mean, layer.log_mass) - 1.0;
    for (std::size_t i = 0; i < n; ++i) {
      const bool noise = !analytic && std::abs(1.0 + part[i]) < kNoise;
      out[i] = noise ? 0.0 : times(out[i], power(part[i], factors_[g].count));
    }
  }
}

// By Chernoff's bounds around the best normal guess. The layers' laws are those of their lattices,
// without what is negligible there: far below they may have no moments.
std::pair<double, double> StepSum::range(const Tilt& tilt) const {
  const double guess = std::sqrt(2.0 * kNegligible / tilt.variance);
  const auto log_moment = [&](double s) {
    double sum = 0.0;
    for (std::size_t g = 0; g < factors_.size(); ++g)
      sum += factors_[g].count * tilt.layers[g].log_moment(s);
    return sum;
  };
  double ends[2] = {tilt.mean - low_.hi, high_.hi - tilt.mean};
  for (double& end : ends) end *= 1.0 + 1e-12;
  for (const double factor : {0.4, 1.0, 2.2})
    for (const bool upper : {false, true}) {
      double s = factor * guess;
      if (!upper)
        for (const TiltedLattice& layer : tilt.layers)
          if (layer.ratio > 0.0) s = std::min(s, -0.6 * log_of(layer.ratio) / layer.step);
      ends[upper] = std::min(ends[upper], (log_moment(upper ? s : -s) + kNegligible) / s);
    }
  return {tilt.mean - ends[0], tilt.mean + ends[1]};
}

std::pair<double, double> StepSum::neglected(const Tilt& tilt) const {
  double probability = 0.0, density = 0.0;
  for (std::size_t g = 0; g < factors_.size(); ++g) {
    if (tilt.layers[g].cut == -kInfinity) continue;
    const double part =
        factors_[g].count * exp_of(factors_[g].law().log_tail(tilt.layers[g].cut, false));
    probability += part;
    // the others' sum has a density of the size of the inverse of its spread at most
    const double own = factors_[g].law().spread(), rest = spread_ * spread_ - own * own;
    if (rest > 1e-12 * spread_ * spread_) density += part / std::sqrt(rest);
  }
  return {log_of(probability), log_of(density)};
}

}  // namespace fracmoment
