#include "fracmoment/tails/sgd.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "fracmoment/error.hpp"
#include "fracmoment/tails/stretched_sum.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLogTwoPi = 1.8378770664093454836;

// ---------------------------------------------------------------- elementary functions

constexpr int kExpTerms = 14, kLogTerms = 16;

// 1/3, 1/4, ... and 1/3, 1/5, ...: a division would take longer than the rest of a term.
struct Inverses {
  double each[kExpTerms] = {}, odd[kLogTerms] = {};
  constexpr Inverses() {
    for (int i = 0; i < kExpTerms; ++i) each[i] = 1.0 / (i + 3);
    for (int i = 0; i < kLogTerms; ++i) odd[i] = 1.0 / (2 * i + 3);
  }
};
constexpr Inverses kInverse;

// exp(v) - 1 - v and log(1 + z) - z to full relative accuracy.
double exp_remainder(double v) {
  if (std::abs(v) > 0.5) return std::expm1(v) - v;
  double sum = 1.0;
  for (int i = kExpTerms - 1; i >= 0; --i) sum = 1.0 + sum * (v * kInverse.each[i]);
  return 0.5 * v * v * sum;
}
double log_remainder(double z) {
  if (std::abs(z) > 0.5) return std::log1p(z) - z;
  const double r = z / (2.0 + z), square = r * r;
  double sum = 0.0;
  for (int i = kLogTerms - 1; i >= 0; --i) sum = sum * square + kInverse.odd[i];
  return 2.0 * r * square * sum - z * r;
}

// log Gamma(z) - ((z - 1/2) log z - z + log(2 pi)/2)
double stirling_remainder(double z) {
  if (z < 12.0) return std::lgamma(z) - ((z - 0.5) * std::log(z) - z + 0.5 * kLogTwoPi);
  const double q = 1.0 / (z * z);
  return (1.0 / 12 -
          q * (1.0 / 360 - q * (1.0 / 1260 - q * (1.0 / 1680 - q * (1.0 / 1188 - q / 518.0))))) /
         z;
}

// ---------------------------------------------------------------- the integrands

// How Q^p enters. A small power is summed as (Q^p - 1)/p, which keeps log E Q^p accurate where it
// is near 0; the nodes then follow the law itself. A large one moves the mass: they follow Q^p.
struct Power {
  double p;
  bool tilted;
  Accuracy accuracy;

  // The relative error of a term: the roundoff of log Q times p.
  double noise() const { return 2e-15 * (1.0 + std::abs(p)); }

  // What is summed at a point of log density `log_weight`, from log Q there.
  ScaledValues at(double log_weight, double log_q) const {
    const double pq = p * log_q, square = log_q * log_q;
    if (tilted) return {log_weight + pq, {1.0, 0.0, log_q, square, 0.0, 0.0, 0.0}};
    if (pq > 20.0) {
      const double rest = std::exp(-pq), quotient = (1.0 - rest) / p;
      return {log_weight + pq, {1.0, quotient, log_q, square, std::abs(quotient), 0.0, 0.0}};
    }
    const double above_one = std::expm1(pq), power = above_one + 1.0;
    const double quotient = pq == 0.0 ? log_q : above_one / p;
    return {log_weight,
            {power, quotient, log_q * power, square * power, std::abs(quotient), 0.0, 0.0}};
  }
};

// Where T = t S is, seen from the singular point T = 1.
struct Place {
  double gap;       // 1 - (1 - T)^2 = T (2 - T)
  double square;    // (1 - T)^2
  double distance;  // |1 - T|
};

// The law of B, in w = logit B - logit E B.
class Share {
 public:
  Share(double batch, double dimension, const Power& power)
      : power_(power),
        certain_(dimension == 1.0),
        count_(0.5 * (batch + dimension - 1.0)),
        mean_(batch / (batch + dimension - 1.0)),
        rest_((dimension - 1.0) / (batch + dimension - 1.0)),
        odds_(certain_ ? 0.0 : batch / (dimension - 1.0)) {
    if (certain_) return;
    const double a = 0.5 * batch, c = 0.5 * (dimension - 1.0);
    precision_ = a * (c / count_);
    log_norm_ = 0.5 * (std::log(precision_) - kLogTwoPi) + stirling_remainder(count_) -
                stirling_remainder(a) - stirling_remainder(c);
    if (!power.tilted) node_.resize(2 * StretchedGrid::kReach + 1);
  }

