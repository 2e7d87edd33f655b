#include "fracmoment/tails/sgd.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "fracmoment/error.hpp"
#include "fracmoment/tails/share_kernels.hpp"
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

  // The relative error of a term: the roundoff of log Q times p.
  double noise() const { return 4e-15 * (1.0 + std::abs(p)); }

  // What is summed at a point of known log Q.
  ScaledValues at(double log_q) const {
    const double pq = p * log_q, square = log_q * log_q;
    if (tilted) return {pq, {1.0, 0.0, log_q, square, 1.0, 0.0}};
    const double above_one = std::expm1(pq), power = above_one + 1.0;
    const double quotient = pq == 0.0 ? log_q : above_one / p;
    return {0.0, {power, quotient, log_q * power, square * power, 1.0 + power, std::abs(quotient)}};
  }
};

// Where T = t S is, seen from the singular point T = 1.
struct Place {
  double gap;       // 1 - (1 - T)^2 = T (2 - T)
  double square;    // (1 - T)^2
  double distance;  // |1 - T|
};

// The law of B, in w = logit B - logit E B, on a lattice that serves every place of T.
class Share {
 public:
  // log T is at most log_largest where it matters; fineness 1, 2, 4, ... divides the step.
  Share(double batch, double dimension, const Power& power, double log_largest, double fineness)
      : power_(power),
        certain_(dimension == 1.0),
        first_(0.5 * batch),
        other_(0.5 * (dimension - 1.0)),
        count_(first_ + other_),
        mean_(batch / (batch + dimension - 1.0)),
        rest_((dimension - 1.0) / (batch + dimension - 1.0)),
        odds_(certain_ ? 0.0 : batch / (dimension - 1.0)) {
    if (certain_) return;
    precision_ = first_ * (other_ / count_);
    log_norm_ = 0.5 * (std::log(precision_) - kLogTwoPi) + stirling_remainder(count_) -
                stirling_remainder(first_) - stirling_remainder(other_);
    make_lattice(log_largest, fineness);
  }

