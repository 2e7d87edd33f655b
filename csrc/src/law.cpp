// Gain laws: which formula serves a law and an order, and the rules that are computed once.
#include "fracmoment/gains/law.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "fracmoment/error.hpp"
#include "fracmoment/gains/any_precision.hpp"
#include "fracmoment/gains/cumulants.hpp"
#include "fracmoment/gains/distribution.hpp"
#include "fracmoment/kernels.hpp"
#include "fracmoment/special/polygamma.hpp"

namespace fracmoment {
namespace {

constexpr int kPreciseLevel = 4;
constexpr double kTinyOrder = 1e-5;  // scales of smaller orders come from cumulants
// floor(log2 x), exactly.
int binary_exponent(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  return exponent - 1;
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// atan for x >= 0 to 1e-9, from correctly rounded operations only: steps of rules must not depend
// on the machine's mathematical library.
double arctangent(double x) {
  if (x > 1.0) return 1.5707963267948966 - arctangent(1.0 / x);
  for (int i = 0; i < 2; ++i) x = x / (1.0 + std::sqrt(1.0 + x * x));
  double sum = 0.0, q = x * x;
  for (int n = 13; n >= 1; n -= 2) sum = 1.0 / n - q * sum;
  return 4.0 * x * sum;
}

// log |Gamma(c+iw)/Gamma(c)| by Stirling's leading terms, angle = atan(w/c).
double log_gamma_decay(double c, double w, double angle) {
  return 0.5 * (c - 0.5) * rough_log(1.0 + (w / c) * (w / c)) - w * angle;
}

// The largest step, a multiple of 1/256, whose aliasing error is below exp(-target): w solves
// log_gamma_decay(c, w) + log_gamma_decay(e, w) = -target; the slope is nearly -atan(w/c) -
// atan(w/e).
double trapezoid_step(double c, double e, double target) {
  double w = 0.8 * target;
  for (int i = 0; i < 8; ++i) {
    const double angle_c = arctangent(w / c), angle_e = arctangent(w / e);
    const double excess = log_gamma_decay(c, w, angle_c) + log_gamma_decay(e, w, angle_e) + target;
    w = std::max(1.0, w + excess / (angle_c + angle_e));
    if (std::abs(excess) < 0.02) break;
  }
  return std::max(1.0, std::floor(256.0 * 6.283185307179586 / (w + 0.05))) / 256.0;
}

// The sorted-out description of a law.
struct Description {
  LawKind kind = LawKind::chi;
  double live = 1.0;          // P(unit live), exactly
  bool atom = false;          // P(R = 0) > 0
  bool through_zero = false;  // slopes on both sides of 0, or touching it
  Real factor{1.0};           // R is this times the R of `unit`
  UnitLaw unit;
};

void add_point(UnitLaw& unit, const Real& b, const Real& weight) {
  unit.point[unit.points] = b;
  unit.weight[unit.points] = weight;
  ++unit.points;
}

Description describe(const LawSpec& spec) {
  Description r;
  r.live = spec.keep_prob;
  double lower = spec.lower, upper = spec.upper;
  if (upper < -lower) {  // only squares matter: make the larger slope the upper one
    const double old = lower;
    lower = -upper;
    upper = -old;
  }
  const double keep = spec.keep_prob;
  UnitLaw& unit = r.unit;
  unit.width = double(spec.width);
  const bool relu = upper == 0.0;
  const bool point = lower == upper;
  r.atom = relu || keep < 1.0;
  Real factor{std::max(1.0, upper)};
  if (spec.inverted && keep < 1.0) factor = factor / Real(keep);
  r.factor = factor;
  unit.dead = relu ? Real(1.0) - Real(0.5 * keep) : two_sum(1.0, -keep);
  if (point && (upper == 1.0 || relu)) {
    r.kind = keep == 1.0 && !relu ? LawKind::chi : LawKind::mixture;
    r.live = relu ? 0.5 * keep : keep;
    add_point(unit, Real(1.0), Real(r.live));
    const double mean = unit.width * r.live, sd = std::sqrt(mean * (1.0 - r.live));
    if (r.kind == LawKind::mixture && unit.width > 96.0 && mean - 9.4 * sd > 8.0)
      r.kind = LawKind::mellin;
    if (r.kind == LawKind::chi && spec.orthogonal) r.kind = LawKind::one;
    return r;
  }
  r.kind = spec.width == 1 ? LawKind::none : LawKind::mellin;
  const Real beta{std::max(1.0, upper)}, one{1.0};
  const Real low = Real(lower) / beta, high = Real(upper) / beta, half{0.5 * keep};
  add_point(unit, one / (beta * beta), half);
  r.through_zero = lower <= 0.0;
  if (point) {
    add_point(unit, high * high, half);
  } else if (lower > 0.0 && upper - lower < 1e-3 * upper) {
    for (int i = 0; i < 16; ++i) {
      const Real a =
          low + (high - low) * Real(tables::kLegendreNodeHi[i], tables::kLegendreNodeLo[i]);
      add_point(unit, a * a,
                half * Real(tables::kLegendreWeightHi[i], tables::kLegendreWeightLo[i]));
    }
  } else {
    unit.uniform = true;
    unit.uniform_weight = half;
    unit.lower = low;
    unit.upper = high;
  }
  return r;
}

// The uniform part as points, by Gauss-Legendre panels in log A: for rules with added degrees of
// freedom, whose moments have no closed form.
UnitLaw with_points(const UnitLaw& unit) {
  UnitLaw r = unit;
  if (!unit.uniform) return r;
  r.uniform = false;
  const Real span = log(unit.upper / unit.lower);
  const int panels = std::max(1, int(std::ceil(span.hi / 1.2)));
  if (panels > 10) {
    r.points = 0;  // too many
    return r;
  }
  const Real step = span / Real(double(panels)),
             density = unit.uniform_weight / (unit.upper - unit.lower);
  for (int i = 0; i < panels; ++i)
    for (int j = 0; j < 16; ++j) {
      const Real x =
          (Real(double(i)) + Real(tables::kLegendreNodeHi[j], tables::kLegendreNodeLo[j])) * step;
      const Real a = unit.lower * exp(x);
      add_point(
          r, a * a,
          density * step * a * Real(tables::kLegendreWeightHi[j], tables::kLegendreWeightLo[j]));
    }
  return r;
}

double smallest_scale(const UnitLaw& unit) {
  double b = 1.0;
  for (int i = 0; i < unit.points; ++i) b = std::min(b, unit.point[i].hi);
  if (unit.uniform) {
    const double low = std::max(unit.lower.hi, 0.01 * unit.upper.hi);
    b = std::min(b, low * low);
  }
  return b;
}

struct Rule {
  LawState state;
  UnitLaw unit;  // what `state.single` points to, and what the nodes were made of
  std::vector<double> hi, lo, inverse_hi, inverse_lo;
  // Where the rule serves order 0: log M there, of the mass P(R > 0).
  bool serves_zero = false;
  mutable std::once_flag zero_once;
  mutable Real log_at_zero{0.0};
  // log M at some orders. Order 0 goes with them the first time: lanes are there anyway.
  void log_moments(const double* order, std::size_t n, Real* out) const {
    bool done = false;
    if (serves_zero)
      std::call_once(zero_once, [&] {
        std::vector<double> with_zero(order, order + n);
        with_zero.push_back(0.0);
        std::vector<Real> log(n + 1);
        kernels().log_moments(state, with_zero.data(), log.data(), n + 1);
        log_at_zero = log[n];
        std::copy_n(log.begin(), n, out);
        done = true;
      });
    if (!done) kernels().log_moments(state, order, out, n);
  }
};

Real reciprocal(double n) { return n < 128.0 ? inverse_integer(int(n)) : Real(1.0) / Real(n); }

Real log_factorial(int n) {
  if (n > 18) return log_gamma(Real(n + 1.0));
  double product = 1.0;
  for (int i = 2; i <= n; ++i) product *= i;
  return n < 2 ? Real(0.0) : log(Real(product));
}

void set_rule(Rule& rule, const MellinPlan& plan) {
  MellinRule& m = rule.state.mellin;
  m.plan = plan;
  m.count = std::int64_t(rule.hi.size());
  m.hi = rule.hi.data();
  m.lo = rule.lo.data();
  m.log_constant = log(Real(plan.h)) + log_factorial(plan.m) + log_factorial(plan.k);
}

// The weights are proportional to exp(p0 v_reference): moves the reference by that many nodes so
// that a sum of size exp(log_sum) becomes about 1.
std::int64_t reference_shift(const MellinPlan& plan, double log_sum) {
  return std::int64_t(std::ceil(-log_sum / (plan.p0 * plan.h)));
}

void fill_mellin(Rule& rule, MellinPlan plan, bool full) {
  const auto weights = full ? kernels().full_mellin_weights : kernels().mellin_weights;
  std::int64_t capacity = 512;
  for (int attempt = 0; attempt < 64; ++attempt) {
    rule.hi.resize(std::size_t(capacity));
    rule.lo.resize(std::size_t(capacity));
    const std::int64_t count = weights(rule.unit, plan, rule.hi.data(), rule.lo.data(), capacity);
    if (count == kOverflow) {  // by how much is not known
      plan.reference += reference_shift(plan, 400.0);
      continue;
    }
    if (count == kTooSmall) {
      capacity *= 4;
      if (capacity > (std::int64_t(1) << 22)) break;
      continue;
    }
    double sum = 0.0;
    for (std::int64_t i = 0; i < count; ++i) sum += rule.hi[std::size_t(i)];
    if (sum < 1e-200) {  // what underflowed may matter
      plan.reference += reference_shift(plan, rough_log(sum));
      continue;
    }
    rule.hi.resize(std::size_t(count));
    rule.lo.resize(std::size_t(count));
    set_rule(rule, plan);
    return;
  }
  throw ConvergenceError("no rule in double-double: the integral needs too many nodes");
}

}  // namespace

bool operator==(const LawSpec& a, const LawSpec& b) {
  return a.width == b.width && a.lower == b.lower && a.upper == b.upper &&
         a.keep_prob == b.keep_prob && a.inverted == b.inverted && a.orthogonal == b.orthogonal;
}

struct GainLaw::Impl {
  LawSpec spec;
  Description law;
  LawState base;  // without a rule
  Real log_alive{0.0};
  mutable std::mutex guard;
  mutable std::map<std::pair<int, int>, std::unique_ptr<Rule>> rules;

