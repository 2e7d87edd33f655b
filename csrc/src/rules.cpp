// How the rules of a law are chosen and filled.
#include "fracmoment/gains/rules.hpp"

#include <algorithm>
#include <cmath>

#include "fracmoment/kernels.hpp"

namespace fracmoment {
namespace {

constexpr double kTarget = 42.0;  // errors below exp(-target), for real orders
constexpr int kLeftRates = 8, kTailLevels = 7;
constexpr double kMostEnlarged = 3000.0, kFewLive = 6.0;
constexpr int kFirstInterpolated = 3, kLastInterpolated = 70;

// floor(log2 x), exactly.
int binary_exponent(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  return exponent - 1;
}

// log |Gamma(c+iw)/Gamma(c)| by Stirling's leading terms, angle = atan(w/c).
double log_gamma_decay(double c, double w, double angle) {
  return 0.5 * (c - 0.5) * rough_log(1.0 + (w / c) * (w / c)) - w * angle;
}

// The largest step, a multiple of 1/256, whose aliasing error is below exp(-target) of the sum of
// the moduli of the terms: w solves log_gamma_decay(c, w) + log_gamma_decay(e, w) = -target; the
// slope is nearly -atan(w/c) - atan(w/e). An imaginary part brings the first alias nearer.
double trapezoid_step(double c, double e, double target, double imaginary) {
  double w = 0.8 * target;
  for (int i = 0; i < 8; ++i) {
    const double angle_c = rough_arctangent(w / c), angle_e = rough_arctangent(w / e);
    const double excess = log_gamma_decay(c, w, angle_c) + log_gamma_decay(e, w, angle_e) + target;
    w = std::max(1.0, w + excess / (angle_c + angle_e));
    if (std::abs(excess) < 0.3) break;  // the step just taken leaves its square, below 0.001
  }
  w += 0.05 + imaginary;
  return std::max(1.0, std::floor(256.0 * 6.283185307179586 / w)) / 256.0;
}

Real reciprocal(double n) { return n < 128.0 ? inverse_integer(int(n)) : Real(1.0) / Real(n); }

Real factorial(int n) {
  Real product{1.0};
  for (int i = 2; i <= n; ++i) product = product * double(i);
  return product;
}

// The weights that the sums beyond the ends stand for are left out.
void set_rule(Rule& rule, const MellinPlan& plan, const MellinEnds& ends) {
  MellinRule& m = rule.state.mellin;
  m.plan = plan;
  m.plan.first += ends.left.count;
  m.ends = ends;
  m.count = std::int64_t(rule.hi.size()) - ends.left.count - ends.right.count;
  m.hi = rule.hi.data() + ends.left.count;
  m.lo = rule.lo.data() + ends.left.count;
  m.constant = factorial(plan.m) * factorial(plan.k) * plan.h;
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
    MellinEnds ends;
    const std::int64_t count =
        weights(*rule.unit, plan, rule.hi.data(), rule.lo.data(), capacity, ends);
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
    set_rule(rule, plan, ends);
    return;
  }
  throw ConvergenceError("no rule in double-double: the integral needs too many nodes");
}

}  // namespace

void Rule::log_moments(const double* order, std::size_t n, Real* out) const {
  bool known = !serves_zero;
  if (!known) {
    const std::lock_guard<std::mutex> lock(guard_);
    known = knows_zero_;
  }
  if (known) {
    kernels().log_moments(state, order, out, n);
    return;
  }
  std::vector<double> with_zero(order, order + n);
  with_zero.push_back(0.0);
  std::vector<Real> log(n + 1);
  kernels().log_moments(state, with_zero.data(), log.data(), n + 1);
  std::copy_n(log.begin(), n, out);
  const std::lock_guard<std::mutex> lock(guard_);
  if (!knows_zero_) log_at_zero_ = log[n];  // other threads may be reading it
  knows_zero_ = true;
}