  // The node of the largest term at one place of T, from another one on.
  std::size_t largest(const Place& place, std::size_t node) const {
    if (!power_.tilted) return centre_;
    if (certain_) return 0;
    const auto rising = [&](std::size_t k) {
      const double q = one_less_[k] + share_[k] * place.square;
      return count_ * (mean_ - share_[k]) > power_.p * place.gap * (share_[k] * (one_less_[k] / q));
    };
    while (node + 1 < inner_ && rising(node + 1)) ++node;
    while (node > 0 && !rising(node)) --node;
    return node;
  }
  // The integral over B at one place of T, from its largest term on.
  ScaledValues operator()(const Place& place, std::size_t node) const {
    if (certain_) return power_.at(2.0 * std::log(place.distance));
    const ShareNodes nodes{share_.data(), one_less_.data(), weight_.data(), log_weight_.data(),
                           share_.size()};
    ShareSums sums;
    double scale = 0.0;
    if (power_.tilted) {
      scale = log_weight_[node] + power_.p * log_q(place, share_[node], one_less_[node]);
      share_kernels().tilted(nodes, node, place.gap, place.square, power_.p, scale, sums);
    } else {
      share_kernels().plain(nodes, node, place.gap, place.square, power_.p, sums);
    }
    const auto& u = sums.power;
    const auto& v = sums.quotient;
    const double power = (u[0] + u[2]) + (u[1] + u[3]), quotient = (v[0] + v[2]) + (v[1] + v[3]);
    const double size = power_.tilted ? power : 1.0 + power;
    return {scale,
            {power, quotient, sums.first, sums.second, size, sums.magnitude, 0.0, 0.0, u[0] - u[2],
             u[1] - u[3], (u[0] + u[2]) - (u[1] + u[3]), v[0] - v[2], v[1] - v[3],
             (v[0] + v[2]) - (v[1] + v[3])}};
  }
  // The logarithm of the integral at a node, roughly.
  double log_size(const Place& place, std::size_t node) const {
    if (!power_.tilted) return std::max(0.0, 2.0 * power_.p * std::log(place.distance));
    if (certain_) return 2.0 * power_.p * std::log(place.distance);
    return log_weight_[node] + power_.p * log_q(place, share_[node], one_less_[node]) + 1.0;
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
  // The logarithm of the integral whose largest term is at w, roughly.
  double log_size_at(const Place& place, double w) const {
    if (!power_.tilted) return std::max(0.0, 2.0 * power_.p * std::log(place.distance));
    if (certain_) return 2.0 * power_.p * std::log(place.distance);
    const double odds = odds_at(w), rest = 1.0 / (1.0 + odds);
    return log_density(w) + power_.p * log_q(place, odds * rest, rest) +
           0.5 * (kLogTwoPi - std::log(curvature(place, w)));
  }
  // d log Q/d (1-T)^2 = B/Q.
  double weight_of_square(const Place& place, double w) const {
    if (certain_) return 1.0 / place.square;
    const double odds = odds_at(w);
    return odds / (1.0 + odds * place.square);
  }
  // For p + c < 0, c = (d - 1)/2, the integral is exp(this) |1 - T|^(2p + 2c) next to T = 1:
  // Gamma(a + c) Gamma(e)/(Gamma(a) Gamma(c + e)) with a = b/2 and e = -p - c, by Stirling.
  double log_singular() const {
    if (certain_) return 0.0;
    const double a = first_, c = other_, e = -power_.p - c;
    const double beta = (a - 0.5) * std::log1p(c / a) + c * std::log(count_ / c) +
                        0.5 * (std::log(c) - kLogTwoPi) + stirling_remainder(count_) -
                        stirling_remainder(a);
    const double ratio = (c + e - 0.5) * std::log1p(e / c) + e * (std::log(c) - 1.0);
    return beta - ratio - stirling_remainder(c + e) + std::lgamma(e);
  }
  double dimension() const { return 2.0 * other_ + 1.0; }
  // By how much log Q^p turns there over (1-T)^2.
  double turn() const { return certain_ ? 0.0 : (count_ + std::abs(power_.p)) * (1.0 + other_); }

 private:
  static constexpr double kFarthest = 650.0;
  static constexpr double kStep = 0.24, kStepOfWidth = 0.28;  // the largest step, and over a width
  // Growth of the step at the far ends, at most and over the decay, and what comes before.
  static constexpr double kGrowth = 0.14, kGrowthOfDecay = 0.1, kNatsBefore = 12.0, kNear = 3.0;
  static constexpr double kPlateau = 110.0, kMargin = 6.0, kFall = 60.0;

  static double log_q(const Place& place, double share, double rest) {
    const double below = share * place.gap;
    if (std::abs(below) < 0.5) return std::log1p(-below);
    return std::log(rest + share * place.square);
  }
  double odds_at(double w) const { return odds_ * std::exp(std::clamp(w, -kFarthest, kFarthest)); }
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

  // Modes go from where (1-T)^2 = 0 puts them to where a large one does. Between these the nodes
  // are uniform, with a step for the narrowest peak: its curvature is the larger of those at the
  // two ends, or at E B for p < 0. Beyond, steps grow exponentially like the decay lasts.
  void make_lattice(double log_largest, double fineness) {
    const double p = power_.tilted ? power_.p : std::min(power_.p, 0.0);
    double left, right, bend = precision_;
    bool steep_left = true, steep_right = true;
    if (p >= 0.0) {
      bend = std::max(
          {bend, first_ * (other_ + p) / (count_ + p), (first_ + p) * other_ / (count_ + p)});
      left = std::log1p(p / other_);
      right = std::log1p(p / first_);
    } else {
      steep_left = first_ + p > 0.25;
      steep_right = other_ + p > 0.25;
      const double log_odds = std::log(odds_);
      left = steep_left
                 ? std::log(first_ / (first_ + p))
                 : std::max(2.0 * log_largest + log_odds + std::log1p(-p / first_), 0.0) + 1.0;
      right =
          steep_right ? std::log(other_ / (other_ + p)) : std::max(kPlateau - log_odds, 0.0) + 1.0;
    }
    left += kMargin * std::min(1.0, 1.0 / std::sqrt(std::min(first_, precision_)));
    right += kMargin * std::min(1.0, 1.0 / std::sqrt(std::min(other_, precision_)));
    // Q bends where odds (1-T)^2 = 1, a feature of unit size in w: what it counts falls like
    // exp(-decay |w|), with the probability of such a T to the right, alone to the left.
    const double right_decay = std::max(other_ + p, 0.0) + 0.5;
    right = std::max(right, kNatsBefore / right_decay);
    const double right_growth = std::min(kGrowth, kGrowthOfDecay * right_decay);
    double left_growth = kGrowth;
    if (2.0 * log_largest + std::log(odds_) > kNear) {
      left = std::max(left, kNatsBefore / first_);
      left_growth = std::min(kGrowth, kGrowthOfDecay * first_);
    }
    const double step = std::min(kStep, kStepOfWidth / std::sqrt(bend)), h = step / fineness;
    const double rise = left_growth / step, fall = right_growth / step;
    const auto place = [&](double tau) {
      return tau + std::exp(std::min(fall * (tau - right), 30.0)) / fall -
             std::exp(std::min(-rise * (tau + left), 30.0)) / rise;
    };
    // with the power of B or 1 - B that Q^p tends to
    const auto log_term = [&](double w, bool steep, bool of_share) {
      const double x = of_share ? -w - std::log(odds_) : w + std::log(odds_);
      return log_density(w) -
             (steep ? p * std::max(x, 0.0) + p * std::log1p(std::exp(-std::abs(x))) : 0.0);
    };
    const auto end_of = [&](double tau, long direction, bool steep, bool of_share) {
      const double least = log_term(place(tau), steep, of_share) - kFall;
      long j = long(tau / h);
      while (log_term(place(h * double(j)), steep, of_share) > least) j += direction;
      return j;
    };
    const long begin = end_of(-left, -1, steep_left, p < 0.0);
    const long end = end_of(right, 1, steep_right, p >= 0.0);
    for (long j = begin; j <= end; ++j) {
      const double tau = h * double(j), w = place(tau), odds = odds_at(w);
      const double speed = 1.0 + std::exp(fall * (tau - right)) + std::exp(-rise * (tau + left));
      const double rest = 1.0 / (1.0 + odds), log_weight = log_density(w) + std::log(h * speed);
      add_node(odds * rest, rest, log_weight);
    }
    centre_ = std::size_t(-begin);
    inner_ = share_.size();
    while (share_.size() % ShareNodes::kBlock != 0) add_node(0.5, 0.5, -1e300);
  }
  void add_node(double share, double rest, double log_weight) {
    share_.push_back(share);
    one_less_.push_back(rest);
    log_weight_.push_back(log_weight);
    weight_.push_back(std::exp(log_weight));
  }

  const Power& power_;
  bool certain_;
  double first_, other_;  // the parameters of the beta law
  double count_, mean_, rest_, odds_, precision_ = 0.0, log_norm_ = 0.0;
  std::vector<double> share_, one_less_, weight_, log_weight_;
  std::size_t centre_ = 0, inner_ = 0;
};

// Next to the order -d the integrand falls like r^delta towards T = 1 only, delta = s + d, r the
// distance |1 - T| or what tends to it. With a = r_1, exp(log_height) r^delta/(1 + r/a) is left out
// of the sum on both sides, and its integral over log r, pi/sin(pi delta) a^delta, is added.
struct Edge {
  static constexpr double kNothingLeft = -42.0;  // of log r/r_1, in the sum
  double delta, log_height, reach;

