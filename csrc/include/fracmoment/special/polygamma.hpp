// psi and its derivatives at real x > 0: the asymptotic series above 18, the recurrence below.
//
// psi^(m)(x) = (-1)^(m+1) [ (m-1)!/x^m + m!/(2 x^(m+1)) + sum_n B_2n (2n+m-1)!/((2n)! x^(2n+m)) ],
// for m = 0 the first term is -log x (DLMF 5.11.2, 5.15.8-9). With 18 terms the truncation error is
// below 1e-28 for m <= 8, rounding adds 2^-95 relative to the largest term.
#pragma once

#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

constexpr double kPolygammaStart = 18.0;

template <class V>
FRACMOMENT_INLINE DD<V> integer_power(const DD<V>& x, int n) {  // n >= 1
  DD<V> r = x;
  for (int i = 1; i < n; ++i) r = r * x;
  return r;
}

// (-1)^(m+1) psi^(m)(x), which is positive for m >= 1.
template <class V>
FRACMOMENT_INLINE DD<V> signed_polygamma(int m, DD<V> x) {
  const DD<V> one(splat<V>(1.0));
  double factorial = 1.0;  // m!
  for (int i = 2; i <= m; ++i) factorial *= i;
  DD<V> shifted{};
  for (int k = 0; k < int(kPolygammaStart) && any(x.hi < kPolygammaStart); ++k) {
    const MaskOf<V> below = x.hi < kPolygammaStart;
    shifted =
        select(below, shifted + DD<V>(splat<V>(factorial)) / integer_power(x, m + 1), shifted);
    x = select(below, x + splat<V>(1.0), x);
  }
  const DD<V> u = one / x, q = u * u;
  DD<V> series{};
  for (int n = 18; n >= 1; --n) {
    // (2n+m-1)!/(2n)! relative to (m-1)! (m >= 1) or to 1 (m = 0: 1/(2n))
    Real c{tables::kBernoulliHi[n], tables::kBernoulliLo[n]};
    if (m == 0) c = c / Real(2.0 * n);
    for (int i = 1; i < m; ++i) c = c * Real(2.0 * n + i) / Real(double(i));
    series = (series + splat<V>(c)) * q;
  }
  const DD<V> half = scale_by(u, splat<V>(0.5));
  if (m == 0) return half + series - log(x) + shifted;
  const DD<V> lead = DD<V>(splat<V>(factorial / m)) * integer_power(u, m);
  return lead * (one + half * splat<V>(double(m)) + series) + shifted;
}

template <class V>
FRACMOMENT_INLINE DD<V> polygamma(int m, const DD<V>& x) {
  const DD<V> r = signed_polygamma(m, x);
  return m % 2 == 0 ? -r : r;
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