  explicit Impl(const LawSpec& s) : spec(s), law(describe(s)) {
    base.kind = law.kind;
    base.width = double(spec.width);
    base.ratio = spec.orthogonal;
    base.log_factor = log(law.factor);
    const Gamma<double> g = gamma_parts<true>(Real(0.5 * base.width));
    base.gamma_log = g.log;
    base.gamma_shift = g.shift;
    if (law.atom) log_alive = log_probability_alive();
  }

  Real log_dead_power() const { return log1p(Real(-law.live)) * base.width; }
  // log(1 - dead^d)
  Real log_probability_alive() const {
    if (law.live == 1.0) return Real(0.0);
    const Real power = log_dead_power();
    return power.hi < -0.7 ? log1p(-exp(power)) : log(-expm1(power));
  }

  // ---- rules ----------------------------------------------------------------------------------
  // Mellin rules serve orders with floor(p) = bucket, p = order/2. Laws with an atom split the
  // bucket -1: key -2 (one live unit left out of the integral, for p < -0.2) and key -1.
  static constexpr int kTight = 1000000;  // the rule for cumulants

  // Near the edge of a law whose integrand decays like exp(-(d/2+p) v) and no faster, the ranges
  // shrink with the distance: key kEdge - j serves 2^-j <= d/2+p < 2^(1-j).
  static constexpr int kEdge = -1000000;