  void leave_out(double log_r, ScaledValues& value) const {
    const double over = log_r - std::log(reach);
    if (over < kNothingLeft) {
      value = {};
      return;
    }
    const double tail = std::max(over, 0.0) + std::log1p(std::exp(-std::abs(over)));
    const double left_out = log_height + delta * log_r - tail;
    if (value.log_scale == -kInfinity) value.log_scale = left_out;
    double& power = value.value[ScaledValues::kFirst];
    power -= std::exp(left_out - value.log_scale);
    value.value[ScaledValues::kMagnitude] = std::abs(power);
  }
  ScaledValues integral() const {
    constexpr double pi = 3.14159265358979323846;
    const double sum = pi / std::sin(pi * delta);
    return {log_height + delta * std::log(reach), {sum, 0.0, 0.0, 0.0, sum}};
  }
};

// A part of the range of T: on one side of the singular point 1, or what T = 2, where Q = 1
// whatever B is, leaves of the right side. High orders have a peak on each side of T = 2. Where the
// singular point is too weak or too far out to be felt, the whole range is one part, or what is
// below T = 2.
enum class Part { whole, below, left, right, middle, far };

// The integral over one part, in a coordinate w in which the distance from a finite end falls
// exponentially: log T, logit (T/2), logit T on the left, log (T - 1) on the right, logit (T - 1)
// between 1 and 2 and log (T - 2) beyond, up to a shift.
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

