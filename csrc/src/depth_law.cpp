// Fourier inversion for sums of log gains: see depth_law.hpp.
#include "fracmoment/depth/depth_law.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "fracmoment/error.hpp"
#include "fracmoment/special/complex.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNegligible = 41.0;      // exp(-41) = 1.6e-18
constexpr double kNothing = 1e-18;        // of a characteristic function
constexpr double kLoss = 9.0;             // log of the cancellation that a tilt may cost
constexpr double kSmallestTail = -760.0;  // exp of it underflows
constexpr double kQuarterTurn = 1.5707963267948966;
constexpr std::size_t kMaxNodes = 1u << 18;
constexpr std::size_t kChunk = 64;
constexpr double kRounding = 4e-16;   // of an inversion integral, over its absolute value
constexpr double kAccuracy = -23.0;   // log of the relative error above which sums take over
constexpr double kNoise = 2.5e-16;    // of a lattice's characteristic function
constexpr double kMostNoise = 1e-13;  // in an inversion integral
constexpr double kFewLayers = 32.0;   // powers by multiplication up to here

double exp_of(double x) { return x > -760.0 ? exp_rounded(Real(x)) : 0.0; }
double log_of(double x) { return x > 1e-307 ? log(Real(x)).hi : -kInfinity; }

// (1 + z)^n for |1 + z| <= 1 where z is known to relative accuracy.
std::complex<double> power(const std::complex<double>& z, double n) {
  std::complex<double> base = 1.0 + z;
  if (std::abs(n) <= kFewLayers) {
    std::complex<double> result = 1.0;
    for (auto left = int(std::abs(n)); left > 0; left >>= 1, base *= base)
      if ((left & 1) != 0) result *= base;
    return n < 0.0 ? 1.0 / result : result;
  }
  if (std::norm(base) == 0.0) return 0.0;
  const Complex<double> exact{two_sum(1.0, z.real()), Real(z.imag())};
  const Complex<double> value = exp(log(exact) * Real(n));
  return {value.re.hi, value.im.hi};
}

// Re sum_k a_k exp(-i t_k x), t_k = first + k step, without the factor at t = first.
double fourier_sum(const std::vector<std::complex<double>>& a, double first, double step,
                   double x) {
  const Complex<double> turn = unit_circle(-two_prod(step, x));
  const std::complex<double> w(turn.re.hi, turn.im.hi);
  std::complex<double> sum = 0.0;
  for (std::size_t k = a.size(); k-- > 0;)
    sum = {sum.real() * w.real() - sum.imag() * w.imag() + a[k].real(),
           sum.real() * w.imag() + sum.imag() * w.real() + a[k].imag()};
  if (first == 0.0) return sum.real();
  const Complex<double> at = unit_circle(-two_prod(first, x));
  return sum.real() * at.re.hi - sum.imag() * at.im.hi;
}

}  // namespace

DepthLaw::DepthLaw(const std::vector<DepthFactor>& factors, const Real& log_scale)
    : edge_(-kInfinity), mean_(log_scale) {
  for (const DepthFactor& factor : factors) {
    auto lattice = std::make_unique<DensityLattice>(factor.spec);
    mean_ = mean_ + lattice->log_mean() * Real(factor.count);
    if (factor.count > 0.0) edge_ = std::max(edge_, lattice->edge());
    quotient_ = quotient_ || factor.count < 0.0;
    bent_ = bent_ || lattice->bent();
    factors_.push_back({std::move(lattice), factor.count});
  }
  const Tilt centre = tilted(0.0);
  spread_ = std::sqrt(centre.variance);
  for (Ladder& ladder : ladder_) {
    ladder.rungs.push_back(ladder_[0].rungs.empty() ? make_rung(centre) : ladder_[0].rungs[0]);
    ladder.ends.push_back(end_of(centre, &ladder == &ladder_[1]));
  }
}

double DepthLaw::reach(double order) const {
  double least = kInfinity;  // where a single layer is through
  for (const Factor& f : factors_) least = std::min(least, f.lattice->decayed(order, kNegligible));
  if (quotient_) return least;
  double low = 0.0, high = least;
  for (int i = 0; i < 12; ++i) {
    const double middle = 0.5 * (low + high);
    double total = 0.0;
    for (const Factor& f : factors_) total += f.count * f.lattice->log_decay(order, middle);
    (total > -kNegligible ? low : high) = middle;
  }
  return high;
}

