// Binomial variates, every element with its own number of trials n and probability q <= 1/2: exact
// quantiles of 64-bit uniform numbers U, which stand for the probability u = (U + 1/2) 2^-64. The
// variate is the number of k >= 1 with P(X < k) <= u.
//
// n q >= 2: an expansion of the quantile function in the normal quantile z of u (Cornish and
// Fisher, with the corrections of a lattice) is an integer and a fraction. Only next to an integer,
// within a bound of its error, the sum of probabilities decides. n q < 2: probabilities from 0 on.
#pragma once

#include "fracmoment/random/exponential.hpp"
#include "fracmoment/random/quantile.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

constexpr double kLeastForSeries = 2.0;  // of n q

FRACMOMENT_INLINE Vec floor_of(Vec x) {  // for |x| < 2^51
  const Vec r = round_to_integer(x);
  return r - select((VecInt)(r > x), splat<Vec>(1.0), Vec{});
}

// k = floor of the expansion, not certain where the expansion is next to an integer. With
// s^2 = n q (1 - q) - 1/12, h = q (1 - q), g = 1 - 2 q:
//   n q + 1/2 + s z + g (z^2 - 1)/6 + z (1 + 14 h - (1 + 2 h) z^2)/(72 s)
//     + g (2 + h) (3 z^4 + 7 z^2 - 16)/(1620 s^2),
// off by less than (0.05 + 0.002 z^6)/s^3 where that is below 1/2. As below for m vectors side by
// side.
template <int m>
struct BinomialQuantile {
  Vec value[m];
  VecInt open[m];
  FRACMOMENT_INLINE BinomialQuantile(const Vec (&n)[m], const Vec (&q)[m], const Vec (&z)[m]) {
    Vec s[m], inverse[m];
    for (int i = 0; i < m; ++i) {
      s[i] = sqrt(fma(n[i] * q[i], 1.0 - q[i], -1.0 / 12.0));
      inverse[i] = 1.0 / s[i];
    }
    for (int i = 0; i < m; ++i) {
      const Vec h = fma(-q[i], q[i], q[i]), g = fma(splat<Vec>(-2.0), q[i], 1.0);
      const Vec z2 = z[i] * z[i], inverse2 = inverse[i] * inverse[i];
      const Vec odd = z[i] * fma(fma(h, splat<Vec>(-2.0), -1.0), z2, fma(h, splat<Vec>(14.0), 1.0));
      const Vec quartic = fma(fma(splat<Vec>(3.0), z2, 7.0), z2, -16.0) * (h + 2.0);
      const Vec even =
          fma(quartic * (1.0 / 1620.0), inverse2, fma(z2, splat<Vec>(1.0 / 6.0), -1.0 / 6.0));
      const Vec off = fma(s[i], z[i], fma(odd * (1.0 / 72.0), inverse[i], g * even));
      // the mean as an integer and a rest, without an error
      const Vec mean = n[i] * q[i], whole = round_to_integer(mean);
      const Vec rest = off + ((mean - whole) + fma(n[i], q[i], -mean));
      const Vec nearest = round_to_integer(rest);
      const Vec distance = rest - nearest;  // from the middle between two steps
      const Vec bound = fma(z2 * z2, z2 * 0.002, 0.05) * (inverse[i] * inverse2);
      open[i] = ~(VecInt)(abs(distance) + bound < 0.5);
      value[i] = whole + nearest;
    }
  }
};

// psi(x)/x for psi(x) = (1 + x) log(1 + x) - x, x > -1: near 0 by its series.
FRACMOMENT_INLINE Vec entropy_slope(Vec x) {
  constexpr double series[] = {1.0 / 2,   -1.0 / 6,   1.0 / 12,  -1.0 / 20, 1.0 / 30,
                               -1.0 / 42, 1.0 / 56,   -1.0 / 72, 1.0 / 90,  -1.0 / 110,
                               1.0 / 132, -1.0 / 156, 1.0 / 182};
  const Vec small = x * polynomial(series, x);
  const VecInt is_small = (VecInt)(abs(x) < 0.1);
  if (all(is_small)) return small;
  const Vec y = select(is_small, splat<Vec>(0.5), x);
  return select(is_small, small, fma(1.0 + y, log_one_plus(y), -y) / y);
}

// log k! = y log y - y + log(2 pi)/2 + e(y) with y = k + 1/2; e(y) for y = k + 1/2, by the table
// for k < 16, else by the asymptotic series with an error below 1e-14.
FRACMOMENT_INLINE Vec factorial_error(Vec y, Vec inverse) {
  constexpr double series[] = {-1.0 / 24, 7.0 / 2880, -31.0 / 40320, 127.0 / 215040};
  const Vec far = inverse * polynomial(series, inverse * inverse);
  const VecInt near = (VecInt)(y < 16.0);
  if (!any(near)) return far;
  const VecInt k = select(near, to_int(floor_of(y)), VecInt{});
  return select(near, lookup(tables::kFactorialError, (VecBits)k), far);
}