  // What is next to T = 1, on either side.
  Edge edge(double delta) const {
    const double slope = half_ * std::abs(std::expm1(-log_centre_));
    return {delta, log_norm_ - half_ * exp_remainder(-log_centre_) + share_.log_singular(),
            1.0 / (1.0 + slope + std::sqrt(share_.turn()))};
  }

  // With an `edge` the part of the integrand that it takes is left out. None if the whole range
  // does not do.
  std::optional<ScaledValues> integral(const Accuracy& accuracy, const Edge* edge) const {
    std::size_t node = 0;
    const double mode = edge == nullptr ? peak_.mode : before(peak_.mode, edge->reach);
    const StretchedSum sum(mode, peak_.scale(), accuracy, power_.noise());
    const auto term = [&](double w) {
      ScaledValues value;
      const At at = locate(w);
      node = share_.largest(at.place, node);
      if (at.place.distance > kNearest &&
          at.log_weight + share_.log_size(at.place, node) > peak_.log_height - kNothing) {
        value = share_(at.place, node);
        value.log_scale += at.log_weight;
      }
      if (edge != nullptr) edge->leave_out(log_r(w), value);
      return value;
    };
    if (part_ != Part::whole && part_ != Part::below) return sum(term);
    return sum.within(kHalvingsOfWhole, term, std::exp2(2.0 * power_.p + share_.dimension()));
  }

 private:
  static constexpr double kWidth = 1.4, kWidest = 2.0, kFarthest = 600.0, kNothing = 60.0;
  static constexpr int kHalvings = 30, kHalvingsOfWhole = 4;
  static constexpr double kNearest = 1e-140;  // its square and the place of B there are in range

  struct At {
    Place place;
    double log_weight;  // of dw
    double slope;       // d log_weight/dw
    double square;      // d (1-T)^2/dw
  };

  // log r of `Edge`, and the point whose r is not below another one.
  double log_r(double w) const {
    const double away = inside_ ? std::log(std::abs(1.0 - centre_)) : 0.0;
    return part_ == Part::left ? away - (inside_ ? log_centre_ : 0.0) - w : away + w;
  }
  double before(double w, double r) const {
    const double short_of = std::max(0.0, std::log(r) - log_r(w));
    return part_ == Part::left ? w - short_of : w + short_of;
  }