DepthLaw::Tilt DepthLaw::tilted(double order) const {
  Tilt tilt;
  tilt.order = order;
  const double used = reach(order);
  for (const Factor& f : factors_) {
    const double largest = f.lattice->decayed(order, kNegligible) + used;
    const int level = std::ilogb(largest * 0.15915494309189535) + 1;
    tilt.layers.push_back(f.lattice->tilted(order, level));
    const TiltedLattice& layer = tilt.layers.back();
    tilt.log_mass += f.count * layer.log_mass;
    tilt.variance += f.count * layer.variance;
    // at order 0 the mean is 0, whatever the rounding of the densities says
    if (order != 0.0) tilt.mean += f.count * layer.mean;
  }
  if (!(tilt.variance > 0.0))
    throw ConvergenceError("the variance of a tilted law is lost in rounding");
  return tilt;
}

void DepthLaw::characteristic_of(const Tilt& tilt, const double* t, std::complex<double>* out,
                                 std::size_t n, double* noise) const {
  std::fill(out, out + n, std::complex<double>(1.0));
  std::fill(noise, noise + n, 0.0);
  std::vector<std::complex<double>> part(n);
  for (std::size_t g = 0; g < factors_.size(); ++g) {
    tilt.layers[g].characteristic_minus_one(t, part.data(), n);
    for (std::size_t i = 0; i < n; ++i) {
      out[i] *= power(part[i], factors_[g].count);
      const double modulus = std::abs(1.0 + part[i]);
      if (quotient_ && modulus < 0.5)
        noise[i] += std::abs(factors_[g].count) * kNoise / std::max(modulus, 1e-300);
    }
  }
  for (std::size_t i = 0; i < n; ++i) noise[i] *= std::abs(out[i]);
}

// Where a tilted law lives, to exp(-kNegligible), by Chernoff's bounds around the best normal
// guess. The layers' laws are those of their lattices, without what is negligible there: far below
// they may have no moments.
std::pair<double, double> DepthLaw::range(const Tilt& tilt) const {
  const double guess = std::sqrt(2.0 * kNegligible / tilt.variance);
  const auto log_moment = [&](double s) {
    if (quotient_) {
      const Tilt there = tilted(tilt.order + s);
      return there.log_mass - tilt.log_mass - s * tilt.mean;
    }
    double sum = 0.0;
    for (std::size_t g = 0; g < factors_.size(); ++g)
      sum += factors_[g].count * tilt.layers[g].log_moment(s);
    return sum;
  };
  double ends[2] = {kInfinity, kInfinity};
  for (const double factor : {0.4, 1.0, 2.2})
    for (const bool upper : {false, true}) {
      double s = factor * guess;
      if (!upper) {
        if (quotient_) s = std::min(s, 0.6 * (tilt.order - edge_));
        for (const TiltedLattice& layer : tilt.layers)
          if (layer.ratio > 0.0) s = std::min(s, -0.6 * log_of(layer.ratio) / layer.step);
      }
      ends[upper] = std::min(ends[upper], (log_moment(upper ? s : -s) + kNegligible) / s);
    }
  return {tilt.mean - ends[0], tilt.mean + ends[1]};
}