  int bucket(double order) const {
    if (law.kind == LawKind::mixture)  // 0 up to order 64, then one for each octave
      return order <= 64.0 ? 0 : 1 + binary_exponent(order / 64.0);
    if (law.kind != LawKind::mellin) return 0;
    const double p = 0.5 * order;
    if (law.atom && p < 0.0) return p < -0.2 ? -2 : -1;
    if (law.through_zero && !law.atom && p < 0.0) {
      const double distance = 0.5 * (base.width + order);
      if (distance < 1.0) return kEdge + binary_exponent(distance);
    }
    return int(std::floor(p));
  }
  struct Range {
    double low, high;
  };
  Range range(int key) const {
    if (key == kTight) return {0.0, 0.0};
    if (law.atom && key == -2) return {-0.5, -0.2};
    if (law.atom && key == -1) return {-0.2, 0.0};
    if (key <= kEdge) {
      const double distance = std::ldexp(1.0, key - kEdge);
      return {distance - 0.5 * base.width, 2.0 * distance - 0.5 * base.width};
    }
    return {double(key), key + 1.0};
  }

  // Level 0 serves real orders; level j > 0 complex ones with |Im order| <= 2^j, and real ones with
  // accuracy to spare.
  const Rule& rule(int key, int level = 0) const {
    std::lock_guard<std::mutex> lock(guard);
    std::unique_ptr<Rule>& slot = rules[{key, level}];
    if (!slot) slot = make_rule(key, level);
    return *slot;
  }

  std::unique_ptr<Rule> make_rule(int key, int level) const {
    auto r = std::make_unique<Rule>();
    r->state = base;
    r->unit = law.unit;
    if (law.kind == LawKind::none) {
      attach_single(*r);
    } else if (law.kind == LawKind::mixture) {
      fill_mixture(*r, std::ldexp(32.0, key));
    } else if (law.kind == LawKind::mellin) {
      const Range p = range(key);
      double target = key == kTight ? 62.0 : 42.0;
      if (level > 0) target = 44.0 + 1.6 * std::ldexp(1.0, level);  // |Gamma(m-p)| decays so
      make_mellin(*r, p.low, p.high, target, law.atom && key == -2);
    }
    r->serves_zero =
        law.kind != LawKind::mellin || (range(key).low <= 0.0 && range(key).high >= 0.0);
    return r;
  }

  void attach_single(Rule& r) const {
    r.state.single = &r.unit;
    // d dead^(d-1): the weight of exactly one live unit (its scales' weights add up to keep_prob)
    r.state.log_single = base.width == 1.0
                             ? Real(0.0)
                             : log1p(Real(-law.live)) * (base.width - 1.0) + log(Real(base.width));
  }

