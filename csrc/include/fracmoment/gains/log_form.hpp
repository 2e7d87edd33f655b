// Every moment as exp(log) * factor: the logarithm carries the size, the factor what is summed.
//
// Three kinds of law share this form:
//   chi       2^p Gamma(d/2+p)/Gamma(d/2)                              (linear)
//   mixture   sum_n b(n) 2^p Gamma(n/2+p)/Gamma(n/2), n live units     (ReLU, linear with dropout;
//             narrow layers or few live units)
//   mellin    the rule of mellin.hpp                                   (all others)
// p = s/2, s the order. The ratio laws divide by the chi moment of the width. Evaluation is on
// lanes of orders; `Full` keeps 2^-95 throughout (for logarithms of moments near 1), otherwise
// the result is good to 2^-60 and rounds to within 0.52 ulp.
#pragma once

#include "fracmoment/gains/mellin.hpp"
#include "fracmoment/special/log_gamma.hpp"

namespace fracmoment {

enum class LawKind { one, none, chi, mixture, mellin };  // one: R = 1; none: only a single unit

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
  Real log_constant{0.0};  // log(h m! k!)
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
  // With one live unit left out of the rule: log of its weight, and the law of its b
  const UnitLaw* single = nullptr;
  Real log_single{0.0};
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

// sum_{i<n} w_i x^i + rest x^n, all w_i >= 0, rest >= 0, x > 0, in four interleaved chains.
template <class V>
FRACMOMENT_INLINE DD<V> positive_polynomial(const double* hi, const double* lo, std::int64_t n,
                                            const DD<V>& rest, const DD<V>& x) {
  const DD<V> x2 = x * x, x4 = x2 * x2;
  DD<V> a0{}, a1{}, a2{}, a3{};
  const auto coefficient = [&](std::int64_t i) {
    if (i < n) return DD<V>(splat<V>(hi[i]), splat<V>(lo[i]));
    return i == n ? rest : DD<V>{};
  };
  for (std::int64_t i = n / 4 * 4; i >= 0; i -= 4) {
    a0 = add_positive(a0 * x4, coefficient(i));
    a1 = add_positive(a1 * x4, coefficient(i + 1));
    a2 = add_positive(a2 * x4, coefficient(i + 2));
    a3 = add_positive(a3 * x4, coefficient(i + 3));
  }
  return add_positive(add_positive(a3 * x, a2) * x2, add_positive(a1 * x, a0));
}

// Gamma(z) itself, where it is in range.
template <bool Full, class V>
FRACMOMENT_INLINE DD<V> gamma_value(const DD<V>& z) {
  const Gamma<V> g = gamma_parts<Full>(z);
  const Scaled<V> e = exp_scaled<Full>(clamp_exponent(g.log));
  return scale_wide(e.mantissa / g.shift, e.exponent);
}

// Gamma((1+s)/2)/sqrt(pi): the chi moment of one unit over 2^p.
template <bool Full, class V>
FRACMOMENT_INLINE DD<V> single_gamma(V order) {
  return gamma_value<Full>(scale_by(two_sum(splat<V>(1.0), order), splat<V>(0.5))) *
         splat<V>(constant(3));
}

template <bool Full, class V>
FRACMOMENT_INLINE LogForm<V> mixture_form(const MixtureRule& rule, V order) {
  // even n: Gamma(1+p) sum b(2j) prod (i+p)/i; odd n: Gamma(1/2+p)/Gamma(1/2) sum b(2j+1) prod ...;
  // each step down multiplies by (n+s)/n
  DD<V> part[2] = {};
  for (std::int64_t n = rule.count; n >= 1; --n) {
    DD<V>& acc = part[n & 1];
    const DD<V> step = two_sum(splat<V>(double(n)), order) *
                       DD<V>(splat<V>(rule.inverse_hi[n - 1]), splat<V>(rule.inverse_lo[n - 1]));
    acc = add_positive(acc * step, DD<V>(splat<V>(rule.hi[n - 1]), splat<V>(rule.lo[n - 1])));
  }
  const V half = splat<V>(0.5);
  const Gamma<V> even = gamma_parts<Full>(scale_by(two_sum(splat<V>(2.0), order), half));
  const Gamma<V> odd = gamma_parts<Full>(scale_by(two_sum(splat<V>(1.0), order), half));
  const DD<V> ratio = exp(odd.log - even.log) * splat<V>(constant(3)) / odd.shift;
  return {even.log + splat<V>(constant(4)) * order, part[0] / even.shift + part[1] * ratio};
}

// int |a|^s da over the uniform slopes: (|u|^(s+1) -+ |l|^(s+1))/(s+1). The difference for l > 0 is
// u^(s+1) (1 - (l/u)^(s+1)), which is log(u/l) at s = -1.
template <class V>
FRACMOMENT_INLINE DD<V> slope_power_integral(const UnitLaw& unit, V order) {
  const DD<V> next = two_sum(order, splat<V>(1.0));
  const DD<V> high = exp(splat<V>(log(unit.upper)) * next);
  if (unit.lower.hi <= 0.0) {
    if (unit.lower.hi == 0.0) return high / next;
    return (high + exp(splat<V>(log(-unit.lower)) * next)) / next;
  }
  const DD<V> log_ratio = splat<V>(log(unit.upper / unit.lower));
  const MaskOf<V> zero = next.hi == 0.0;
  const DD<V> divisor = select(zero, DD<V>(splat<V>(1.0)), next);
  return high * select(zero, log_ratio, -expm1(-(next * log_ratio)) / divisor);
}

// Of one unit: E b^p times the chi moment Gamma(1/2+p) 2^p/sqrt(pi), which the ratio law of a layer
// of one unit does without.
template <bool Full, class V>
FRACMOMENT_INLINE DD<V> single_unit_moment(const UnitLaw& unit, V order, bool with_chi) {
  const V half = splat<V>(0.5);
  DD<V> slopes{};
  for (int i = 0; i < unit.points; ++i)
    slopes = slopes + splat<V>(unit.weight[i]) * exp(splat<V>(log(unit.point[i])) * (order * half));
  if (unit.uniform) {
    const DD<V> span = splat<V>(unit.upper - unit.lower);
    slopes = slopes + splat<V>(unit.uniform_weight) * slope_power_integral(unit, order) / span;
  }
  if (!with_chi) return slopes;
  return slopes * single_gamma<Full>(order) * exp(splat<V>(constant(4)) * order);
}

// The sum of all weights times z^i, i = 0 at v_first.
template <class V>
FRACMOMENT_INLINE DD<V> mellin_sum(const MellinRule& rule, const DD<V>& z) {
  const EndSum &left = rule.ends.left, &right = rule.ends.right;
  DD<V> sum = positive_polynomial(rule.hi, rule.lo, rule.count,
                                  right.count > 0 ? end_sum(right, z) : DD<V>{}, z);
  if (left.count > 0) {
    const DD<V> back = DD<V>(splat<V>(1.0)) / z;
    sum = add_positive(sum, back * end_sum(left, back));
  }
  return sum;
}

template <bool Full, class V>
FRACMOMENT_INLINE LogForm<V> mellin_form(const LawState& law, V order) {
  const MellinPlan& plan = law.mellin.plan;
  const V half = splat<V>(0.5), p = order * half;  // exact
  const DD<V> from = two_sum(p, splat<V>(-plan.p0));
  const Scaled<V> zs = exp_scaled<true>(from * splat<V>(-plan.h));
  const DD<V> z = scale_wide(zs.mantissa, zs.exponent);
  const DD<V> sum = mellin_sum(law.mellin, z);
  const double reference = double(plan.reference) * plan.h, first = double(plan.first) * plan.h;
  const Gamma<V> g = gamma_parts<Full>(two_sum(splat<V>(double(plan.m)), -p));
  DD<V> log_value = splat<V>(law.mellin.log_constant) - two_prod(p, splat<V>(reference)) -
                    from * splat<V>(first - reference) - g.log;
  DD<V> factor = sum * g.shift;
  const DD<V> dof = scale_by(two_sum(splat<V>(law.width), order), half);  // d/2 + p
  if (law.ratio) {
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
FRACMOMENT_INLINE LogForm<V> log_form(const LawState& law, V order) {
  LogForm<V> r{DD<V>{}, DD<V>(splat<V>(law.kind == LawKind::one ? 1.0 : 0.0))};
  if (law.kind == LawKind::chi) {
    r = chi_form<Full>(law, order);
  } else if (law.kind == LawKind::mixture) {
    r = mixture_form<Full>(law.mixture, order);
  } else if (law.kind == LawKind::mellin) {
    r = mellin_form<Full>(law, order);
  }
  const bool lone = law.kind == LawKind::none && law.ratio;
  const bool divide = law.ratio && !lone && (law.kind == LawKind::mixture || law.single != nullptr);
  LogForm<V> chi{};
  if (divide) chi = chi_form<Full>(law, order);
  if (law.single != nullptr) {
    DD<V> one = single_unit_moment<Full>(*law.single, order, !lone);
    DD<V> log_one = splat<V>(law.log_single) - r.log;
    if (divide) {
      log_one = log_one - chi.log;
      one = one / chi.factor;
    }
    r.factor = r.factor + one * exp(log_one);
  } else if (divide) {
    r.log = r.log - chi.log;
    r.factor = r.factor / chi.factor;
  }
  r.log = r.log + splat<V>(law.log_factor) * order - splat<V>(law.log_alive);
  return r;
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
