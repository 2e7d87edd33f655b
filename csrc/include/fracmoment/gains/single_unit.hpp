// One live unit: its share of a moment, in closed form.
//
// E |a|^s, a the slope, times E |z|^s = 2^(s/2) Gamma((1+s)/2)/sqrt(pi), which has the pole at
// s = -1. A layer of one unit is nothing else; of wider ones with an atom it is the part that
// decays most slowly in a Mellin rule, which leaves it out for orders near -1.
#pragma once

#include "fracmoment/gains/unit.hpp"
#include "fracmoment/special/log_gamma.hpp"

namespace fracmoment {

struct SingleUnit {
  static constexpr int kMostPoints = 17;

  Real log_weight{0.0};  // of the layers with one live unit: log(d dead^(d-1))
  int points = 0;        // E b^p = sum weight exp(p log_point) + the integral over uniform slopes
  Real weight[kMostPoints], log_point[kMostPoints];
  bool uniform = false;
  double sign = 0.0;                                                  // of the lower end
  Real density{0.0}, log_upper{0.0}, log_lower{0.0}, log_ratio{0.0};  // of absolute values

  SingleUnit() = default;
  SingleUnit(const UnitLaw& unit, const Real& log_of_weight);
};

inline namespace FRACMOMENT_ISA {

// exp(log x * power); log 1 is exact.
template <class V>
FRACMOMENT_INLINE DD<V> power_of(const Real& log_x, const DD<V>& power) {
  if (log_x.hi == 0.0) return DD<V>(splat<V>(1.0));
  return exp(splat<V>(log_x) * power);
}

// int |a|^s da over the uniform slopes: (|u|^(s+1) -+ |l|^(s+1))/(s+1). The difference for l > 0 is
// u^(s+1) (1 - (l/u)^(s+1)), which is log(u/l) at s = -1.
template <class V>
FRACMOMENT_INLINE DD<V> slope_power_integral(const SingleUnit& unit, V order) {
  const DD<V> next = two_sum(order, splat<V>(1.0)), high = power_of(unit.log_upper, next);
  if (unit.sign == 0.0) return high / next;
  if (unit.sign < 0.0) return (high + power_of(unit.log_lower, next)) / next;
  const DD<V> log_ratio = splat<V>(unit.log_ratio);
  const MaskOf<V> zero = next.hi == 0.0;
  const DD<V> divisor = select(zero, DD<V>(splat<V>(1.0)), next);
  return high * select(zero, log_ratio, -expm1(-(next * log_ratio)) / divisor);
}

// E b^p over the slopes, p = order/2.
template <class V>
FRACMOMENT_INLINE DD<V> slope_moment(const SingleUnit& unit, V order) {
  DD<V> sum{};
  const DD<V> p(order * splat<V>(0.5));
  for (int i = 0; i < unit.points; ++i)
    sum = sum + splat<V>(unit.weight[i]) * power_of(unit.log_point[i], p);
  if (unit.uniform) sum = sum + splat<V>(unit.density) * slope_power_integral(unit, order);
  return sum;
}

}  // namespace FRACMOMENT_ISA

}  // namespace fracmoment