  // A rule for p in [low, high].
  void make_mellin(Rule& r, double low, double high, double target, bool drop_single) const {
    MellinPlan plan;
    const double half = 0.5 * base.width;
    plan.p0 = 0.5 * (low + high);
    plan.reach = 0.5 * (high - low);
    if (!(high < kMaxDerivative - 4.0))
      throw ConvergenceError("no rule in double-double for orders this high");
    // weights of great widths leave the range of doubles, wherever the reference is
    if (!(low > -2048.0)) throw ConvergenceError("no rule in double-double for orders this low");
    // a higher derivative means fewer nodes, but longer tails where there are tails
    plan.m = std::max(0, int(std::ceil(high)) + (base.width < 32.0 ? 3 : 4));
    const double need = 1.0 - half - low;
    if (!law.atom && !law.through_zero && need > 0.0) {
      plan.k = int(std::ceil(need));
      if (plan.k > kMaxRaise)
        throw ConvergenceError("no rule in double-double for orders this far below -width");
      r.unit = with_points(law.unit);
      if (r.unit.points == 0)
        throw ConvergenceError("no rule in double-double for slopes of such different size");
    }
    const double c_low = plan.m - high, c_high = plan.m - low;
    plan.h = trapezoid_step(c_high, half + plan.k + high, target);
    plan.target = target;
    plan.drop_single = drop_single;
    plan.tail_exponent = law.atom ? (drop_single ? 0.5 : 0.3) : half + plan.k + low;
    // the nodes reach to v = (target + 8)/exponent; exp(v) must not overflow
    if (!(plan.tail_exponent * 600.0 > target + 8.0))
      throw ConvergenceError("no rule in double-double this close to the edge of the domain");
    // one scale's weights are largest at 2bt = c/e and decay at nearly the full rate beyond 7 times
    // that
    plan.all_decay = -rough_log(2.0 * smallest_scale(r.unit)) + 2.0 +
                     rough_log(1.0 + c_high / plan.tail_exponent);
    const double log_gamma_c = log_gamma(Real(c_low + 1.0)).hi;
    const double largest = rough_log(base.width + 2.0 * std::max(high, 0.0) + 2.0 * c_low);
    const double left = (log_gamma_c - target - 2.0) / c_low - largest;
    plan.first = std::int64_t(std::floor(left / plan.h));
    plan.reference = std::int64_t(std::floor((rough_log(c_low) - largest) / plan.h));
    if (drop_single) attach_single(r);
    fill_mellin(r, plan, target > 50.0);
  }

  // Where b(n) Gamma(n/2+p)/Gamma(n/2) is largest: its ratio over one step of n is about 1.
  double tilted_mean(double p) const {
    const double d = base.width, q = law.live;
    double lo = 0.0, hi = d;
    for (int i = 0; i < 60 && q < 1.0; ++i) {
      const double n = 0.5 * (lo + hi);
      const double step = (d - n) * q / (n * (1.0 - q)) * std::sqrt(1.0 + 2.0 * p / n);
      (step > 1.0 ? lo : hi) = n;
    }
    return hi;
  }

  // Binomial weights of the number of live units, for orders up to 2 p_max.
  void fill_mixture(Rule& r, double p_max) const {
    const double d = base.width, q = law.live, sd = std::sqrt(d * q * (1.0 - q));
    const double reach = tilted_mean(p_max) + 9.4 * sd + 42.0 + (sd < 4.0 ? 60.0 : 0.0);
    const std::size_t n = std::size_t(std::min(d, std::ceil(reach)));
    for (std::vector<double>* part : {&r.hi, &r.lo, &r.inverse_hi, &r.inverse_lo}) part->resize(n);
    const auto set = [&](std::size_t k, const Real& b) {
      r.hi[k - 1] = b.hi;
      r.lo[k - 1] = b.lo;
    };
    // b at its largest from logarithms, the others by their ratios
    const std::size_t mode =
        std::min(n, std::max<std::size_t>(1, std::size_t(std::floor((d + 1.0) * q))));
    const double k = double(mode);
    const Real factorials = log_gamma(Real(k + 1.0)) + log_gamma(Real(d - k + 1.0));
    Real b =
        exp(log_gamma(Real(d + 1.0)) - factorials + log(Real(q)) * k + log1p(Real(-q)) * (d - k));
    const Real odds = Real(q) / two_sum(1.0, -q), inverse_odds = Real(1.0) / odds;
    set(mode, b);
    const Real at_mode = b;
    for (std::size_t i = mode; i < n; ++i) {
      b = b * odds * (d - double(i)) * reciprocal(double(i) + 1.0);
      set(i + 1, b);
    }
    b = at_mode;
    for (std::size_t i = mode; i > 1; --i) {
      b = b * inverse_odds * double(i) * reciprocal(d - double(i) + 1.0);
      set(i - 1, b);
    }
    for (std::size_t i = 0; i < n; ++i) {
      const Real inverse = reciprocal(double(i) + 1.0);
      r.inverse_hi[i] = inverse.hi;
      r.inverse_lo[i] = inverse.lo;
    }
    r.state.mixture = {std::int64_t(n), r.hi.data(), r.lo.data(), r.inverse_hi.data(),
                       r.inverse_lo.data()};
  }