std::shared_ptr<const DepthLaw::Rung> DepthLaw::make_rung(const Tilt& tilt) const {
  auto rung = std::make_shared<Rung>();
  rung->order = tilt.order;
  rung->log_mass = tilt.log_mass;
  rung->mean = tilt.mean;
  std::tie(rung->low, rung->high) = range(tilt);
  rung->step = 6.283185307179586 / (rung->high - rung->low);
  rung->first = tilt.order == 0.0 ? 0.5 * rung->step : 0.0;
  const double last = reach(tilt.order);
  double error = 0.0;
  bool decayed = false;
  while (!decayed) {
    const std::size_t begin = rung->value.size();
    if (begin >= kMaxNodes)
      throw ConvergenceError(
          "the law of the log-norm needs too many nodes: its tail is too heavy, or its "
          "characteristic function decays too slowly");
    std::vector<double> t, noise(kChunk);
    for (std::size_t k = begin; k < begin + kChunk; ++k) {
      const double at = rung->first + double(k) * rung->step;
      if (at <= last) t.push_back(at);  // the lattices know nothing beyond
    }
    rung->value.resize(begin + t.size());
    characteristic_of(tilt, t.data(), rung->value.data() + begin, t.size(), noise.data());
    double largest = 0.0;
    for (std::size_t i = 0; i < t.size(); ++i) {
      const double modulus = std::abs(rung->value[begin + i]);
      error += noise[i] * rung->step / std::abs(std::complex<double>(tilt.order, t[i]));
      if (i >= t.size() / 2) largest = std::max(largest, modulus);
    }
    decayed = t.size() < kChunk || largest < kNothing;
    if (error > kMostNoise || (quotient_ && t.size() < kChunk && largest > kMostNoise))
      throw ConvergenceError(
          "the characteristic function of narrow orthogonal layers decays too slowly");
  }
  while (rung->value.size() > 1 && std::abs(rung->value.back()) < kNothing) rung->value.pop_back();
  for (std::size_t k = 0; k < rung->value.size(); ++k)
    rung->divided.push_back(rung->value[k] /
                            std::complex<double>(tilt.order, rung->first + double(k) * rung->step));
  const double scale = rung->step * 0.3183098861837907;
  rung->value_size = rung->divided_size = 0.0;
  for (std::size_t k = 0; k < rung->value.size(); ++k) {
    rung->value_size += std::abs(rung->value[k]) * scale;
    rung->divided_size += std::abs(rung->divided[k]) * scale;
  }
  if (rung->first == 0.0) {  // the trapezoidal rule counts its first node half
    rung->value[0] *= 0.5;
    rung->divided[0] *= 0.5;
  }
  return rung;
}

// The order at which K(s0) - s0 y exceeds K(s) - s y by kLoss, y = K'(s) its saddle.
DepthLaw::Tilt DepthLaw::next_tilt(const Tilt& from, bool upper) const {
  const double sign = upper ? 1.0 : -1.0;
  double near = 0.0, far = upper ? kInfinity : from.order - edge_;  // distances from from.order
  double distance = std::sqrt(2.0 * kLoss / from.variance);
  for (int i = 0;; ++i) {
    if (!(distance < far)) distance = 0.5 * (near + far);
    Tilt tilt = tilted(from.order + sign * distance);
    const double loss = from.log_mass - tilt.log_mass + sign * distance * tilt.mean;
    if (std::abs(loss - kLoss) < 0.5) return tilt;
    (loss < kLoss ? near : far) = distance;
    if (i > 60 || far - near < 1e-9 * far)
      throw ConvergenceError("no tilt was found for a point of the tail");
    const double newton = distance - (loss - kLoss) / (distance * tilt.variance);
    distance = newton > near && newton < far ? newton
               : far < kInfinity             ? 0.5 * (near + far)
                                             : 2.0 * near;
  }
}

// Up to which |x| a tilt serves. Where no tilt follows it serves on, and the error that a value
// turns out to have decides (log_small_tail).
double DepthLaw::end_of(const Tilt& tilt, bool upper) const {
  if (!upper && bent_) return kInfinity;
  try {
    return std::abs(next_tilt(tilt, upper).mean);
  } catch (const ConvergenceError&) {
    return kInfinity;
  }
}

std::shared_ptr<const DepthLaw::Rung> DepthLaw::rung_at(double x) const {
  const std::lock_guard<std::recursive_mutex> lock(guard_);
  const bool upper = x > 0.0;
  Ladder& ladder = ladder_[upper ? 1 : 0];
  for (std::size_t j = 0;; ++j) {
    if (j == ladder.rungs.size()) {
      const Tilt tilt = next_tilt(tilted(ladder.rungs.back()->order), upper);
      ladder.rungs.push_back(make_rung(tilt));
      ladder.ends.push_back(end_of(tilt, upper));
    }
    const Rung& rung = *ladder.rungs[j];
    if (std::abs(x) <= ladder.ends[j] || rung.log_mass - rung.order * x < kSmallestTail)
      return ladder.rungs[j];
  }
}