  // The integral over B at one place of T, whose largest term is near `mode`.
  ScaledValues operator()(const Place& place, double mode, const Accuracy& accuracy) const {
    if (certain_) return power_.at(0.0, log_q(place, 1.0, 0.0));
    const double bend = power_.tilted ? curvature(place, mode) : precision_;
    const StretchedSum sum(mode, std::min(kWidth / std::sqrt(bend), kWidest), accuracy,
                           power_.noise());
    if (power_.tilted)
      return sum([&](double w, int) {
        const Node node = node_at(w);
        return power_.at(node.log_density, log_q(place, node.share, node.rest));
      });
    return sum([&](double w, int j) {  // the same nodes at every place
      Node& node = node_[std::size_t(j + StretchedGrid::kReach)];
      if (node.rest == 0.0) node = node_at(w);
      return power_.at(node.log_density, log_q(place, node.share, node.rest));
    });
  }

  // Where the integrand is largest, by Newton's method between bounds.
  double mode(const Place& place, double start) const {
    if (certain_ || !power_.tilted) return 0.0;
    double low = -kFarthest, high = kFarthest, w = start;
    for (int i = 0; i < 100; ++i) {
      const double slope = log_slope(place, w), bend = curvature(place, w);
      (slope > 0.0 ? low : high) = w;
      double next = w + std::clamp(slope / bend, -32.0, 32.0);
      if (!(next > low && next < high)) next = 0.5 * (low + high);
      const double moved = std::abs(next - w);
      w = next;
      if (moved * std::sqrt(bend) < 0.05 || moved < 1e-8) break;
    }
    return w;
  }
  // The logarithm of the integral, roughly.
  double log_size(const Place& place, double mode) const {
    if (!power_.tilted) return std::max(0.0, 2.0 * power_.p * std::log(place.distance));
    if (certain_) return power_.p * log_q(place, 1.0, 0.0);
    const Node node = node_at(mode);
    return node.log_density + power_.p * log_q(place, node.share, node.rest) +
           0.5 * (kLogTwoPi - std::log(curvature(place, mode)));
  }
  // d log Q/d (1-T)^2 = B/Q.
  double weight_of_square(const Place& place, double w) const {
    if (certain_) return 1.0 / place.square;
    const double odds = odds_at(w);
    return odds / (1.0 + odds * place.square);
  }

 private:
  static constexpr double kWidth = 1.4, kWidest = 2.0, kFarthest = 650.0;

  struct Node {
    double share = 0.0, rest = 0.0, log_density = 0.0;  // B, 1 - B
  };

  static double log_q(const Place& place, double share, double rest) {
    const double below = share * place.gap;
    if (std::abs(below) < 0.5) return std::log1p(-below);
    if (rest == 0.0) return 2.0 * std::log(place.distance);
    return std::log(rest + share * place.square);
  }
  double odds_at(double w) const { return odds_ * std::exp(std::clamp(w, -kFarthest, kFarthest)); }
  Node node_at(double w) const {
    const double odds = odds_at(w), rest = 1.0 / (1.0 + odds);
    return {odds * rest, rest, log_density(w)};
  }
  double log_density(double w) const {
    // log(1 + q (e^x - 1)) - q x on the side where q = E B or E (1 - B) is the smaller
    const double x = mean_ <= rest_ ? w : -w, q = std::min(mean_, rest_);
    const double moved = q * std::expm1(std::min(x, kFarthest));
    const double cumulant =
        std::abs(x) < 1.0 ? log_remainder(moved) + q * exp_remainder(x) : std::log1p(moved) - q * x;
    return log_norm_ - count_ * cumulant;
  }
  // Derivative of log density + p log Q, and minus its derivative where that is positive.
  double log_slope(const Place& place, double w) const {
    const double odds = odds_at(w), share = odds / (1.0 + odds);
    return count_ * (mean_ - share) -
           power_.p * place.gap * odds / ((1.0 + odds) * (1.0 + odds * place.square));
  }
  double curvature(const Place& place, double w) const {
    const double odds = odds_at(w), other = odds * place.square;
    const double plain = odds / ((1.0 + odds) * (1.0 + odds));
    const double bend =
        (count_ + power_.p) * plain - power_.p * other / ((1.0 + other) * (1.0 + other));
    return std::max({bend, 0.1 * count_ * plain, 1e-2});
  }