  At locate(double w) const {
    const double x = std::clamp(w, -kFarthest, kFarthest);
    if (part_ == Part::whole) return everywhere(x);
    if (part_ == Part::below) return below_the_split(x);
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
  At everywhere(double x) const {
    const double near = centre_ * std::exp(x), distance = std::abs(1.0 - near);
    return at({near * (2.0 - near), distance * distance, distance}, x, 1.0, 0.0,
              -2.0 * (1.0 - near) * near);
  }
  At below_the_split(double x) const {
    const double share = 1.0 / (1.0 + std::exp(-x)), rest = 1.0 / (1.0 + std::exp(x));
    const double end = 1.0 + split_, near = end * share, distance = std::abs(1.0 - near);
    const double gap = near * ((1.0 - split_) + end * rest);
    return at({gap, distance * distance, distance}, std::log(near) - log_centre_, rest, -share,
              -2.0 * (1.0 - near) * near * rest);
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
    const bool from_above = part_ == Part::middle || part_ == Part::below;
    peak_ = from_above ? peak_from(end, 1.0, 1.0) : peak_from(0.0, step, kFarthest);
    if (!from_above && part_ != Part::far) return;
    const double inside = std::min(centre_, 1.0);
    const Peak other = part_ == Part::below
                           ? peak_from(std::log(inside / (1.0 + split_ - inside)), step, 1.0)
                           : peak_from(-end, 1.0, 1.0);
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
    return {middle, bend, mode, at.log_weight + share_.log_size_at(at.place, mode)};
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
constexpr double kError = 3e-16, kFinest = 64.0;  // of sums over the share
constexpr double kWeak = 5.0, kFar = 45.0;        // order + dimension, or nats, of a harmless T = 1
constexpr double kNextToEdge = 0.5;               // of orders above -dimension
constexpr double kSureSign = 1e-6;                // of the rate over the spread, from a fine look
constexpr double kLargestOrder = 1099511627776.0, kFarthestLogStep = 200.0;

// Whether Q^p could raise another peak far from the one of the law itself.
bool is_high(const SgdLaw& law, double order) {
  return order > 8.0 + 0.01 * (law.batch + law.dimension);
}

// Whether nodes modulo 4 agree so well that all nodes together are exact.
bool agree(const ScaledValues& sum, std::size_t which, double noise) {
  const double* apart = &sum.value[ScaledValues::kInner + which * ScaledValues::kInnerCount];
  const double size = sum.value[ScaledValues::kMagnitude + which];
  if (size == 0.0) return true;
  // of four times the step, whatever the phase, and of twice the step
  const double coarse = std::hypot(apart[0], apart[1]) / size;
  const double fine = std::max(std::abs(apart[2]) / size, coarse * coarse);
  if (std::max(coarse, fine) < noise) return true;
  const double ratio = fine / coarse;
  return fine * ratio * ratio < kError;
}

using Parts = std::vector<PartOfRange>;

// Two parts on either side of T = 2, or of the valley between two peaks beside it.
void add_split(Parts& parts, Part below, const std::function<PartOfRange(Part, double)>& part) {
  PartOfRange first = part(below, 1.0), second = part(Part::far, 1.0);
  const double valley = std::max(first.valley(), second.valley());
  const double split = valley > 0.0 ? valley : 1.0;
  parts.push_back(valley > 0.0 ? part(below, split) : first);
  parts.push_back(valley > 0.0 ? part(Part::far, split) : second);
}

// The parts of the range of T, with or without a split at T = 1.
Parts parts_of(const SgdLaw& law, const Share& share, const Power& power, bool split_at_one) {
  const auto part = [&](Part which, double split) {
    return PartOfRange(law, share, power, which, split);
  };
  const bool two_peaks = power.tilted && is_high(law, 2.0 * power.p);
  Parts parts;
  if (split_at_one) parts.push_back(part(Part::left, 1.0));
  if (two_peaks) {
    add_split(parts, split_at_one ? Part::middle : Part::below, part);
  } else {
    parts.push_back(part(split_at_one ? Part::right : Part::whole, 1.0));
  }
  return parts;
}

// Whether T = 1 is so weak a singularity, or so far out, that a sum across it may do.
bool is_harmless(const SgdLaw& law, const Power& power) {
  if (law.dimension == 1.0 || (power.tilted && power.p < 0.0)) return false;
  const double count = law.batch + law.dimension - 1.0;
  const double far = 0.5 * count * exp_remainder(-std::log(count * law.step_per_sample));
  return 2.0 * power.p + law.dimension > kWeak || (!power.tilted && far > kFar);
}

// The integral over T; without a split at T = 1 only if that converges.
std::optional<ScaledValues> integral(const SgdLaw& law, const Share& share, const Power& power,
                                     const Accuracy& accuracy, bool split_at_one) {
  const Parts parts = parts_of(law, share, power, split_at_one);
  const double delta = 2.0 * power.p + law.dimension;
  const Edge edge = parts.front().edge(delta);
  const Edge* at_edge = delta < kNextToEdge ? &edge : nullptr;
  double largest = at_edge != nullptr ? edge.integral().log_scale - std::log(delta) : -kInfinity;
  for (const PartOfRange& part : parts) largest = std::max(largest, part.log_size());
  ScaledValues sum;
  if (at_edge != nullptr) sum.add(edge.integral(), 2.0);
  constexpr double negligible = 48.0;
  for (const PartOfRange& part : parts) {
    const double below = largest - part.log_size();
    if (below > negligible) continue;
    const auto value = part.integral(accuracy.less(below - 3.0), at_edge);
    if (!value) return std::nullopt;
    sum.add(*value, 1.0);
  }
  return sum;
}

SgdGrowth growth(const SgdLaw& law, double order, bool tilted, const Accuracy& accuracy,
                 double fineness = 1.0) {
  const Power power{0.5 * order, tilted};
  const double half = 0.5 * (law.batch + law.dimension - 1.0);
  const double log_largest = std::log1p(2.0 * half * law.step_per_sample * (3.0 + 100.0 / half));
  const Share share(law.batch, law.dimension, power, log_largest, fineness);
  std::optional<ScaledValues> found;
  if (is_harmless(law, power)) found = integral(law, share, power, accuracy, false);
  const ScaledValues sum = found ? *found : *integral(law, share, power, accuracy, true);
  if (accuracy.checked && !(agree(sum, 0, power.noise()) && agree(sum, 1, power.noise()))) {
    if (fineness >= kFinest)
      throw ConvergenceError(
          "the quadrature of a moment of SGD did not converge: step size, order or dimension are "
          "too extreme together");
    return growth(law, order, tilted, accuracy, 2.0 * fineness);
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

// A stage ends with a step of less than `move`, relative to the order.
struct Stage {
  Accuracy accuracy;
  double move;
};
constexpr Stage kStages[] = {{kRough, 1e-2}, {kFine, 1e-3}, {kExact, 1e-5}};
constexpr std::size_t kLastStage = std::size(kStages) - 1;
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

// A tail index, and Var log C or what it is close to.
struct Found {
  double order, variance;
};

// The zero of the rate, which rises with the order because log E Q^(order/2) is convex and 0 at 0,
// by Halley's method between bounds: a rough root, a better one, then the exact one from there.
Found root_from(const SgdLaw& law, double order, double variance, std::size_t first_stage) {
  for (std::size_t stage = first_stage; stage <= kLastStage; ++stage) {
    const bool last = stage == kLastStage;
    double low = 0.0, high = kInfinity;
    for (int i = 0; i < 100; ++i) {
      if (order > kLargestOrder)
        throw ConvergenceError("the tail index is above 2^40: the step size is too small");
      const SgdGrowth at =
          growth(law, order, is_tilted(law, order, variance), kStages[stage].accuracy);
      (at.rate < 0.0 ? low : high) = order;
      const Step step(order, at);
      double next = step.order;
      const bool good = next >= low && next <= high && next < 4.0 * order;
      if (!good) next = high < kInfinity ? 0.5 * (low + high) : 2.0 * order;
      const double moved = std::abs(next - order) / order;
      order = next;
      // a step leaves an error of about its own size times bend^2
      const bool settled = good && moved < kStages[stage].move &&
                           (!last || moved * step.bend * step.bend < kRootError);
      if (settled || moved < kRootError) {
        if (last) return {order, at.variance};
        break;
      }
    }
  }
  throw ConvergenceError("the search for the tail index of SGD did not end; change the step size");
}

Found found_index(const SgdLaw& law) {
  SgdGrowth plain = growth(law, 0.0, false, kFine);
  if (std::abs(plain.rate) < kSureSign * std::sqrt(plain.variance))
    plain = growth(law, 0.0, false, kExact);
  if (plain.rate >= 0.0) return {0.0, plain.variance};
  return root_from(law, -2.0 * plain.rate / plain.variance, plain.variance, 0);
}

// The polynomial through the last four points of a smooth function.
class Forecast {
 public:
  void add(double x, double y) {
    if (count_ == kMost) {
      std::copy(x_.begin() + 1, x_.end(), x_.begin());
      std::copy(y_.begin() + 1, y_.end(), y_.begin());
      --count_;
    }
    x_[count_] = x;
    y_[count_++] = y;
  }
  double last() const { return count_ > 0 ? x_[count_ - 1] : -kInfinity; }
  double at(double x) const {
    double value = 0.0;
    for (std::size_t i = 0; i < count_; ++i) {
      double term = y_[i];
      for (std::size_t j = 0; j < count_; ++j)
        if (j != i) term *= (x - x_[j]) / (x_[i] - x_[j]);
      value += term;
    }
    return value;
  }

 private:
  static constexpr std::size_t kMost = 4;
  std::array<double, kMost> x_{}, y_{};
  std::size_t count_ = 0;
};
constexpr double kWidestGap = 0.5;  // between points of a row, over which a forecast may serve

}  // namespace

SgdGrowth sgd_growth(const SgdLaw& law, double order) {
  const double variance = order > 1.0 ? growth(law, 0.0, false, kFine).variance : 0.0;
  return growth(law, order, is_tilted(law, order, variance), kExact);
}

double sgd_tail_index(const SgdLaw& law) { return found_index(law).order; }

// Near the stability boundary the index falls to 0: with u the step over it, log(index u/(1 - u))
// is smooth in log u, and the last few points say where the next one is.
void sgd_tail_index_row(const double* steps, std::size_t count, double batch, double dimension,
                        double boundary, double* indices) {
  constexpr double trusted = 1e-2, nearest = 0.999;
  Forecast forecast;
  Found last{0.0, 0.0};
  double missed = 1.0;
  for (std::size_t i = 0; i < count; ++i) {
    const SgdLaw law{steps[i], batch, dimension};
    const double share = steps[i] / boundary;
    if (share > nearest) {
      indices[i] = sgd_tail_index(law);
      continue;
    }
    if (i > 0 && steps[i] == steps[i - 1]) {
      indices[i] = indices[i - 1];
      continue;
    }
    const double place = std::log(share), factor = share / (1.0 - share);
    const double guess = std::exp(forecast.at(place)) / factor;
    if (missed < trusted && std::abs(place - forecast.last()) < kWidestGap) {
      const double wider = steps[i] / steps[i - 1];
      last = root_from(law, guess, last.variance * wider * wider, kLastStage);
    } else {
      last = found_index(law);
    }
    missed = std::abs(guess / last.order - 1.0);
    forecast.add(place, std::log(last.order * factor));
    indices[i] = last.order;
  }
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
