// Gamma(z) = exp(log)/shift for real z > 0: Stirling's series above a start, the recurrence below.
//
// The truncated series errs by less than its first omitted term, 2.2e-22 at 10; if Full, 3e-30 at
// 14 (differences over short steps are then divided by the step, so that the jump where the number
// of shifts changes matters). Rounding adds 2^-97 of max(1, |z log z|) if Full, else 2^-68 more.
// The shift is left as a factor: a ratio of gamma functions then needs one exponential and no
// further logarithm.
#pragma once

#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

template <class V>
struct Gamma {
  DD<V> log, shift;
};

template <bool Full>
constexpr double kStirlingStart = Full ? 14.0 : 10.0;
template <bool Full>
constexpr int kStirlingTerms = Full ? 19 : 13;

// sum_{n>=1} B_2n / (2n (2n-1) z^(2n-1)) for z >= kStirlingStart.
template <bool Full, class V>
FRACMOMENT_INLINE DD<V> stirling_series(const DD<V>& z) {
  using tables::kStirlingHi;
  constexpr int exact = Full ? 3 : 1;
  const DD<V> u = DD<V>(splat<V>(1.0)) / z;
  const V q = u.hi * u.hi;
  V tail = splat<V>(kStirlingHi[kStirlingTerms<Full> - 1]);
  for (int n = kStirlingTerms<Full> - 2; n >= exact; --n) tail = tail * q + kStirlingHi[n];
  if constexpr (!Full) {
    const DD<V> lead = u * splat<V>(table_entry(kStirlingHi, tables::kStirlingLo, 0));
    return fast_two_sum(lead.hi, lead.lo + u.hi * (q * tail));
  } else {
    const DD<V> square = u * u;
    DD<V> sum = DD<V>(tail);
    for (int n = exact - 1; n >= 0; --n)
      sum = sum * square + splat<V>(table_entry(kStirlingHi, tables::kStirlingLo, n));
    return sum * u;
  }
}

// Moves z beyond the start n of Stirling's series, n steps up from below it. Returns the product of
// the factors passed, z (z+1) ... (z+n-1), two by two: (z+k)(z+n-1-k) = z (z+n-1) + k (n-1-k).
template <bool Full, class V>
FRACMOMENT_INLINE DD<V> shift_up(DD<V>& z) {
  constexpr int n = int(kStirlingStart<Full>);
  static_assert(n % 2 == 0, "factors go in pairs");
  const MaskOf<V> below = z.hi < double(n);
  const DD<V> one(splat<V>(1.0));
  if (!any(below)) return one;
  const DD<V> square = z * (z + splat<V>(n - 1.0));
  DD<V> product = square;
  for (int k = 1; k < n / 2; ++k) product = product * (square + splat<V>(double(k * (n - 1 - k))));
  z = select(below, z + splat<V>(double(n)), z);
  return select(below, product, one);
}
template <class V>
FRACMOMENT_INLINE DD<V> stirling(const DD<V>& z, const DD<V>& log_z, const DD<V>& series) {
  return (z + splat<V>(-0.5)) * log_z - z + (series + splat<V>(half_log_two_pi()));
}

template <bool Full, class V>
FRACMOMENT_INLINE Gamma<V> gamma_parts(DD<V> z) {
  const DD<V> shift = shift_up<Full>(z);
  return {stirling(z, log(z), stirling_series<Full>(z)), shift};
}

// log Gamma(z), z > 0, with one logarithm more where a shift was needed.
template <class V>
FRACMOMENT_INLINE DD<V> log_gamma(const DD<V>& z) {
  const Gamma<V> g = gamma_parts<true>(z);
  return g.log - log(g.shift);
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