// log f(k) of the probabilities f for n trials of probability q. With y = k + 1/2, z = n - k + 1/2
// and N = n + 1,
//   log f(k) = -log(2 pi N q (1 - q))/2 + (1/2 + (n + 1/2) log(1 - 1/(2 N)) + e(n + 1/2))
//     - N q psi(y/(N q) - 1) - N (1 - q) psi(z/(N (1 - q)) - 1) - e(y) - e(z):
// the terms with log q cancel. The error is below 1e-11 where f is above 1e-20.
FRACMOMENT_INLINE Vec binomial_probability(Vec k, Vec n, Vec q) {
  constexpr double two_pi = 0x1.921fb54442d18p+2;
  const Vec total = n + 1.0, mean = total * q, rest = fma(total, q, -mean), other = total - mean;
  const Vec y = k + 0.5, z = n - k + 0.5, all = n + 0.5;
  const Vec off = (y - mean) - rest;
  const Vec inverse = 1.0 / (mean * other), by_mean = inverse * other, by_other = inverse * mean;
  const Vec entropy = off * (entropy_slope(off * by_mean) - entropy_slope(-off * by_other));
  const Vec error = factorial_error(y, 1.0 / y) + factorial_error(z, 1.0 / z);
  const Vec constant = fma(all, log_one_plus(-0.5 / total), 0.5) + factorial_error(all, 1.0 / all);
  const Vec square = two_pi * (mean * (1.0 - q));
  return scaled_exp(1.0 / sqrt(square), (constant - error) - entropy);
}

// A uniform number by the nearer end: u itself, or 1 - u.
struct NearerEnd {
  VecInt lower;
  Vec distance;
  FRACMOMENT_INLINE explicit NearerEnd(VecBits uniform) {
    const VecBits upper = (VecBits)((VecInt)uniform < std::int64_t(0));
    lower = ~(VecInt)upper;
    distance = fma(to_nearest(uniform ^ upper), splat<Vec>(0x1p-64), 0x1p-65);
  }
};

// P(X < k) <= u, or in the upper half P(X >= k) >= 1 - u, for 1 <= k <= n: sums of probabilities
// from k outwards, each lane until its own terms are negligible.
FRACMOMENT_INLINE VecInt binomial_reaches(Vec k, Vec n, Vec q, const NearerEnd& u) {
  const Vec odds = q / (1.0 - q);
  const Vec first = select(u.lower, k - 1.0, k);
  Vec factor = select(u.lower, 1.0 / odds, odds);
  Vec above = select(u.lower, first, n - first), below = (n + 1.0) - above;
  Vec term = splat<Vec>(1.0), sum = term;
  for (bool more = true; more;) {
    term *= above * factor / below;
    const VecInt counts = (VecInt)(term > 0x1p-56 * sum);
    sum += select(counts, term, Vec{});
    above -= 1.0;
    below += 1.0;
    more = any(counts);
  }
  const Vec tail = binomial_probability(first, n, q) * sum;
  return select(u.lower, (VecInt)(tail <= u.distance), (VecInt)(tail >= u.distance));
}

// The quantile by steps from a value next to it.
FRACMOMENT_INLINE Vec binomial_search(Vec n, Vec q, VecBits uniform, Vec start) {
  const NearerEnd u(uniform);
  const Vec zero{}, one = splat<Vec>(1.0);
  Vec reached = zero, missed = n + 1.0;  // reached <= variate < missed
  Vec next = select((VecInt)(start > one), select((VecInt)(start > n), n, start), one);
  while (true) {
    const VecInt open = (VecInt)(reached + 1.0 < missed);
    if (!any(open)) return reached;
    const VecInt reaches = binomial_reaches(next, n, q, u);
    reached = select(open & reaches, next, reached);
    missed = select(open & ~reaches, next, missed);
    next = select((VecInt)(next == missed), missed - 1.0, reached + 1.0);
    next = select((VecInt)(next < one), one, next);
  }
}

// Inversion where the tail probability w = P(X >= value) is small: sums of probabilities from the
// far end, so that the tail is right to the last of the 2^64 numbers.
inline __attribute__((noinline)) double binomial_far_tail(double n, double odds, double none,
                                                          double w) {
  constexpr int most = 160;
  constexpr double negligible = 0x1p-110;
  double probability[most];
  probability[0] = none;
  int last = 0;
  while (last + 1 < most && double(last) < n && (last < 20 || probability[last] > negligible)) {
    ++last;
    probability[last] = probability[last - 1] * ((n - last + 1.0) * odds) / last;
  }
  double tail = 0.0;
  for (; last > 0; --last) {
    tail += probability[last];
    if (w < tail) break;
  }
  return double(last);
}

// n q < 2: X >= j where w < P(X >= j), w = 1 - u; for m vectors side by side.
template <int m>
FRACMOMENT_INLINE void binomial_inversion(const Vec (&n)[m], const Vec (&q)[m],
                                          const VecBits (&uniform)[m], Vec (&value)[m]) {
  constexpr double far = 0x1p-20;
  Vec w[m], none[m], odds[m], probability[m], tail[m];
  for (int i = 0; i < m; ++i) {
    w[i] = open_uniform(~uniform[i]);
    odds[i] = q[i] / (1.0 - q[i]);
    tail[i] = -exp_minus_one(n[i] * log_one_plus(-q[i]));
    none[i] = probability[i] = 1.0 - tail[i];
    value[i] = Vec{};
  }
  bool more = true;
  for (double j = 1.0; more; j += 1.0) {
    VecInt some{};
    const double inverse = 1.0 / j;
    for (int i = 0; i < m; ++i) {
      const VecInt active = (VecInt)(w[i] < tail[i]) & (VecInt)(w[i] >= far);
      value[i] += select(active, splat<Vec>(1.0), Vec{});
      probability[i] *= (n[i] + (1.0 - j)) * odds[i] * inverse;
      tail[i] -= probability[i];
      some |= active;
    }
    more = any(some);
  }
  for (int i = 0; i < m; ++i) {
    const VecInt is_far = (VecInt)(w[i] < far);
    if (__builtin_expect(!any(is_far), 1)) continue;
    for (int j = 0; j < kLanes; ++j)
      if (is_far[j]) value[i][j] = binomial_far_tail(n[i][j], odds[i][j], none[i][j], w[i][j]);
  }
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