  // ---- orders ---------------------------------------------------------------------------------
  // Calls f(rule, orders, indices, n) for each group of orders that share a rule (no indices: all
  // in place), or otherwise(order, index) where there is none in double-double.
  template <class F, class G>
  void grouped(const double* order, std::size_t n, F&& f, G&& otherwise) const {
    const auto group = [&](int key, const double* s, const std::size_t* index, std::size_t m) {
      const Rule* r = nullptr;
      try {
        r = &rule(key);
      } catch (const ConvergenceError&) {
        for (std::size_t i = 0; i < m; ++i) otherwise(s[i], index == nullptr ? i : index[i]);
        return;
      }
      f(*r, s, index, m);
    };
    bool one = true;
    const int first = bucket(order[0]);
    for (std::size_t i = 1; i < n && one; ++i) one = bucket(order[i]) == first;
    if (one) {
      group(first, order, nullptr, n);
      return;
    }
    std::map<int, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < n; ++i) groups[bucket(order[i])].push_back(i);
    std::vector<double> part;
    for (const auto& [key, indices] : groups) {
      part.clear();
      for (const std::size_t i : indices) part.push_back(order[i]);
      group(key, part.data(), indices.data(), part.size());
    }
  }

  LawState adjusted(const Rule& r, bool given_alive) const {
    LawState state = r.state;
    if (law.atom && given_alive) state.log_alive = log_alive;
    return state;
  }

  // -log M(s)/s as a double-double, from the rule's log M(s) and log M(0).
  Real log_scale_from(const Rule& r, double s, Real log_moment, bool given_alive) const {
    if (std::abs(s) <= 2.0 && r.serves_zero) {
      log_moment = log_moment - r.log_at_zero;
      if (law.atom && !given_alive) log_moment = log_moment + log_alive;
    } else if (law.atom && given_alive) {
      log_moment = log_moment - log_alive;
    }
    return -(log_moment / Real(s));
  }

  // log M(s)/s = sum_j kappa_j s^(j-1)/j! given R > 0: what follows j = 5 is negligible, and
  // nothing is divided by a tiny order.
  Real log_scale_series(double s, bool given_alive) const {
    const Cumulants kappa = cumulants(5);
    const Real third = (kappa[5] * (0.2 * s) + kappa[4]) * (0.25 * s) + kappa[3];
    const Real higher = third * (s / 3.0) + kappa[2];
    const Real result = -(kappa[1] + higher * (0.5 * s));
    return law.atom && !given_alive ? result - log_alive / Real(s) : result;
  }

  Real log_scale_near_zero(double s, bool given_alive) const;