RuleBook::RuleBook(const LawSpec& s) : spec(s), law(describe(s)) {
  base.kind = law.kind;
  base.width = double(spec.width);
  base.ratio = spec.orthogonal;
  if (law.factor.hi != 1.0 || law.factor.lo != 0.0) base.log_factor = log(law.factor);
  if (law.kind == LawKind::chi || base.ratio) {
    const Gamma<double> g = gamma_parts<true>(Real(0.5 * base.width));
    base.gamma_log = g.log;
    base.gamma_shift = g.shift;
  }
  if (law.atom) {
    log_dead = log1p(Real(-law.live));
    const Real power = log_dead_power();  // log P(R = 0)
    log_alive = power.hi < -0.7 ? log1p(-exp(power)) : log(-expm1(power));
  }
}

int RuleBook::bucket(double order) const {
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
RuleBook::Range RuleBook::range(int key) const {
  if (key == kTight) return {0.0, 0.0};
  if (law.atom && key == -2) return {-0.5, -0.2};
  if (law.atom && key == -1) return {-0.2, 0.0};
  if (key <= kEdge) {
    const double distance = std::ldexp(1.0, key - kEdge);
    return {distance - 0.5 * base.width, 2.0 * distance - 0.5 * base.width};
  }
  return {double(key), key + 1.0};
}

const Rule& RuleBook::rule(int key, int level) const {
  std::lock_guard<std::mutex> lock(guard_);
  std::unique_ptr<Rule>& slot = rules_[{key, level}];
  if (!slot) slot = make_rule(key, level);
  return *slot;
}

std::unique_ptr<Rule> RuleBook::make_rule(int key, int level) const {
  auto r = std::make_unique<Rule>();
  r->state = base;
  r->unit = &law.unit;
  if (law.kind == LawKind::none) {
    attach_single(*r, Real(0.0));
  } else if (law.kind == LawKind::mixture) {
    fill_mixture(*r, std::ldexp(32.0, key));
  } else if (law.kind == LawKind::mellin && (level > 0 || !interpolates(*r, key))) {
    const Range p = range(key);
    double target = key == kTight ? 62.0 : kTarget;
    if (level > 0) target = 62.0;
    const double imaginary = level > 0 ? std::ldexp(0.5, level) : 0.0;  // largest |Im p|
    make_mellin(*r, p.low, p.high, target, imaginary, law.atom && key == -2);
  }
  r->serves_zero = law.kind != LawKind::mellin || (range(key).low <= 0.0 && range(key).high >= 0.0);
  return r;
}

// Whether a polynomial between integer moments serves the orders of a bucket.
bool RuleBook::interpolates(Rule& r, int key) const {
  if (key < kFirstInterpolated || key > kLastInterpolated || !(law.live > 0x1p-300)) return false;
  r.interpolation = std::make_unique<MomentInterpolation>();
  if (!kernels().moment_interpolation(law.unit, key, *r.interpolation)) return false;
  r.state.kind = LawKind::interpolated;
  r.state.interpolation = r.interpolation.get();
  return true;
}

void RuleBook::leave_single_out(MellinPlan& plan) const {
  plan.drop_single = true;
  // d dead^(d-1); the weights of the unit's slopes add up to P(live)
  plan.log_single = log_dead * (base.width - 1.0) + log(Real(base.width));
  // P(N >= 2)/P(N = 1) <= (e^x - 1 - x)/x <= 0.72 x for x = d live/dead <= 1, and negative powers
  // are larger for one unit than for more
  const double x = base.width * law.live / (1.0 - law.live);
  if (x < 1.0) plan.log_whole = rough_log(1.0 + 1.0 / (0.72 * x));
}

void RuleBook::attach_single(Rule& r, const Real& log_weight) const {
  r.single = std::make_unique<SingleUnit>(law.unit, log_weight);
  r.state.single = r.single.get();
}

// What is known of the integrand far out (docs/algorithms/mellin.md). On the right, n live units
// bring the rate n/2, with an atom every n from 1 (or 2, if one is left out) on. A density of
// slopes at 0 brings a factor log t for each of them.
void RuleBook::set_ends(MellinPlan& plan) const {
  plan.left_rates = kLeftRates;
  const int fewest = law.atom ? (plan.drop_single ? 2 : 1) : int(std::min(base.width, 64.0));
  plan.tail_first = law.atom ? 0.5 * fewest : 0.5 * base.width + plan.k;
  plan.tail_step = law.atom ? 0.5 : 1.0;
  plan.multiplicity = law.through_zero ? 1 + fewest : 1;
  plan.multiplicity_growth = law.through_zero && law.atom ? 1 : 0;
  const double lowest = plan.tail_first + plan.p0 - plan.reach;
  // near the edge ratios are too close to 1, and fast decay needs no help
  if (lowest < 0.29 || lowest > 16.0) return;
  // Without the single unit weights are differences, whose rounding errors must not be enlarged
  // beyond what the filter looks for.
  double enlarged = 1.0, rate = lowest;
  for (int count = plan.multiplicity; count <= kMaxEnd && plan.tail_levels < kTailLevels;) {
    enlarged *= 1.0 + 1.0 / (rate * plan.h);
    if (plan.drop_single && enlarged > kMostEnlarged) break;
    rate += plan.tail_step;
    ++plan.tail_levels;
    count += plan.multiplicity + plan.tail_levels * plan.multiplicity_growth;
  }
}

// A rule for p in [low, high].
void RuleBook::make_mellin(Rule& r, double low, double high, double target, double imaginary,
                           bool drop_single) const {
  const bool ends = target == kTarget;
  MellinPlan plan;
  if (drop_single) leave_single_out(plan);
  const double half = 0.5 * base.width;
  plan.p0 = 0.5 * (low + high);
  plan.reach = 0.5 * (high - low);
  if (!(high < kMaxDerivative - 4.0))
    throw ConvergenceError("no rule in double-double for orders this high");
  // weights of great widths leave the range of doubles, wherever the reference is
  if (!(low > -2048.0)) throw ConvergenceError("no rule in double-double for orders this low");
  // a higher derivative means fewer nodes beyond the ends, but each node costs m^2; complex orders
  // and derivatives are taken without the sums beyond the ends
  plan.m = std::max(0, int(std::ceil(high)) + (ends ? 1 : (base.width < 32.0 ? 3 : 4)));
  const double need = (ends ? 0.5 : 1.0) - half - low;
  if (!law.atom && !law.through_zero && need > 0.0) {
    plan.k = int(std::ceil(need));
    if (plan.k > kMaxRaise)
      throw ConvergenceError("no rule in double-double for orders this far below -width");
    if (law.unit.uniform && plan.k > 1) {
      r.own_unit = std::make_unique<UnitLaw>(with_points(law.unit, plan.k));
      r.unit = r.own_unit.get();
      r.state.most_loss = 0x1p9;  // quadrature over the slopes errs by 2^-66
    }
    if (r.unit->points == 0)
      throw ConvergenceError("no rule in double-double for slopes of such different size");
  }
  const double c_low = plan.m - high, c_high = plan.m - low;
  plan.h = trapezoid_step(c_high, half + plan.k + high, target, imaginary);
  plan.target = target;
  plan.complex = imaginary > 0.0;
  plan.tail_exponent = law.atom ? (drop_single ? 0.5 : 0.3) : half + plan.k + low;
  // the nodes reach to v = (target + 8)/exponent; exp(v) must not overflow
  if (!(plan.tail_exponent * 600.0 > target + 8.0))
    throw ConvergenceError("no rule in double-double this close to the edge of the domain");
  // one scale's weights are largest at 2bt = c/e and decay at nearly the full rate beyond 7 times
  // that
  plan.all_decay = -rough_log(2.0 * smallest_scale(*r.unit, plan.k > 0)) + 2.0 +
                   rough_log(1.0 + c_high / plan.tail_exponent);
  if (ends) set_ends(plan);
  const double c_end = c_low + plan.left_rates;
  // the remainder of a series of left_rates terms, and by how much the sum beyond the end errs
  double front = c_end;
  for (int j = 0; j < plan.left_rates; ++j)
    front *= (j + 1.0) / std::max(1.0, (plan.left_rates - j) / (c_low + j));
  const double log_c = (c_low == 1.0 ? 0.0 : log_gamma(Real(c_low)).hi) + rough_log(front);
  const double largest = rough_log(base.width + 2.0 * std::max(high, 0.0) + 2.0 * c_end);
  const double left = (log_c - target - 2.0) / c_end - largest;
  plan.first = std::int64_t(std::floor(left / plan.h));
  plan.reference = std::int64_t(std::floor((rough_log(c_low) - largest) / plan.h));
  if (drop_single) attach_single(r, plan.log_single);
  // Each node is the difference to its part with one live unit. Where few others are left, rounding
  // errors of plain nodes would hide from the filter that their tail is known.
  const bool mostly_single = drop_single && law.through_zero && base.width * law.live < kFewLive;
  fill_mellin(r, plan, target > 50.0 || mostly_single);
}

// Where RuleBook::b(n) Gamma(n/2+p)/Gamma(n/2) is largest: its ratio over one step of n is about 1.
double RuleBook::tilted_mean(double p) const {
  const double d = base.width, q = law.live;
  double lo = 0.0, hi = d;
  for (int i = 0; i < 60 && q < 1.0; ++i) {
    const double n = 0.5 * (lo + hi);
    const double step = (d - n) * q / (n * (1.0 - q)) * std::sqrt(1.0 + 2.0 * p / n);
    (step > 1.0 ? lo : hi) = n;
  }
  return hi;
}

// Binomial weights of the number of live units, for orders up to 2 p_max, by their ratios from
// n = 0 on, or from the largest on where that would underflow.
void RuleBook::fill_mixture(Rule& r, double p_max) const {
  const double d = base.width, q = law.live, sd = std::sqrt(d * q * (1.0 - q));
  const double reach = tilted_mean(p_max) + 9.4 * sd + 42.0 + (sd < 4.0 ? 60.0 : 0.0);
  const std::size_t n = std::size_t(std::min(d, std::ceil(reach)));
  if (p_max > 32.0) {  // the moment of n live units, over that of one or two
    const Real half{0.5 * double(n) + 1.0}, p{p_max};
    const Real log_quotient = log_gamma(half + p) - log_gamma(half) - log_gamma(p + 1.0);
    if (!(log_quotient.hi < 680.0))
      throw ConvergenceError("no rule in double-double for orders this high");
  }
  for (std::vector<double>* part : {&r.hi, &r.lo, &r.inverse_hi, &r.inverse_lo}) part->resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const Real inverse = reciprocal(double(i) + 1.0);
    r.inverse_hi[i] = inverse.hi;
    r.inverse_lo[i] = inverse.lo;
  }
  const auto set = [&](std::size_t k, const Pair<double>& b) {
    if (k > 0) r.hi[k - 1] = b.hi, r.lo[k - 1] = b.lo;
  };
  const Real log_none = log_dead_power(), odds = Real(q) / two_sum(1.0, -q);
  std::size_t first = 0;
  Real start{0.0};
  if (log_none.hi > -600.0) {
    start = exp(log_none);
  } else {
    first = std::min(n, std::max<std::size_t>(1, std::size_t(std::floor((d + 1.0) * q))));
    const double k = double(first);
    const Real ways =
        log_gamma(Real(d + 1.0)) - log_gamma(Real(k + 1.0)) - log_gamma(Real(d - k + 1.0));
    start = exp(ways + log(Real(q)) * k + log_dead * (d - k));
  }
  Pair<double> b(start);
  set(first, b);
  for (std::size_t i = first; i < n; ++i) {  // the factors wait for nothing: only b is a chain
    const Pair<double> inverse{r.inverse_hi[i], r.inverse_lo[i]};
    b = b * (Pair<double>(odds) * inverse * (d - double(i)));
    set(i + 1, b);
  }
  b = Pair<double>(start);
  const Pair<double> inverse_odds(Real(1.0) / odds);
  for (std::size_t i = first; i > 1; --i) {
    b = b * (inverse_odds * Pair<double>(reciprocal(d - double(i) + 1.0)) * double(i));
    set(i - 1, b);
  }
  r.state.mixture = {std::int64_t(n), r.hi.data(), r.lo.data(), r.inverse_hi.data(),
                     r.inverse_lo.data()};
}

}  // namespace fracmoment
