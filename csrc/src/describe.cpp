// From the parameters of a layer to the law of one unit.
#include <algorithm>
#include <cmath>

#include "fracmoment/gains/rules.hpp"

namespace fracmoment {
namespace {

void add_point(UnitLaw& unit, const Real& b, const Real& weight) {
  unit.point[unit.points] = b;
  unit.weight[unit.points] = weight;
  ++unit.points;
}

}  // namespace

Description describe(const LawSpec& spec, bool exact_slopes) {
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
  } else if (!exact_slopes && lower > 0.0 && upper - lower < 1e-3 * upper) {
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

SingleUnit::SingleUnit(const UnitLaw& unit, const Real& log_of_weight)
    : log_weight(log_of_weight), points(unit.points), uniform(unit.uniform) {
  const auto log_of = [](const Real& x) {
    return x.hi == 1.0 && x.lo == 0.0 ? Real(0.0) : log(x.hi < 0.0 ? -x : x);
  };
  for (int i = 0; i < points; ++i) {
    weight[i] = unit.weight[i];
    log_point[i] = log_of(unit.point[i]);
    if (log_point[i].hi < log_least.hi) log_least = log_point[i];
  }
  if (!uniform) return;
  density = unit.uniform_weight / (unit.upper - unit.lower);
  log_upper = log_of(unit.upper);
  if (unit.lower.hi <= 0.0) log_least = Real(0.0);
  if (unit.lower.hi == 0.0) return;
  sign = unit.lower.hi < 0.0 ? -1.0 : 1.0;
  log_lower = log_of(unit.lower);
  if (sign < 0.0) return;
  log_ratio = log(unit.upper / unit.lower);
  const Real smallest = scale_by(log_lower, 2.0);
  if (smallest.hi < log_least.hi) log_least = smallest;
}

UnitLaw with_points(const UnitLaw& unit, int raised) {
  UnitLaw r = unit;
  if (!unit.uniform) return r;
  r.uniform = false;
  const Real span = log(unit.upper / unit.lower);
  // raised degrees of freedom bring powers of A up to A^(-2 raised), of which about A^(-1.2 raised)
  // where it counts: over a panel of length 9.5/raised the 16 nodes err by 1e-19
  const double longest = std::min(1.2, 9.5 / raised);
  const int panels = std::max(1, int(std::ceil(std::min(100.0, span.hi / longest))));
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

double smallest_scale(const UnitLaw& unit, bool exactly) {
  double b = 1.0;
  for (int i = 0; i < unit.points; ++i) b = std::min(b, unit.point[i].hi);
  if (unit.uniform) {
    const double low = exactly ? unit.lower.hi : std::max(unit.lower.hi, 0.01 * unit.upper.hi);
    b = std::min(b, low * low);
  }
  return b;
}

}  // namespace fracmoment