  Cumulants cumulants(int n_max) const;
  Cumulants mellin_cumulants(const Rule& r, int n_max) const;
  Cumulants mixture_cumulants(int n_max) const;
  Real log_mean() const {
    try {
      return cumulants(1)[1];
    } catch (const ConvergenceError&) {
      return any_precision_log_cumulant(spec, 1);
    }
  }
  Distribution distribution() const;
};

// Cumulants of log X under the rule's weights: log M(p) = log S(p) - log Gamma(m-p) - log
// (d/2+p)_k.
Cumulants GainLaw::Impl::mellin_cumulants(const Rule& r, int n_max) const {
  const MellinPlan& plan = r.state.mellin.plan;
  const std::size_t n = r.hi.size();
  // weights at order 0: the stored ones are at p0
  std::vector<Real> w(n);
  Real total{0.0}, mean{0.0};
  const Real step = exp(Real(plan.p0 * plan.h));
  Real tilt = exp(two_prod(plan.p0, double(plan.first - plan.reference) * plan.h));
  for (std::size_t i = 0; i < n; ++i, tilt = tilt * step) {
    w[i] = Real(r.hi[i], r.lo[i]) * tilt;
    total = total + w[i];
    mean = mean + w[i] * (double(plan.first + std::int64_t(i)) * plan.h);
  }
  mean = mean / total;
  Cumulants central{}, kappa{}, result{};
  if (n_max > 1)
    for (std::size_t i = 0; i < n; ++i) {
      const Real x = Real(double(plan.first + std::int64_t(i)) * plan.h) - mean;
      Real power = w[i];
      for (int j = 1; j <= n_max; ++j) {
        power = power * x;
        central[std::size_t(j)] = central[std::size_t(j)] + power;
      }
    }
  for (int j = 1; j <= n_max; ++j)
    central[std::size_t(j)] = j == 1 ? Real(0.0) : central[std::size_t(j)] / total;
  cumulants_from_moments(central, kappa, n_max);
  kappa[1] = mean;
  double factorial = 1.0;  // (j-1)!
  for (int j = 1; j <= n_max; ++j) {
    if (j > 1) factorial *= j - 1;
    const double sign = j % 2 == 0 ? 1.0 : -1.0;  // (-1)^j
    Real value = kappa[std::size_t(j)] - polygamma(j - 1, Real(double(plan.m)));
    value = value * sign;
    for (int i = 0; i < plan.k; ++i)
      value = value + Real(sign * factorial) / integer_power(Real(0.5 * base.width + i), j);
    result[std::size_t(j)] = value;
  }
  return result;
}

// log X given n live units has cumulants psi^(j-1)(n/2) (+ log 2): mixed over n >= 1.
Cumulants GainLaw::Impl::mixture_cumulants(int n_max) const {
  const Rule& r = rule(0);
  const std::size_t n = r.hi.size();
  std::vector<Real> arg(n);
  for (std::size_t i = 0; i < n; ++i) arg[i] = Real(0.5 * (double(i) + 1.0));
  std::vector<std::vector<Real>> part(std::size_t(n_max) + 1, std::vector<Real>(n));
  for (int j = 1; j <= n_max; ++j) {
    kernels().polygammas(j - 1, arg.data(), part[std::size_t(j)].data(), n);
    if (j % 2 == 1)
      for (Real& x : part[std::size_t(j)]) x = -x;
  }
  Real total{0.0}, mean{0.0};
  for (std::size_t i = n; i-- > 0;) {
    const Real w{r.hi[i], r.lo[i]};
    total = total + w;
    mean = mean + w * part[1][i];
  }
  mean = mean / total;
  Cumulants central{}, kappa{};
  for (std::size_t i = 0; i < n && n_max > 1; ++i) {
    const Real w{r.hi[i], r.lo[i]};
    Cumulants given{}, moment{};
    for (int j = 1; j <= n_max; ++j) given[std::size_t(j)] = part[std::size_t(j)][i];
    given[1] = given[1] - mean;
    moments_from_cumulants(given, moment, n_max);
    for (int j = 1; j <= n_max; ++j)
      central[std::size_t(j)] = central[std::size_t(j)] + w * moment[std::size_t(j)];
  }
  for (int j = 1; j <= n_max; ++j)
    central[std::size_t(j)] = j == 1 ? Real(0.0) : central[std::size_t(j)] / total;
  cumulants_from_moments(central, kappa, n_max);
  kappa[1] = mean + log_two();
  return kappa;
}

// Cumulants of log b given b > 0, one unit.
Cumulants slope_cumulants(const UnitLaw& unit, int n_max) {
  Cumulants m{}, kappa{};
  Real mass{0.0};
  for (int i = 0; i < unit.points; ++i) {
    mass = mass + unit.weight[i];
    const Real x = log(unit.point[i]);
    Real power = unit.weight[i];
    for (int j = 1; j <= n_max; ++j) {
      power = power * x;
      m[std::size_t(j)] = m[std::size_t(j)] + power;
    }
  }
  if (unit.uniform) {  // int log^j x dx = x log^j x - j int log^(j-1) x dx
    mass = mass + unit.uniform_weight;
    const Real density = unit.uniform_weight / (unit.upper - unit.lower);
    for (int end = 0; end < 2; ++end) {
      const Real x = end ? unit.lower : unit.upper;
      if (x.hi == 0.0) continue;
      const Real ax = x.hi < 0.0 ? -x : x, lx = log(ax);
      Real integral = (x.hi < 0.0) != bool(end) ? -ax : ax, power = integral;
      double two = 1.0;
      for (int j = 1; j <= n_max; ++j) {
        power = power * lx;
        integral = power - integral * double(j);
        two *= 2.0;
        m[std::size_t(j)] = m[std::size_t(j)] + integral * density * two;
      }
    }
  }
  for (int j = 1; j <= n_max; ++j) m[std::size_t(j)] = m[std::size_t(j)] / mass;
  cumulants_from_moments(m, kappa, n_max);
  return kappa;
}

// Of log R given R > 0.
Cumulants GainLaw::Impl::cumulants(int n_max) const {
  Cumulants r{};
  const auto chi_cumulant = [&](double d, int j) {
    const Real x = polygamma(j - 1, Real(0.5 * d));
    return j == 1 ? x + log_two() : x;
  };
  if (law.kind == LawKind::one) return r;
  const UnitLaw& unit = law.unit;
  if (law.kind == LawKind::chi) {
    for (int j = 1; j <= n_max; ++j) r[std::size_t(j)] = chi_cumulant(base.width, j);
  } else if (law.kind == LawKind::none) {
    r = slope_cumulants(unit, n_max);  // log X = log b + log chi^2_1, independent
    for (int j = 1; j <= n_max; ++j) r[std::size_t(j)] = r[std::size_t(j)] + chi_cumulant(1.0, j);
  } else {
    bool done = false;
    if (n_max > 1) {
      const WideExpansion wide(unit);
      if (wide.applies()) {
        r = wide.cumulants(n_max);
        done = true;
      }
    }
    if (!done && law.kind == LawKind::mixture) r = mixture_cumulants(n_max);
    if (!done && law.kind == LawKind::mellin)
      r = mellin_cumulants(rule(n_max == 1 ? 0 : kTight), n_max);
  }
  double scale = 1.0;
  for (int j = 1; j <= n_max; ++j) {
    scale *= 0.5;
    Real value = r[std::size_t(j)];
    if (base.ratio && law.kind != LawKind::one) value = value - chi_cumulant(base.width, j);
    r[std::size_t(j)] = scale_by(value, scale);
  }
  r[1] = r[1] + base.log_factor;
  return r;
}

GainLaw::GainLaw(const LawSpec& spec) : impl_(std::make_unique<Impl>(spec)) {}
GainLaw::~GainLaw() = default;
GainLaw::GainLaw(GainLaw&&) noexcept = default;
GainLaw& GainLaw::operator=(GainLaw&&) noexcept = default;
const LawSpec& GainLaw::spec() const { return impl_->spec; }

void GainLaw::moments(const double* order, double* out, std::size_t n, bool given_alive) const {
  if (n == 0) return;
  if (impl_->law.kind == LawKind::chi) {
    const std::vector<double> width(n, impl_->base.width);
    kernels().chi_moments(width.data(), order, out, n);
    return;
  }
  const auto by_rule = [&](const Rule& r, const double* s, const std::size_t* index,
                           std::size_t m) {
    const LawState state = impl_->adjusted(r, given_alive);
    if (index == nullptr) {
      kernels().moments(state, s, out, m);
      return;
    }
    std::vector<double> part(m);
    kernels().moments(state, s, part.data(), m);
    for (std::size_t i = 0; i < m; ++i) out[index[i]] = part[i];
  };
  impl_->grouped(order, n, by_rule, [&](double s, std::size_t i) {
    out[i] = any_precision_moment(impl_->spec, s, given_alive);
  });
}

void GainLaw::moments(const std::complex<double>* order, std::complex<double>* out, std::size_t n,
                      bool given_alive) const {
  for (std::size_t i = 0; i < n; ++i) {
    const double size = std::abs(order[i].imag());
    int level = 1;
    while (level < kPreciseLevel && size > std::ldexp(1.0, level)) ++level;
    if (impl_->law.kind == LawKind::mellin && size > 16.0) {
      out[i] = any_precision_complex_moment(impl_->spec, order[i], given_alive);
      continue;
    }
    const bool level_free = impl_->law.kind != LawKind::mellin;
    const Rule& r = impl_->rule(impl_->bucket(order[i].real()), level_free ? 0 : level);
    const LawState state = impl_->adjusted(r, given_alive);
    // neighbours with the same rule go together
    std::size_t end = i + 1;
    while (end < n && impl_->bucket(order[end].real()) == impl_->bucket(order[i].real()) &&
           std::abs(order[end].imag()) <= std::ldexp(1.0, level) &&
           (level == 1 || std::abs(order[end].imag()) > std::ldexp(1.0, level - 1)))
      ++end;
    kernels().complex_moments(state, reinterpret_cast<const double*>(order + i),
                              reinterpret_cast<double*>(out + i), end - i);
    i = end - 1;
  }
}

Real GainLaw::Impl::log_scale_near_zero(double s, bool given_alive) const {
  if (s == 0.0) return -log_mean();
  try {
    return log_scale_series(s, given_alive);
  } catch (const ConvergenceError&) {
    return any_precision_log_scale(spec, s, given_alive);
  }
}

void GainLaw::log_scales(const double* order, Real* out, std::size_t n, bool given_alive,
                         bool precise) const {
  if (n == 0) return;
  const bool other_rule = precise && impl_->law.kind == LawKind::mellin;
  std::vector<Real> values;
  const auto by_rule = [&](const Rule& plain, const double* s, const std::size_t* index,
                           std::size_t m) {
    const Rule& r = other_rule ? impl_->rule(impl_->bucket(*s), kPreciseLevel) : plain;
    values.resize(m);
    r.log_moments(s, m, values.data());
    for (std::size_t i = 0; i < m; ++i)
      out[index == nullptr ? i : index[i]] =
          std::abs(s[i]) < kTinyOrder ? impl_->log_scale_near_zero(s[i], given_alive)
                                      : impl_->log_scale_from(r, s[i], values[i], given_alive);
  };
  impl_->grouped(order, n, by_rule, [&](double s, std::size_t i) {
    out[i] = any_precision_log_scale(impl_->spec, s, given_alive);
  });
}

void GainLaw::scales(const double* order, double* out, std::size_t n, bool given_alive) const {
  std::vector<Real> logs(n);
  log_scales(order, logs.data(), n, given_alive);
  kernels().exponentials(logs.data(), out, n);
}

namespace {

// The root of an increasing function with f(lo) < 0 < f(hi), by the Illinois variant of false
// position, to the last bits of the root.
template <class F>
double increasing_root(F&& f, double lo, double flo, double hi, double fhi) {
  int last = 0;
  for (int i = 0; i < 200 && hi - lo > 4e-16 * hi; ++i) {
    double x = i < 60 ? (lo * fhi - hi * flo) / (fhi - flo) : 0.5 * (lo + hi);
    if (!(x > lo && x < hi)) x = 0.5 * (lo + hi);
    if (x == lo || x == hi) break;
    const double fx = f(x);
    if (fx == 0.0) return x;
    if (fx < 0.0) {
      lo = x;
      flo = fx;
      if (last == -1) fhi *= 0.5;
      last = -1;
    } else {
      hi = x;
      fhi = fx;
      if (last == 1) flo *= 0.5;
      last = 1;
    }
  }
  return 0.5 * (lo + hi);
}

}  // namespace

void GainLaw::tail_indices(const double* sigma, double* out, std::size_t n) const {
  const Real log_mean = impl_->log_mean();
  for (std::size_t i = 0; i < n; ++i) {
    const Real log_sigma = log(Real(sigma[i]));
    // With an atom the drift is -infinity and a root exists whatever the scale; it is far below
    // 1e-9 where the drift given R > 0 is positive, unless the layer is narrow.
    if (!impl_->law.atom && (log_sigma + log_mean).hi >= 0.0) {
      out[i] = 0.0;
      continue;
    }
    if (impl_->base.ratio && (log_sigma + impl_->base.log_factor).hi <= 0.0) {
      out[i] = kInfinity;
      continue;
    }
    // log E(sigma R)^s / s increases from the drift (or from -infinity with an atom) through 0
    const auto value = [&](double s) {
      Real log_scale;
      log_scales(&s, &log_scale, 1, false, true);
      return to_double(log_sigma - log_scale);
    };
    double lo = 0.0, flo = to_double(log_sigma + log_mean), hi = 1.0, fhi = value(hi);
    while (fhi < 0.0 && hi < 1e9) {
      lo = hi;
      flo = fhi;
      hi *= 2.0;
      fhi = value(hi);
    }
    if (lo == 0.0) {
      double probe = 0.5;
      while (probe > 1e-9) {
        const double f = value(probe);
        if (f < 0.0) {
          lo = probe;
          flo = f;
          break;
        }
        hi = probe;
        fhi = f;
        probe *= 0.25;
      }
      if (lo == 0.0 && impl_->law.atom) {
        out[i] = 0.0;
        continue;
      }
    }
    out[i] = fhi == 0.0 ? hi : increasing_root(value, lo, flo, hi, fhi);
  }
}

double GainLaw::log_mean() const { return to_double(impl_->log_mean()); }
double GainLaw::log_var() const {
  double value = 0.0;
  try {
    value = to_double(impl_->cumulants(2)[2]);
  } catch (const ConvergenceError&) {
    return to_double(any_precision_log_cumulant(impl_->spec, 2));
  }
  // a ratio law with slopes near 1: the difference of two variances has lost its digits
  const double chi = 0.25 * polygamma(1, Real(0.5 * impl_->base.width)).hi;
  const bool lost = impl_->base.ratio && impl_->law.kind != LawKind::one && value < 1e-6 * chi;
  return lost ? to_double(any_precision_log_cumulant(impl_->spec, 2)) : value;
}
double GainLaw::log_cumulant(int n) const {
  if (n == 1) return log_mean();
  if (n == 2) return log_var();
  if (n <= kAccurateCumulant) {
    try {
      return to_double(impl_->cumulants(n)[std::size_t(n)]);
    } catch (const ConvergenceError&) {  // no rule in double-double
    }
  }
  return to_double(any_precision_log_cumulant(impl_->spec, n));
}

Distribution GainLaw::Impl::distribution() const {
  const Cumulants kappa = cumulants(2);
  return Distribution({&law.unit, law.factor, log_alive, base.ratio, law.atom,
                       law.kind == LawKind::one, kappa[1].hi,
                       std::sqrt(std::max(kappa[2].hi, 1e-300)), kappa[1]});
}

void GainLaw::pdf(const double* r, double* out, std::size_t n) const {
  impl_->distribution().pdf(r, out, n);
}
void GainLaw::cdf(const double* r, double* out, std::size_t n) const {
  impl_->distribution().cdf(r, out, n);
}
void GainLaw::sf(const double* r, double* out, std::size_t n) const {
  impl_->distribution().sf(r, out, n);
}
void GainLaw::ppf(const double* q, double* out, std::size_t n) const {
  impl_->distribution().quantile(q, out, n, false);
}
void GainLaw::isf(const double* q, double* out, std::size_t n) const {
  impl_->distribution().quantile(q, out, n, true);
}
double GainLaw::log_abs_third() const { return impl_->distribution().log_abs_third(); }

double GainLaw::prob_zero() const {
  return impl_->law.atom ? exp_rounded(impl_->log_dead_power()) : 0.0;
}
double GainLaw::prob_alive() const { return impl_->law.atom ? exp_rounded(impl_->log_alive) : 1.0; }

namespace {

// Calls f(law, begin, count) for each run of equal neighbours.
template <class F>
void each_law(const LawSpec* specs, std::size_t n, F&& f) {
  each_run(specs, n, [&](std::size_t i, std::size_t count) { f(GainLaw(specs[i]), i, count); });
}

}  // namespace

void law_moments(const double* order, const LawSpec* specs, double* out, std::size_t n,
                 bool given_alive) {
  each_law(specs, n, [&](const GainLaw& law, std::size_t i, std::size_t count) {
    law.moments(order + i, out + i, count, given_alive);
  });
}
void law_scales(const double* order, const LawSpec* specs, double* out, std::size_t n,
                bool given_alive) {
  each_law(specs, n, [&](const GainLaw& law, std::size_t i, std::size_t count) {
    law.scales(order + i, out + i, count, given_alive);
  });
}
void law_log_means(const LawSpec* specs, double* out, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = i > 0 && specs[i] == specs[i - 1] ? out[i - 1] : GainLaw(specs[i]).log_mean();
}
void law_log_vars(const LawSpec* specs, double* out, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = i > 0 && specs[i] == specs[i - 1] ? out[i - 1] : GainLaw(specs[i]).log_var();
}

void chi_moments(const double* width, const double* order, double* out, std::size_t n) {
  kernels().chi_moments(width, order, out, n);
}

}  // namespace fracmoment
