// Every moment as exp(log) * factor: the logarithm carries the size, the factor what is summed.
//
// Three kinds of law share this form:
//   chi       2^p Gamma(d/2+p)/Gamma(d/2)                              (linear)
//   mixture   sum_n b(n) 2^p Gamma(n/2+p)/Gamma(n/2), n live units     (ReLU, linear with dropout;
//             narrow layers or few live units)
//   mellin    the rule of mellin.hpp                                   (all others)
//   interpolated  the polynomial of interpolation.hpp                  (the same, high orders)
// p = s/2, s the order. The ratio laws divide by the chi moment of the width. Evaluation is on
// lanes of orders; `Full` keeps 2^-95 throughout (for logarithms of moments near 1), otherwise
// the result is good to 2^-60 and rounds to within 0.52 ulp.
#pragma once

#include "fracmoment/gains/interpolation.hpp"
#include "fracmoment/gains/mellin.hpp"
#include "fracmoment/gains/single_unit.hpp"
#include "fracmoment/special/log_gamma.hpp"

namespace fracmoment {

// one: R = 1; none: only a single unit; interpolated: of rules only
enum class LawKind { one, none, chi, mixture, mellin, interpolated };

// The law of the number n of live units: b(n) and 1/n for n = 1, ..., count.
struct MixtureRule {
  std::int64_t count = 0;
  const double *hi = nullptr, *lo = nullptr;
  const double *inverse_hi = nullptr, *inverse_lo = nullptr;
};

struct MellinRule {
  MellinPlan plan;
  std::int64_t count = 0;
  const double *hi = nullptr, *lo = nullptr;
  MellinEnds ends;
  Real constant{1.0};  // h m! k!
};

struct LawState {
  LawKind kind = LawKind::chi;
  double width = 1.0;
  bool ratio = false;                     // orthogonal weights
  Real log_factor{0.0};                   // of R: the largest slope, over keep_prob if inverted
  Real gamma_log{0.0}, gamma_shift{1.0};  // Gamma(d/2) = exp(log)/shift
  Real log_alive{0.0};                    // log P(R > 0) if the moment is to be given R > 0
  MixtureRule mixture;
  MellinRule mellin;
  const MomentInterpolation* interpolation = nullptr;
  const SingleUnit* single = nullptr;  // one live unit, where it is left out of the rule
  double most_loss = 0x1p26;           // sums of complex orders may cancel by that: see law.cpp
};

inline namespace FRACMOMENT_ISA {

template <class V>
struct LogForm {
  DD<V> log, factor;
};

template <bool Full, class V>
FRACMOMENT_INLINE LogForm<V> chi_form(const LawState& law, V order) {
  const V half = splat<V>(0.5);
  const DD<V> z = scale_by(two_sum(splat<V>(law.width), order), half);
  const Gamma<V> top = gamma_parts<Full>(z);
  return {top.log - splat<V>(law.gamma_log) + splat<V>(constant(4)) * order,
          splat<V>(law.gamma_shift) / top.shift};
}

// sum_{i<n} w_i x^i + rest x^n, all w_i >= 0, rest >= 0, x > 0, in eight interleaved chains.
template <class V>
FRACMOMENT_INLINE Pair<V> positive_polynomial(const double* hi, const double* lo, std::int64_t n,
                                              const Pair<V>& rest, const Pair<V>& x) {
  constexpr int chains = 8;
  const Pair<V> x2 = x * x, x4 = x2 * x2, x8 = x4 * x4;
  Pair<V> a[chains];
  std::int64_t i = n / chains * chains;
  for (int j = 0; j < chains; ++j) {
    a[j] = {V{}, V{}};
    if (i + j < n) a[j] = {splat<V>(hi[i + j]), splat<V>(lo[i + j])};
    if (i + j == n) a[j] = rest;
  }
  while ((i -= chains) >= 0)
    for (int j = 0; j < chains; ++j)
      a[j] = a[j] * x8 + Pair<V>{splat<V>(hi[i + j]), splat<V>(lo[i + j])};
  for (int j = 0; j < chains; j += 2) a[j] = a[j + 1] * x + a[j];
  return ((a[6] * x2 + a[4]) * x4) + (a[2] * x2 + a[0]);
}

template <bool Full, class V>
FRACMOMENT_INLINE LogForm<V> mixture_form(const MixtureRule& rule, V order) {
  // even n: Gamma(1+p) sum b(2j) prod (i+p)/i; odd n: Gamma(1/2+p)/Gamma(1/2) sum b(2j+1) prod ...;
  // each step down multiplies by (n+s)/n
  const auto step_down = [&](Pair<V>& sum, std::int64_t n) {
    const Pair<V> inverse{splat<V>(rule.inverse_hi[n - 1]), splat<V>(rule.inverse_lo[n - 1])};
    const Pair<V> step = Pair<V>(two_sum(splat<V>(double(n)), order)) * inverse;
    sum = sum * step + Pair<V>{splat<V>(rule.hi[n - 1]), splat<V>(rule.lo[n - 1])};
  };
  Pair<V> even_sum{V{}, V{}}, odd_sum{V{}, V{}};
  std::int64_t n = rule.count;
  if (n % 2 == 1) step_down(odd_sum, n--);
  for (; n > 0; n -= 2) {
    step_down(even_sum, n);
    step_down(odd_sum, n - 1);
  }
  const V half = splat<V>(0.5);
  const Gamma<V> even = gamma_parts<Full>(scale_by(two_sum(splat<V>(2.0), order), half));
  const Gamma<V> odd = gamma_parts<Full>(scale_by(two_sum(splat<V>(1.0), order), half));
  const DD<V> ratio = exp(odd.log - even.log) * splat<V>(constant(3)) / odd.shift;
  return {even.log + splat<V>(constant(4)) * order,
          normalized(even_sum) / even.shift + normalized(odd_sum) * ratio};
}

// The layers with one live unit; the ratio law of a layer of one unit has no chi moment.
template <bool Full, class V>
FRACMOMENT_INLINE LogForm<V> single_form(const SingleUnit& unit, V order, bool with_chi) {
  const DD<V> size = slope_size(unit, order), slopes = slope_moment(unit, order, size);
  const DD<V> log = splat<V>(unit.log_weight) + size;
  if (!with_chi) return {log, slopes};
  const Gamma<V> g = gamma_parts<Full>(scale_by(two_sum(splat<V>(1.0), order), splat<V>(0.5)));
  return {log + g.log + splat<V>(constant(4)) * order, slopes * splat<V>(constant(3)) / g.shift};
}

// The sum of all weights times z^i, i = 0 at v_first.
template <class V>
FRACMOMENT_INLINE DD<V> mellin_sum(const MellinRule& rule, const Pair<V>& z) {
  const EndSum &left = rule.ends.left, &right = rule.ends.right;
  const Pair<V> none{V{}, V{}};
  Pair<V> sum = positive_polynomial(rule.hi, rule.lo, rule.count,
                                    right.count > 0 ? end_sum(right, z) : none, z);
  if (left.count > 0) {
    const Pair<V> back = reciprocal(z);
    sum = sum + back * end_sum(left, back);
  }
  return normalized(sum);
}

template <bool Full, class V>
FRACMOMENT_INLINE LogForm<V> mellin_form(const LawState& law, V order) {
  const MellinPlan& plan = law.mellin.plan;
  const V half = splat<V>(0.5), p = order * half;  // exact
  const DD<V> from = two_sum(p, splat<V>(-plan.p0));
  const Scaled<V> zs = exp_scaled<true>(from * splat<V>(-plan.h));
  const DD<V> z = scale_wide(zs.mantissa, zs.exponent);
  const DD<V> sum = mellin_sum(law.mellin, Pair<V>(z));
  const double reference = double(plan.reference) * plan.h, first = double(plan.first) * plan.h;
  const Gamma<V> g = gamma_parts<Full>(two_sum(splat<V>(double(plan.m)), -p));
  DD<V> log_value =
      -(two_prod(p, splat<V>(reference)) + from * splat<V>(first - reference) + g.log);
  DD<V> factor = sum * splat<V>(law.mellin.constant) * g.shift;
  const DD<V> dof = scale_by(two_sum(splat<V>(law.width), order), half);  // d/2 + p
  if (plan.k > 0 && law.ratio) {  // divided by the chi moment, which may be infinite
    const Gamma<V> e = gamma_parts<Full>(dof + splat<V>(double(plan.k)));
    log_value = log_value + splat<V>(law.gamma_log) - e.log - splat<V>(constant(4)) * order;
    factor = factor * e.shift / splat<V>(law.gamma_shift);
  } else if (plan.k > 0) {
    DD<V> rising = dof;
    for (int i = 1; i < plan.k; ++i) rising = rising * (dof + splat<V>(double(i)));
    factor = factor / rising;
  }
  return {log_value, factor};
}

template <bool Full, class V>
FRACMOMENT_INLINE LogForm<V> interpolated_form(const MomentInterpolation& rule, V order) {
  const DD<V> x = two_sum(order * splat<V>(0.5), splat<V>(-double(rule.centre)));
  const Real z = two_sum(rule.shape, double(rule.centre));
  const Gamma<V> top = gamma_parts<Full>(splat<V>(z) + x);
  const Real exponent = log_two() * double(rule.exponent);
  const DD<V> log = splat<V>(exponent + rule.log_beta) * x - splat<V>(rule.gamma_log) + top.log +
                    splat<V>(exponent * double(rule.centre));
  return {log, newton_polynomial(rule, x) * splat<V>(rule.size) / top.shift};
}

template <bool Full, class V>
FRACMOMENT_INLINE LogForm<V> log_form(const LawState& law, V order) {
  LogForm<V> r{DD<V>{}, DD<V>(splat<V>(law.kind == LawKind::one ? 1.0 : 0.0))};
  if (law.kind == LawKind::chi) {
    r = chi_form<Full>(law, order);
  } else if (law.kind == LawKind::mixture) {
    r = mixture_form<Full>(law.mixture, order);
  } else if (law.kind == LawKind::mellin) {
    r = mellin_form<Full>(law, order);
  } else if (law.kind == LawKind::interpolated) {
    r = interpolated_form<Full>(*law.interpolation, order);
  }
  if (law.kind == LawKind::none) {
    r = single_form<Full>(*law.single, order, !law.ratio);
  } else if (law.single != nullptr) {
    const LogForm<V> one = single_form<Full>(*law.single, order, true);
    r.factor = r.factor + one.factor * exp(one.log - r.log);
  }
  const bool divide = law.kind == LawKind::mixture || law.kind == LawKind::interpolated ||
                      (law.kind == LawKind::mellin && law.mellin.plan.k == 0);
  if (law.ratio && divide) {  // by the chi moment
    const Gamma<V> top =
        gamma_parts<Full>(scale_by(two_sum(splat<V>(law.width), order), splat<V>(0.5)));
    r.log = r.log - top.log + splat<V>(law.gamma_log) - splat<V>(constant(4)) * order;
    r.factor = r.factor * top.shift / splat<V>(law.gamma_shift);
  }
  r.log = r.log + splat<V>(law.log_factor) * order - splat<V>(law.log_alive);
  return r;
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