  const Power& power_;
  bool certain_;
  double count_, mean_, rest_, odds_, precision_ = 0.0, log_norm_ = 0.0;
  mutable std::vector<Node> node_;
};

// A part of the range of T: on one side of the singular point 1, or what T = 2, where Q = 1
// whatever B is, leaves of the right side. High orders have a peak on each side of T = 2.
enum class Part { left, right, middle, far };

// The integral over one part, in a coordinate w in which the distance from a finite end falls
// exponentially: logit T on the left, log (T - 1) on the right, logit (T - 1) between 1 and 2 and
// log (T - 2) beyond, up to a shift.
class PartOfRange {
 public:
  PartOfRange(const SgdLaw& law, const Share& share, const Power& power, Part part, double split)
      : share_(share),
        power_(power),
        part_(part),
        split_(split),
        half_(0.5 * (law.batch + law.dimension - 1.0)),
        centre_(2.0 * half_ * law.step_per_sample),
        log_centre_(std::log(centre_)),
        log_norm_(0.5 * (std::log(half_) - kLogTwoPi) - stirling_remainder(half_)),
        inside_(part == Part::left ? centre_ < 1.0 : part == Part::right && centre_ > 1.0) {
    find_mode();
  }
  // The logarithm of the size of the integral, roughly.
  double log_size() const { return peak_.log_height + std::log(peak_.scale()); }

  // T - 1 in the valley between two peaks of this part; 0 if there is only one.
  double valley() const { return valley_; }

  ScaledValues integral(const Accuracy& accuracy) const {
    double mode = peak_.mode_of_share;
    const StretchedSum sum(peak_.mode, peak_.scale(), accuracy, power_.noise());
    return sum([&](double w, int) {
      const At at = locate(w);
      if (!(at.log_weight > -kInfinity) || at.place.distance < kNearest) return ScaledValues{};
      mode = share_.mode(at.place, mode);
      const double size = at.log_weight + share_.log_size(at.place, mode);
      if (size < peak_.log_height - kNothing) return ScaledValues{};
      ScaledValues value = share_(at.place, mode, accuracy.less(peak_.log_height - size - 3.0));
      value.log_scale += at.log_weight;
      return value;
    });
  }

 private:
  static constexpr double kWidth = 1.4, kWidest = 2.0, kFarthest = 600.0, kNothing = 60.0;
  static constexpr int kHalvings = 30;
  static constexpr double kNearest = 1e-140;  // its square and the place of B there are in range

  struct At {
    Place place;
    double log_weight;  // of dw
    double slope;       // d log_weight/dw
    double square;      // d (1-T)^2/dw
  };

