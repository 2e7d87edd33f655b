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
  Real log_least{0.0};  // of the smallest b, or 0 if it is 0

  SingleUnit() = default;
  SingleUnit(const UnitLaw& unit, const Real& log_of_weight);
};

inline namespace FRACMOMENT_ISA {

// log of what moments are relative to, so that they stay in range: for negative orders the smallest
// slope to the power of the order.
template <class V>
FRACMOMENT_INLINE DD<V> slope_size(const SingleUnit& unit, V order) {
  if (unit.log_least.hi == 0.0) return DD<V>{};
  const V p = select(order < 0.0, order * splat<V>(0.5), V{});
  return splat<V>(unit.log_least) * p;
}

// exp(log x * power - size); log 1 is exact.
template <class V>
FRACMOMENT_INLINE DD<V> power_of(const DD<V>& log_x, const DD<V>& power, const DD<V>& size) {
  return exp(log_x * power - size);
}

// int |a|^s da over the uniform slopes, over exp(size): (|u|^(s+1) -+ |l|^(s+1))/(s+1). The
// difference for l > 0 is m^(s+1) (1 - (l/u)^|s+1|)/|s+1| with m the end where the power is larger,
// and log(u/l) at s = -1.
template <class V>
FRACMOMENT_INLINE DD<V> slope_power_integral(const SingleUnit& unit, V order, const DD<V>& size) {
  const DD<V> next = two_sum(order, splat<V>(1.0)), upper = splat<V>(unit.log_upper);
  if (unit.sign == 0.0) return power_of(upper, next, size) / next;
  const DD<V> lower = splat<V>(unit.log_lower);
  if (unit.sign < 0.0) return (power_of(upper, next, size) + power_of(lower, next, size)) / next;
  const DD<V> log_ratio = splat<V>(unit.log_ratio);
  const MaskOf<V> zero = next.hi == 0.0, negative = next.hi < 0.0;
  const DD<V> distance = select(negative, -next, next);
  const DD<V> divisor = select(zero, DD<V>(splat<V>(1.0)), distance);
  const DD<V> largest = power_of(select(negative, lower, upper), next, size);
  return largest * select(zero, log_ratio, -expm1(-(distance * log_ratio)) / divisor);
}

// E b^p over the slopes, p = order/2, over exp(size).
template <class V>
FRACMOMENT_INLINE DD<V> slope_moment(const SingleUnit& unit, V order, const DD<V>& size) {
  DD<V> sum{};
  const DD<V> p(order * splat<V>(0.5));
  for (int i = 0; i < unit.points; ++i) {
    const bool one = unit.log_point[i].hi == 0.0 && unit.log_least.hi == 0.0;
    const DD<V> weight = splat<V>(unit.weight[i]);
    sum = sum + (one ? weight : weight * power_of(splat<V>(unit.log_point[i]), p, size));
  }
  if (unit.uniform) sum = sum + splat<V>(unit.density) * slope_power_integral(unit, order, size);
  return sum;
}

}  // namespace FRACMOMENT_ISA

}  // namespace fracmoment