// The factor law to the power of its count, on a lattice of at most the given step.
LatticeMasses DepthLaw::masses_of(const Factor& factor, double largest_step, double depth) const {
  const auto band = [&](double layers) {
    return factor.lattice->decayed(0.0, kNegligible / layers);
  };
  const auto count = std::int64_t(factor.count);
  const double alone =
      count > 1 ? std::min(largest_step, 3.141592653589793 / band(1.0)) : largest_step;
  LatticeMasses low = factor.lattice->masses(-std::ilogb(alone), depth);
  if (count == 1) return low;
  const double least = exp_of(-depth);
  int bit = 62;
  while (((count >> bit) & 1) == 0) --bit;
  LatticeMasses high = convolution(low, low, least);
  // the laws of m and m + 1 layers
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
    const double enough = std::min(largest_step, 3.141592653589793 / band(double(m)));
    while (2.0 * low.step <= enough) {
      low = every_second(low);
      high = every_second(high);
    }
  }
  return low;
}

std::unique_ptr<SumLattice> DepthLaw::make_sums(double depth) const {
  // From the broadest law on, which has the narrowest band of frequencies: the sum stays on its
  // lattice.
  std::vector<std::pair<double, const Factor*>> bands;
  for (const Factor& f : factors_)
    bands.emplace_back(f.lattice->decayed(0.0, kNegligible / f.count), &f);
  std::sort(bands.begin(), bands.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  const double least = exp_of(-depth);
  LatticeMasses sum;
  for (const auto& [band, factor] : bands) {
    LatticeMasses part = masses_of(*factor, kQuarterTurn / band, depth);
    if (sum.mass.empty()) {
      sum = std::move(part);
      continue;
    }
    if (sum.step * (band + bands[0].first) <= 4.0 * kQuarterTurn) {
      while (part.step < sum.step) part = every_second(part);
      sum = convolution(sum, part, least);
    } else {
      sum = smeared(sum, part, least);
    }
  }
  return std::make_unique<SumLattice>(std::move(sum));
}

const SumLattice& DepthLaw::sums(std::size_t level) const {
  constexpr double depth[] = {140.0, 300.0, 560.0};  // exp(-560) = 1e-243
  const std::lock_guard<std::recursive_mutex> lock(guard_);
  if (sums_[level] == nullptr) sums_[level] = make_sums(depth[level]);
  return *sums_[level];
}

// A value from the shortest sums that reach it well inside.
template <class Get>
double DepthLaw::by_sums(Get&& get) const {
  for (std::size_t level = 0; level < 2; ++level) {
    const double value = get(sums(level));
    if (value > (level == 0 ? -100.0 : -260.0)) return value;
  }
  return get(sums(2));
}

DepthLaw::Value DepthLaw::tail_at(const Rung& rung, double x) const {
  const double front = rung.log_mass - rung.order * x;
  const double log_error = front + log_of(kRounding * (0.5 + rung.divided_size));
  if (!(x > rung.low && x < rung.high)) return {-kInfinity, log_error};
  const double sum = fourier_sum(rung.divided, rung.first, rung.step, x - rung.mean) * rung.step *
                     0.3183098861837907;
  const double small = rung.order > 0.0   ? sum
                       : rung.order < 0.0 ? -sum
                       : x > 0.0          ? 0.5 + sum
                                          : 0.5 - sum;
  return {front + log_of(small), log_error};
}
DepthLaw::Value DepthLaw::density_at(const Rung& rung, double x) const {
  const double front = rung.log_mass - rung.order * x;
  const double log_error = front + log_of(kRounding * rung.value_size);
  if (!(x > rung.low && x < rung.high)) return {-kInfinity, log_error};
  const double sum = fourier_sum(rung.value, rung.first, rung.step, x - rung.mean);
  return {front + log_of(sum * rung.step * 0.3183098861837907), log_error};
}

double DepthLaw::log_small_tail(double x) const {
  if (std::isinf(x)) return -kInfinity;
  const Value value = tail_at(*rung_at(x), x);
  if (quotient_ || value.log_error < kSmallestTail || value.log_error < value.log_value + kAccuracy)
    return value.log_value;
  return by_sums([&](const SumLattice& sums) { return sums.log_tail(x, x > 0.0); });
}

double DepthLaw::log_density_at(double x) const {
  if (std::isinf(x)) return -kInfinity;
  const Value value = density_at(*rung_at(x), x);
  if (quotient_ || value.log_error < kSmallestTail || value.log_error < value.log_value + kAccuracy)
    return value.log_value;
  return by_sums([&](const SumLattice& sums) { return sums.log_density(x); });
}

double DepthLaw::centred(double y) const { return std::isinf(y) ? y : to_double(Real(y) - mean_); }

double DepthLaw::log_tail_at(double x, bool upper) const {
  const double small = log_small_tail(x);
  if ((x > 0.0) == upper) return small;
  return small < -745.0 ? 0.0 : log1p(Real(-exp_of(small))).hi;
}

void DepthLaw::pdf(const double* y, double* out, std::size_t n) const {
  for (std::size_t i = 0; i < n; ++i) out[i] = exp_of(log_density_at(centred(y[i])));
}
void DepthLaw::tail(const double* y, double* out, std::size_t n, bool upper) const {
  for (std::size_t i = 0; i < n; ++i) {
    const double x = centred(y[i]), small = exp_of(log_small_tail(x));
    out[i] = (x > 0.0) == upper ? small : 1.0 - small;
  }
}
void DepthLaw::log_tail(const double* y, double* out, std::size_t n, bool upper) const {
  for (std::size_t i = 0; i < n; ++i) out[i] = log_tail_at(centred(y[i]), upper);
}

// Newton's method for the logarithm of the smaller tail, inside a bracket.
double DepthLaw::quantile_at(double q, bool upper) const {
  if (q == 0.0 || q == 1.0) return (q == 0.0) == upper ? kInfinity : -kInfinity;
  const bool flip = q > 0.5, side = upper != flip;  // side: the upper tail is the smaller one
  const double target = flip ? log1p(Real(-q)).hi : log_of(q), sign = side ? 1.0 : -1.0;
  // the tail at sign*x falls in x
  double low = -kInfinity, high = kInfinity, x = sign * spread_ * std::sqrt(-2.0 * target - 1.3);
  if (std::isnan(x)) x = 0.0;
  for (int i = 0; i < 100; ++i) {
    const double value = log_tail_at(x, side), gap = value - target, along = sign * x;
    (gap > 0.0 ? low : high) = along;
    const double rate = exp_of(log_density_at(x) - value);
    double next = along + gap / rate;
    if (!(next > low && next < high)) {
      if (low == -kInfinity)
        next = along - spread_ * (1.0 + i);
      else if (high == kInfinity)
        next = along + spread_ * (1.0 + i);
      else
        next = 0.5 * (low + high);
    }
    const double change = std::abs(next - along);
    x = sign * next;
    if (change <= 4e-16 * std::max(std::abs(next), spread_)) break;
  }
  return x;
}
void DepthLaw::quantile(const double* q, double* out, std::size_t n, bool upper) const {
  for (std::size_t i = 0; i < n; ++i) {
    const double x = quantile_at(q[i], upper);
    out[i] = std::isinf(x) ? x : to_double(mean_ + Real(x));
  }
}

void DepthLaw::characteristic(const double* t, std::complex<double>* out, std::size_t n) const {
  const std::lock_guard<std::recursive_mutex> lock(guard_);
  const Tilt centre = tilted(0.0);
  const double last = reach(0.0);
  std::vector<double> noise(n);
  characteristic_of(centre, t, out, n, noise.data());
  for (std::size_t i = 0; i < n; ++i) {
    if (!quotient_ && std::abs(t[i]) > last) out[i] = 0.0;
    if (quotient_ && !(noise[i] < 1e-12 && std::abs(t[i]) <= last))
      throw ConvergenceError("the characteristic function is out of reach at this argument");
  }
}

void DepthLaw::cumulant_function(const double* s, double* value, double* slope, double* curvature,
                                 std::size_t n) const {
  const std::lock_guard<std::recursive_mutex> lock(guard_);
  for (std::size_t i = 0; i < n; ++i) {
    const Tilt tilt = tilted(s[i]);
    value[i] = tilt.log_mass;
    slope[i] = tilt.mean;
    curvature[i] = tilt.variance;
  }
}

}  // namespace fracmoment