  At locate(double w) const {
    const double x = std::clamp(w, -kFarthest, kFarthest);
    if (part_ == Part::left) return on_the_left(x);
    if (part_ == Part::right) return on_the_right(x);
    const bool middle = part_ == Part::middle;
    const double e = std::exp(middle ? -x : x), share = 1.0 / (1.0 + e);
    const double distance = middle ? split_ * share : split_ + e, sum = 1.0 + distance;
    const double rest = middle ? split_ * (e * share) : e;                // |T - 1 - split|
    const double gap = sum * ((1.0 - split_) + (middle ? rest : -rest));  // T (2 - T)
    const double square = distance * distance, v = std::log(sum) - log_centre_;
    const double speed = middle ? share * rest / sum : rest / sum;  // dv/dw
    const double slope = middle ? e * share - share - speed : 1.0 - speed;
    return at({gap, square, distance}, v, speed, slope, 2.0 * distance * speed * sum);
  }
  At on_the_left(double x) const {
    const double away = std::abs(1.0 - centre_);
    // T/(1 - T) = e^x, or the same times its value at the mean
    const double ratio = inside_ ? away / centre_ * std::exp(-x) : std::exp(-x);
    const double distance = ratio / (1.0 + ratio);
    const double v = inside_ && std::abs(x) < 1.0 ? -std::log1p(away * std::expm1(-x))
                                                  : -std::log1p(ratio) - log_centre_;
    const double sum = distance > 0.5 ? centre_ * std::exp(v) : 1.0 - distance;
    const double square = distance * distance;
    return at({sum * (1.0 + distance), square, distance}, v, distance, -sum, -2.0 * square * sum);
  }
  At on_the_right(double x) const {
    const double away = std::abs(1.0 - centre_);
    const double distance = inside_ ? away * std::exp(x) : std::exp(x);
    const double v = inside_ && std::abs(x) < 1.0 ? std::log1p(away / centre_ * std::expm1(x))
                                                  : std::log1p(distance) - log_centre_;
    const double sum = 1.0 + distance, square = distance * distance;
    return at({sum * (1.0 - distance), square, distance}, v, distance / sum, 1.0 / sum,
              2.0 * square);
  }
  // From v = log(S/E S), dv/dw, the derivative of its logarithm, and d (1-T)^2/dw.
  At at(const Place& place, double v, double speed, double log_speed_slope, double square) const {
    return {place, log_norm_ - half_ * exp_remainder(v) + std::log(speed),
            log_speed_slope - half_ * std::expm1(v) * speed, square};
  }

  // Derivative of the logarithm of the integrand over w, at its largest over B.
  double slope(double w, double& mode) const {
    const At at = locate(w);
    if (!power_.tilted) return at.slope;
    mode = share_.mode(at.place, mode);
    return at.slope + power_.p * share_.weight_of_square(at.place, mode) * at.square;
  }

  struct Peak {
    double mode = 0.0, bend = 1.0, mode_of_share = 0.0, log_height = -kInfinity;
    double scale() const { return std::min(kWidest, kWidth / std::sqrt(std::max(bend, 0.1))); }
  };

  // The slope of a peak beyond the splitting point may end in a peak of this part, beside its own:
  // then the point belongs in the valley between the two.
  void find_mode() {
    const double step = 0.25 / std::sqrt(std::max(1.0, half_));
    const double end = std::log(4.0 + std::abs(power_.p) + half_ * (1.0 + 1.0 / centre_));
    peak_ = part_ == Part::middle ? peak_from(end, 1.0, 1.0) : peak_from(0.0, step, kFarthest);
    if (part_ == Part::left || part_ == Part::right) return;
    const Peak other = peak_from(-end, 1.0, 1.0);
    if (!(peak_.mode - other.mode > std::min(peak_.scale(), other.scale()))) return;
    double low = other.mode, high = peak_.mode, mode = other.mode_of_share;
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = 0.5 * (low + high);
      (slope(middle, mode) < 0.0 ? low : high) = middle;
    }
    valley_ = locate(high).place.distance;
    if (other.log_height > peak_.log_height) peak_ = other;
  }

  // From a point upwards until the slope changes its sign, then between the last two points.
  Peak peak_from(double start, double step, double longest) const {
    double mode = 0.0, low = start, high = start;
    double f_low = slope(start, mode), f_high = f_low;
    const bool rising = f_low > 0.0;
    while (std::abs(rising ? high : low) < kFarthest && (f_high > 0.0) == (f_low > 0.0)) {
      if (rising) {
        low = high, f_low = f_high;
        f_high = slope(high += step, mode);
      } else {
        high = low, f_high = f_low;
        f_low = slope(low -= step, mode);
      }
      step = std::min(2.0 * step, longest);
    }
    double bend = 0.1, middle = rising ? high : low;
    for (int i = 0; i < 60 && high > low; ++i) {
      bend = std::max((f_low - f_high) / (high - low), 0.1);
      middle = i % 3 == 2 ? 0.5 * (low + high) : low + f_low / bend;
      if (!(middle > low && middle < high)) middle = 0.5 * (low + high);
      const double f = slope(middle, mode);
      if (std::abs(f) < 0.2 * std::sqrt(bend)) break;
      (f > 0.0 ? low : high) = middle;
      (f > 0.0 ? f_low : f_high) = f;
    }
    const double h = 0.1 / std::sqrt(bend);
    bend = (slope(middle - h, mode) - slope(middle + h, mode)) / (2.0 * h);
    const At at = locate(middle);
    mode = share_.mode(at.place, mode);
    return {middle, bend, mode, at.log_weight + share_.log_size(at.place, mode)};
  }

  const Share& share_;
  const Power& power_;
  Part part_;
  double split_;  // T - 1 where the middle ends and the far part begins
  double half_, centre_, log_centre_, log_norm_;
  bool inside_;
  Peak peak_;
  double valley_ = 0.0;
};

