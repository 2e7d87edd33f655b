// Laws of sums of log gains: see depth_law.hpp.
#include "fracmoment/depth/depth_law.hpp"

#include <algorithm>

#include "fracmoment/error.hpp"

namespace fracmoment {
namespace {

constexpr double kNegligible = 41.0;  // exp(-41) = 1.6e-18
constexpr double kLoss = 5.5;         // log of the cancellation that a tilt may cost
constexpr double kNearCentre = 4.0;   // standard deviations
constexpr double kCentral = -30.0;    // log of the relative error that the central line may have
constexpr int kMostFailures = 4;      // of orders beyond which a hill ends
constexpr double kWorthwhile = 0.3;   // share of the cancellation that a last rung may save
constexpr double kSettled = 0.3;      // of log E exp(order (y - end)): the atom is all that is left
constexpr double kSmallestTail = -760.0;  // exp of it underflows
constexpr double kQuarterTurn = 1.5707963267948966;
constexpr double kAccuracy = -23.0;      // log of the relative error above which sums take over
constexpr double kSmallestSum = -540.0;  // log of what sums leave out
constexpr double kFromBreaks = 14.0;     // steps, more than half a stencil
constexpr double kPromise = -18.4;       // log of 1e-8
// The ends of bounded laws are neared no further than by these orders and distances: below, the
// distance to an end that is no double is lost in that of its neighbours anyway.
constexpr double kMostGrowth = 3.0;  // of the logarithm of a distance, in a step
constexpr double kMostOrder[] = {1e11, 1e16};
constexpr double kClosest[] = {1e-10, 1e-14};
constexpr int kEndPoints = 5;
constexpr double kNearWhole = 0.1;

}  // namespace

DepthLaw::DepthLaw(const std::vector<DepthFactor>& factors, const Real& log_scale)
    : sum_(factors), origin_(sum_.origin() + log_scale) {
  Tilt centre = sum_.tilted(0.0, false);
  spread_ = std::sqrt(centre.variance);
  for (Ladder& ladder : ladder_) ladder.last = centre;
  centre_ = std::make_shared<const Rung>(sum_, std::move(centre));
  for (Ladder& ladder : ladder_) ladder.rungs.push_back(centre_);
}

// ------------------------------------------------------------------ the ladder

// The order at which K(s0) - s0 y exceeds K(s) - s y by a given loss, y = K'(s) its saddle. Below,
// laws with dead units or small slopes have tilted hills down to some order only.
Tilt DepthLaw::next_tilt(const Hill& from, bool upper) const {
  const bool bent = !upper && sum_.bent();
  const double sign = upper ? 1.0 : -1.0;
  double near = 0.0, far = upper || bent ? kInfinity : from.order - sum_.edge();
  double distance = std::sqrt(2.0 * kLoss / from.variance);  // from from.order
  int failures = 0;
  for (int i = 0;; ++i) {
    if (!(distance < far)) distance = 0.5 * (near + far);
    Tilt tilt;
    try {
      tilt = sum_.tilted(from.order + sign * distance, bent);
    } catch (const ConvergenceError&) {
      if (!bent || ++failures > kMostFailures) throw;
      far = distance;
      continue;
    }
    const double loss = from.log_mass - tilt.log_mass + sign * distance * tilt.mean;
    if (std::abs(loss - kLoss) < 0.5) return tilt;
    if (failures > 0 && loss > kWorthwhile * kLoss && loss < kLoss) return tilt;
    (loss < kLoss ? near : far) = distance;
    const double end = upper ? sum_.high().hi : sum_.low().hi;
    const bool settled = loss < kLoss && std::isfinite(end) &&
                         tilt.log_mass - tilt.order * end < log_atom(upper) + kSettled;
    const bool far_out = !sum_.smooth() && std::abs(tilt.order) > kMostOrder[upper ? 1 : 0];
    if (i > 60 || settled || far_out || far - near < 1e-9 * far)
      throw ConvergenceError("no tilt was found for a point of the tail");
    const double newton = distance - (loss - kLoss) / (distance * tilt.variance);
    distance = newton > near && newton < far ? newton
               : far < kInfinity             ? 0.5 * (near + far)
                                             : 2.0 * near;
  }
}

// Up to which |x - mean| the last rung serves. Where no tilt follows it serves on, and the error
// that a value turns out to have decides.
void DepthLaw::find_end(Ladder& ladder, bool upper) const {
  ladder.ends.push_back(kInfinity);
  try {
    Tilt tilt = next_tilt(ladder.last, upper);
    const Hill hill = tilt;
    ladder.rungs.push_back(std::make_shared<const Rung>(sum_, std::move(tilt)));
    ladder.last = hill;
    ladder.ends.back() = std::abs(hill.mean - sum_.mean().hi);
  } catch (const ConvergenceError&) {
  }
}

std::shared_ptr<const Rung> DepthLaw::rung_at(double x) const {
  const std::lock_guard<std::recursive_mutex> lock(guard_);
  const double distance = x - sum_.mean().hi;
  const bool upper = distance > 0.0;
  Ladder& ladder = ladder_[upper ? 1 : 0];
  for (std::size_t j = 0;; ++j) {
    if (j > 0 && ladder.rungs[j]->log_front(x) < kSmallestTail) return ladder.rungs[j];
    if (j == ladder.ends.size()) find_end(ladder, upper);
    if (std::abs(distance) <= ladder.ends[j]) return ladder.rungs[j];
  }
}

// By the line through the centre if that is accurate, which needs no ladder. Next to breaks every
// line costs as much.
template <class Get>
Rung::Value DepthLaw::along_line(const Real& x, Get&& get) const {
  if (sum_.smooth() && std::abs(x.hi - sum_.mean().hi) < kNearCentre * spread_) {
    const Rung::Value value = get(*centre_);
    if (value.log_error < value.log_value + kCentral) return value;
  }
  return get(*rung_at(x.hi));
}

// ------------------------------------------------------------------ positive sums

// The law of m layers by doubling, from those of m and m + 1; `thin` may take every second point.
template <class Thin>
LatticeMasses repeated(LatticeMasses low, std::int64_t count, double least, Thin&& thin) {
  if (count == 1) return low;
  int bit = 62;
  while (((count >> bit) & 1) == 0) --bit;
  LatticeMasses high = convolution(low, low, least);
  for (std::int64_t m = 1; bit-- > 0;) {
    const bool odd = ((count >> bit) & 1) != 0;
    LatticeMasses middle = odd || bit > 0 ? convolution(low, high, least) : LatticeMasses{};
    if (odd) {
      if (bit > 0) high = convolution(high, high, least);
      low = std::move(middle);
    } else {
      low = m == 1 ? std::move(high) : convolution(low, low, least);
      high = std::move(middle);
    }
    m = 2 * m + (odd ? 1 : 0);
    while (thin(low, m)) {
      low = every_second(low);
      high = every_second(high);
    }
  }
  return low;
}

// The law of a factor with Gaussian weights, on a lattice of at most the given step.
LatticeMasses DepthLaw::masses_of(const StepSum::Factor& factor, double largest_step,
                                  double depth) const {
  const auto enough = [&](double layers) {
    const double band = factor.law().decayed(0.0, kNegligible / layers);
    return std::min(largest_step, 3.141592653589793 / band);
  };
  const auto count = std::int64_t(factor.count);
  const double alone = count > 1 ? enough(1.0) : largest_step;
  return repeated(factor.lattice->masses(-std::ilogb(alone), depth), count, exp_of(-depth),
                  [&](const LatticeMasses& law, std::int64_t m) {
                    return 2.0 * law.step <= enough(double(m));
                  });
}

// The law of a factor with breaks, for sums with laws that are smooth on this lattice.
LatticeMasses DepthLaw::broken_masses(const StepSum::Factor& factor, int level,
                                      double depth) const {
  return repeated(factor.lattice->masses(level, depth), std::int64_t(factor.count), exp_of(-depth),
                  [](const LatticeMasses&, std::int64_t) { return false; });
}

std::unique_ptr<SumLattice> DepthLaw::make_sums(double depth) const {
  // From the broadest law on, which has the narrowest band of frequencies: the sum stays on its
  // lattice.
  std::vector<std::pair<double, const StepSum::Factor*>> bands;
  std::vector<const StepSum::Factor*> broken;
  int finest = -1000;
  for (const StepSum::Factor& f : sum_.factors()) {
    if (f.law().decays()) {
      bands.emplace_back(f.law().decayed(0.0, kNegligible / f.count), &f);
    } else {
      broken.push_back(&f);
      finest = std::max(finest, f.lattice->base_level());
    }
  }
  std::sort(bands.begin(), bands.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  const double least = exp_of(-depth);
  LatticeMasses sum;
  for (const auto& [band, factor] : bands) {
    const double both = band + bands[0].first;
    const bool narrow = !sum.mass.empty() && sum.step * both > 4.0 * kQuarterTurn;
    LatticeMasses part =
        masses_of(*factor, narrow ? 4.0 * kQuarterTurn / both : kQuarterTurn / band, depth);
    if (sum.mass.empty()) {
      sum = std::move(part);
    } else if (!narrow) {
      while (part.step < sum.step) part = every_second(part);
      sum = convolution(sum, part, least);
    } else {
      sum = smeared(sum, std::move(part), least);
    }
  }
  const int level = bands.empty() ? finest : -std::ilogb(sum.step);
  for (const StepSum::Factor* factor : broken) {
    LatticeMasses part = broken_masses(*factor, level, depth);
    sum = sum.mass.empty() ? std::move(part) : convolution(sum, part, least);
  }
  return std::make_unique<SumLattice>(std::move(sum));
}

const SumLattice& DepthLaw::sums(std::size_t level) const {
  constexpr double depth[] = {140.0, 300.0, 560.0};  // exp(-560) = 1e-243
  const std::lock_guard<std::recursive_mutex> lock(guard_);
  if (sums_[level] == nullptr) sums_[level] = make_sums(depth[level]);
  return *sums_[level];
}

bool DepthLaw::needs_sums(const Rung::Value& value, const Real& x) const {
  return sum_.bent() && !above(x) && value.log_error > kSmallestTail &&
         value.log_error > value.log_value + kAccuracy;
}

// A value whose error along a line is too large, from the shortest sums that reach it well inside.
// They know integrals over smooth functions: densities only away from breaks.
template <class Get>
Rung::Value DepthLaw::by_sums(const Rung::Value& value, const Real& x, Get&& get) const {
  for (std::size_t level = 0; level < 3; ++level) {
    const SumLattice& masses = sums(level);
    if (!sum_.smooth() && x.hi > sum_.lowest_break() - kFromBreaks * masses.step()) break;
    const double found = get(masses);
    if (found != found) break;
    if (level == 2 || found > (level == 0 ? -100.0 : -260.0))
      return {found, std::max(found + kAccuracy, kSmallestSum)};
  }
  return value;
}

// Whether an absolute error below 1e-14 is all that a value has.
void DepthLaw::require_relative(const Rung::Value& value) {
  if (value.log_error > kSmallestTail && !(value.log_error < value.log_value + kPromise))
    throw ConvergenceError(
        "a far tail is out of reach for a network of this kind: only its absolute error is small");
}

// ------------------------------------------------------------------ values

// Whether a tail on the side of x is empty: the law may end.
bool DepthLaw::beyond(const Real& x) const {
  if (std::isinf(x.hi)) return true;
  if (above(x)) return !std::isinf(sum_.high().hi) && (x - sum_.high()).hi >= 0.0;
  return !std::isinf(sum_.low().hi) && (x - sum_.low()).hi < 0.0;
}

// The logarithm of the probability of an end.
double DepthLaw::log_atom(bool upper) const {
  double sum = 0.0;
  for (const StepSum::Factor& f : sum_.factors()) {
    const auto& breaks = f.law().breaks();
    sum += f.count * log_of(upper ? breaks.back().atom : breaks.front().atom);
  }
  return sum;
}

// The logarithm of a function very close to an end: a power of the distance to it, whose exponent
// is a half-integer, or a constant that is known (the atom of a tail), times a power series in the
// root of the distance. That is a polynomial through values a little further away.
template <class Get>
Rung::Value DepthLaw::next_to_end(const Real& x, bool tail, Get&& get) const {
  const bool upper = above(x);
  const Real& end = upper ? sum_.high() : sum_.low();
  const double closest = kClosest[upper ? 1 : 0] * (1.0 + std::abs(end.hi));
  const double distance = std::abs((end - x).hi), inwards = upper ? -closest : closest;
  if (!(distance < closest)) return get(x);
  const double log_limit = tail ? log_atom(upper) : -kInfinity;
  const bool limited = log_limit > -kInfinity;
  double root[kEndPoints], value[kEndPoints];
  Rung::Value last{-kInfinity, -kInfinity};
  for (int i = 0; i < kEndPoints; ++i) {
    root[i] = limited ? double(i) : double(i + 1);
    value[i] = log_limit;
    if (root[i] > 0.0)
      last = get(end + Real(root[i] * root[i] * inwards)), value[i] = last.log_value;
    if (value[i] == -kInfinity) return last;
  }
  double power = 0.0;  // of the root
  if (!limited) {
    power = (value[1] - value[0]) / log_of(2.0);
    const double whole = std::nearbyint(power);
    if (std::abs(power - whole) < kNearWhole) power = whole;
    for (int i = 0; i < kEndPoints; ++i) value[i] -= power * log_of(root[i]);
  }
  const double at = std::sqrt(distance / closest);
  for (int k = 1; k < kEndPoints; ++k)  // Neville's scheme
    for (int i = 0; i + k < kEndPoints; ++i)
      value[i] =
          ((at - root[i]) * value[i + 1] + (root[i + k] - at) * value[i]) / (root[i + k] - root[i]);
  const double found = value[0] + power * log_of(at);
  return {found, found + last.log_error - last.log_value};
}

Rung::Value DepthLaw::small_tail(const Real& at) const {
  if (beyond(at)) return {-kInfinity, -kInfinity};
  return next_to_end(at, true, [&](const Real& x) {
    const Rung::Value value = along_line(x, [&](const Rung& rung) { return rung.tail(x); });
    if (!needs_sums(value, x)) return value;
    return by_sums(value, x, [&](const SumLattice& sums) { return sums.log_tail(x.hi); });
  });
}

double DepthLaw::log_density_at(const Real& at) const {
  if (beyond(at)) return -kInfinity;
  const auto inner = [&](const Real& x) {
    const Rung::Value value = along_line(x, [&](const Rung& rung) { return rung.density(x); });
    if (!needs_sums(value, x)) return value;
    return by_sums(value, x, [&](const SumLattice& sums) { return sums.log_density(x.hi); });
  };
  return next_to_end(at, false, inner).log_value;
}

Real DepthLaw::centred(double y) const { return std::isinf(y) ? Real(y) : Real(y) - origin_; }

double DepthLaw::log_tail_at(const Real& x, bool upper) const {
  const double small = small_tail(x).log_value;
  if (above(x) == upper) return small;
  return small < -745.0 ? 0.0 : log1p(Real(-exp_of(small))).hi;
}

void DepthLaw::pdf(const double* y, double* out, std::size_t n) const {
  for (std::size_t i = 0; i < n; ++i) out[i] = exp_of(log_density_at(centred(y[i])));
}
void DepthLaw::tail(const double* y, double* out, std::size_t n, bool upper) const {
  for (std::size_t i = 0; i < n; ++i) {
    const Real x = centred(y[i]);
    const double small = exp_of(small_tail(x).log_value);
    out[i] = above(x) == upper ? small : 1.0 - small;
  }
}
void DepthLaw::log_tail(const double* y, double* out, std::size_t n, bool upper) const {
  for (std::size_t i = 0; i < n; ++i) {
    const Real x = centred(y[i]);
    if (above(x) == upper) require_relative(small_tail(x));
    out[i] = log_tail_at(x, upper);
  }
}

// Newton's method for the logarithm of the smaller tail, inside a bracket that is halved where it
// does not shrink: atoms have no derivative.
double DepthLaw::quantile_at(double q, bool upper) const {
  if (q == 0.0 || q == 1.0) return (q == 0.0) == upper ? kInfinity : -kInfinity;
  const bool flip = q > 0.5, side = upper != flip;  // side: the upper tail is the smaller one
  const double target = flip ? log1p(Real(-q)).hi : log_of(q), sign = side ? 1.0 : -1.0;
  // the tail at sign*x falls in x
  double low = -kInfinity, high = kInfinity;
  const double start = std::sqrt(std::max(-2.0 * target - 1.3, 0.0));
  double x = sum_.mean().hi + sign * spread_ * start;
  // bounded laws are measured from their upper end, where quantiles are wanted relatively
  const double fine = sum_.smooth() ? 4e-16 : 1e-14, finest = sum_.smooth() ? fine * spread_ : 0.0;
  const double end = side ? sum_.high().hi : sum_.low().hi;
  double width = kInfinity;
  for (int i = 0; i < 200; ++i) {
    const double value = log_tail_at(Real(x), side), gap = value - target, along = sign * x;
    (gap > 0.0 ? low : high) = along;
    const double rate = exp_of(log_density_at(Real(x)) - value), left = sign * end - along;
    // towards an end the tail is nearly a power of what is left
    double next = left < kInfinity && left > 0.0
                      ? sign * end - left * exp_of(std::min(-gap / (rate * left), kMostGrowth))
                      : along + gap / rate;
    if (!(next > low && next < high)) {
      if (low == -kInfinity)
        next = along - spread_ * (1.0 + i);
      else if (high == kInfinity)
        next = along + spread_ * (1.0 + i);
      else
        next = 0.5 * (low + high);
    } else if (i % 3 == 2) {
      if (high - low > 0.5 * width) next = 0.5 * (low + high);
      width = high - low;
    }
    const double change = std::abs(next - along);
    x = sign * next;
    if (change <= std::max(fine * std::abs(next), finest)) break;
  }
  return x;
}

// The smallest double y next to one where the distribution function has reached q, or the survival
// function has fallen to q: the place of an atom, if that is where the quantile is.
double DepthLaw::refined(double y, double q, bool upper) const {
  const auto reached = [&](double at) {
    const double value = exp_of(log_tail_at(centred(at), upper));
    return upper ? value <= q : value >= q;
  };
  const double found = exp_of(log_tail_at(centred(y), upper));
  if (std::abs(found - q) <= 1e-9 * q) return y;
  const double margin = 1e-13 * (std::abs(y) + std::abs(y - mean()) + spread_);
  double below = y - margin, at = y + margin;
  if (reached(below) || !reached(at)) return y;
  for (int i = 0; i < 200 && at - below > 1e-30; ++i) {
    const double middle = below + 0.5 * (at - below);
    if (middle == below || middle == at) break;
    (reached(middle) ? at : below) = middle;
  }
  return at;
}

void DepthLaw::quantile(const double* q, double* out, std::size_t n, bool upper) const {
  for (std::size_t i = 0; i < n; ++i) {
    const double x = quantile_at(q[i], upper);
    if (!std::isinf(x)) require_relative(small_tail(Real(x)));
    out[i] = std::isinf(x) ? x : to_double(origin_ + Real(x));
    if (!sum_.smooth() && !std::isinf(x)) out[i] = refined(out[i], q[i], upper);
  }
}

void DepthLaw::characteristic(const double* t, Point* out, std::size_t n) const {
  const std::lock_guard<std::recursive_mutex> lock(guard_);
  Tilt centre = sum_.tilted(0.0, false);
  std::vector<std::unique_ptr<BranchLine>> lines;
  for (std::size_t i = 0; i < n; ++i) {
    const double at = std::abs(t[i]);
    if (at <= centre.reach) {
      sum_.characteristic(centre, t + i, out + i, 1);
      continue;
    }
    out[i] = centre.branched ? 1.0 : 0.0;
    for (std::size_t g = 0; g < sum_.factors().size() && centre.branched; ++g) {
      const StepSum::Factor& f = sum_.factors()[g];
      if (lines.size() <= g)
        lines.push_back(std::make_unique<BranchLine>(f.law(), 0.0, centre.reach));
      const Point value = lines[g]->at(at, f.law().mean().hi, 0.0);
      out[i] = times(out[i], power_of(value, std::int64_t(f.count)));
    }
    if (t[i] < 0.0) out[i] = std::conj(out[i]);
  }
}

void DepthLaw::cumulant_function(const double* s, double* value, double* slope, double* curvature,
                                 std::size_t n) const {
  const std::lock_guard<std::recursive_mutex> lock(guard_);
  for (std::size_t i = 0; i < n; ++i) {
    const Tilt tilt = sum_.tilted(s[i], false);
    value[i] = tilt.log_mass - s[i] * sum_.mean().hi;
    slope[i] = tilt.mean - sum_.mean().hi;
    curvature[i] = tilt.variance;
  }
}

}  // namespace fracmoment