// Relative errors of about 3e-16 exp(relax); what is rough only guides a search.
constexpr Accuracy kRough{24.0, false}, kFine{16.0, true}, kExact{0.0, true};
constexpr double kSureSign = 1e-6;  // of the rate over the spread, from a fine look
constexpr double kLargestOrder = 1099511627776.0, kFarthestLogStep = 200.0;

// Whether Q^p could raise another peak far from the one of the law itself.
bool is_high(const SgdLaw& law, double order) {
  return order > 8.0 + 0.01 * (law.batch + law.dimension);
}

SgdGrowth growth(const SgdLaw& law, double order, bool tilted, const Accuracy& accuracy) {
  const Power power{0.5 * order, tilted, accuracy};
  const Share share(law.batch, law.dimension, power);
  std::vector<PartOfRange> parts;
  const auto add = [&](Part part, double split = 1.0) {
    parts.emplace_back(law, share, power, part, split);
  };
  add(Part::left);
  if (tilted && is_high(law, order)) {
    add(Part::middle);
    add(Part::far);
    const double valley = std::max(parts[1].valley(), parts[2].valley());
    if (valley > 0.0) {
      parts.pop_back();
      parts.pop_back();
      add(Part::middle, valley);
      add(Part::far, valley);
    }
  } else {
    add(Part::right);
  }
  double largest = -kInfinity;
  for (const PartOfRange& part : parts) largest = std::max(largest, part.log_size());
  ScaledValues sum;
  constexpr double negligible = 48.0;
  for (const PartOfRange& part : parts) {
    const double below = largest - part.log_size();
    if (below < negligible) sum.add(part.integral(accuracy.less(below - 3.0)), 1.0);
  }
  const double first = sum.value[2] / sum.value[0], second = sum.value[3] / sum.value[0];
  const double variance = 0.25 * (second - first * first);
  const double quotient = sum.value[1] * std::exp(sum.log_scale);  // (E Q^p - 1)/p
  if (tilted) return {(sum.log_scale + std::log(sum.value[0])) / order, 0.5 * first, variance};
  if (order == 0.0) return {0.5 * quotient, 0.5 * first, variance};
  // Q^p far below 1 has its mass elsewhere
  if (power.p * quotient < -0.5) return growth(law, order, true, accuracy);
  return {std::log1p(power.p * quotient) / order, 0.5 * first, variance};
}

}  // namespace

namespace {

// Whether the nodes follow Q^p: where it moves the mass by more than three standard deviations, or
// elsewhere.
bool is_tilted(const SgdLaw& law, double order, double variance) {
  if (order <= 1.0) return order < -0.5;
  return order * order * variance > 9.0 || is_high(law, order);
}

struct Stage {
  Accuracy accuracy;
  double move;
};
constexpr Stage kStages[] = {{kRough, 1e-2}, {kFine, 1e-3}, {kExact, 3e-6}};
constexpr double kRootError = 1e-15;

// A step of Halley's method for the zero of the rate r = log E Q^(s/2) / s.
struct Step {
  double order, bend;  // the new order; r r''/(2 r'^2)

  Step(double from, const SgdGrowth& at) {
    const double first = (at.slope - at.rate) / from;
    const double second = (at.variance - 2.0 * first) / from;
    bend = 0.5 * at.rate * second / (first * first);
    order = from - at.rate / (first * (1.0 - std::clamp(bend, -1.0, 0.5)));
  }
};

// The root between low and high of an increasing function f(x, accuracy): first a rough one, then
// from there the exact one. Secants between bounds, Illinois variant.
template <class F>
double increasing_root(F&& f, double low, double high) {
  for (const Accuracy& accuracy : {kRough, kExact}) {
    double f_low = f(low, accuracy), f_high = f(high, accuracy);
    // the look before may have missed the root by a little
    for (double wide = high - low; f_low > 0.0; wide *= 4.0) f_low = f(low -= wide, accuracy);
    for (double wide = high - low; f_high < 0.0; wide *= 4.0) f_high = f(high += wide, accuracy);
    const double enough = accuracy.checked ? 2e-16 : 1e-4;
    double x = high;
    for (int i = 0, side = 0; i < 100; ++i) {
      if (high - low <= enough * (1.0 + std::abs(high)) || f_low == 0.0 || f_high == 0.0) break;
      x = i < 40 ? high - f_high * (high - low) / (f_high - f_low) : 0.5 * (low + high);
      if (!(x > low && x < high)) x = 0.5 * (low + high);
      const double value = f(x, accuracy);
      if (value == 0.0 && accuracy.checked) return x;
      if (value < 0.0) {
        low = x, f_low = value;
        if (side < 0) f_high *= 0.5;
        side = -1;
      } else {
        high = x, f_high = value;
        if (side > 0) f_low *= 0.5;
        side = 1;
      }
    }
  }
  return 0.5 * (low + high);
}

}  // namespace

SgdGrowth sgd_growth(const SgdLaw& law, double order) {
  const double variance = order > 1.0 ? growth(law, 0.0, false, kFine).variance : 0.0;
  return growth(law, order, is_tilted(law, order, variance), kExact);
}

double sgd_tail_index(const SgdLaw& law) {
  SgdGrowth plain = growth(law, 0.0, false, kFine);
  if (std::abs(plain.rate) < kSureSign * std::sqrt(plain.variance))
    plain = growth(law, 0.0, false, kExact);
  if (plain.rate >= 0.0) return 0.0;
  // The rate rises with the order, as log E Q^(order/2) is convex and 0 at 0. Halley's method
  // between bounds: a rough root, a better one, then the exact one from there.
  double order = -2.0 * plain.rate / plain.variance;
  for (const Stage& stage : kStages) {
    const bool last = stage.accuracy.relax == 0.0;
    double low = 0.0, high = kInfinity;
    for (int i = 0; i < 100; ++i) {
      if (order > kLargestOrder)
        throw ConvergenceError("the tail index is above 2^40: the step size is too small");
      const SgdGrowth at =
          growth(law, order, is_tilted(law, order, plain.variance), stage.accuracy);
      (at.rate < 0.0 ? low : high) = order;
      const Step step(order, at);
      double next = step.order;
      const bool good = next >= low && next <= high && next < 4.0 * order;
      if (!good) next = high < kInfinity ? 0.5 * (low + high) : 2.0 * order;
      const double moved = std::abs(next - order) / order;
      order = next;
      // a step leaves an error of about its own size times bend^2
      if (good && moved < stage.move && (!last || moved * step.bend * step.bend < kRootError)) {
        if (last) return order;
        break;
      }
      if (moved < kRootError) {
        if (last) return order;
        break;
      }
    }
  }
  throw ConvergenceError("the search for the tail index of SGD did not end; change the step size");
}

double sgd_critical_step(double batch, double dimension, double order) {
  const double second = 2.0 / (batch + dimension + 1.0);
  if (order == 2.0) return second;
  double variance = 0.0;
  // over log(step/second), which is small: no digits are lost in the logarithm
  const auto rate = [&](double log_ratio, const Accuracy& accuracy) {
    const SgdLaw law{second * std::exp(log_ratio), batch, dimension};
    if (order > 1.0 && variance == 0.0) variance = growth(law, 0.0, false, kFine).variance;
    return growth(law, order, is_tilted(law, order, variance), accuracy).rate;
  };
  // the step falls as the order rises
  const double away = order < 2.0 ? 0.25 : -0.25;
  double near = 0.0, far = away;
  while ((rate(far, kRough) < 0.0) == (away > 0.0)) {
    near = far;
    far *= 3.0;
    if (std::abs(far) > kFarthestLogStep)
      throw ConvergenceError("the search for the critical step size did not end; change the order");
  }
  return second * std::exp(increasing_root(rate, std::min(near, far), std::max(near, far)));
}

}  // namespace fracmoment
