// Binomial variates, every element with its own number of trials n and probability q <= 1/2.
//
// n q >= 10: transformed rejection (Hoermann, "The generation of binomial random variates", J.
// Stat. Comput. Simul. 46, 1993, algorithm BTRS). Attempt k of element i is layer k of replica i:
// the first number of block 0 gives the proposal, the second accepts. Bounds of the acceptance
// probability decide nearly always; what they leave open meets an exact test. n q < 10: inversion
// of the first number of that block.
#pragma once

#include "fracmoment/random/exponential.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

constexpr double kLeastForHat = 10.0;  // of n q

FRACMOMENT_INLINE Vec floor_of(Vec x) {  // for |x| < 2^51
  const Vec r = round_to_integer(x);
  return r - select((VecInt)(r > x), splat<Vec>(1.0), Vec{});
}

// The hat of Hoermann's method: k = floor((2 a/(1/2 - |u|) + b) u + c), u uniform on (-1/2, 1/2).
// As all below for m vectors side by side, since each waits long for its roots and quotients.
template <int m>
struct BinomialHat {
  Vec deviation[m], a[m], b[m], c[m];
  FRACMOMENT_INLINE BinomialHat(const Vec (&n)[m], const Vec (&q)[m]) {
    for (int i = 0; i < m; ++i) {
      const Vec mean = n[i] * q[i];
      deviation[i] = sqrt(mean * (1.0 - q[i]));
      c[i] = mean + 0.5;
    }
    for (int i = 0; i < m; ++i) {
      b[i] = fma(deviation[i], splat<Vec>(2.53), 1.15);
      a[i] = fma(b[i], splat<Vec>(0.0248), fma(q[i], splat<Vec>(0.01), -0.0873));
    }
  }
};

template <int m>
struct BinomialTrial {
  Vec value[m];       // from -1 to n + 1: to be rejected outside [0, n]
  Vec distance[m];    // 1/2 - |u|, exact next to 0
  Vec uniform[m];     // that accepts
  VecInt at_once[m];  // accepted below every bar
  FRACMOMENT_INLINE BinomialTrial(const Vec (&n)[m], const Vec (&q)[m], const Block (&random)[m]) {
    const BinomialHat<m> hat(n, q);
    Vec x[m];
    for (int i = 0; i < m; ++i) {
      const VecBits bits = random[i].first, upper = (VecBits)((VecInt)bits < std::int64_t(0));
      distance[i] = fma(to_nearest(bits ^ upper), splat<Vec>(0x1p-64), 0x1p-65);
      const Vec side = (Vec)((VecBits)(0.5 - distance[i]) | (~upper & (std::uint64_t(1) << 63)));
      x[i] = fma(2.0 * hat.a[i] / distance[i] + hat.b[i], side, hat.c[i]);
      uniform[i] = open_uniform(random[i].second);
      at_once[i] = (VecInt)(distance[i] >= 0.07) & (VecInt)(hat.b[i] * (0.92 - uniform[i]) >= 4.2);
    }
    for (int i = 0; i < m; ++i) {
      const Vec low = splat<Vec>(-1.0), high = n[i] + 1.0;
      value[i] =
          floor_of(select((VecInt)(x[i] < low), low, select((VecInt)(x[i] > high), high, x[i])));
    }
  }
};

// The quotient that is to be at most f(k)/f(m) for a trial to be accepted.
struct BinomialRatio {
  Vec above, below;
  template <int m>
  FRACMOMENT_INLINE BinomialRatio(const BinomialHat<m>& hat, int i, Vec distance, Vec uniform) {
    const Vec square = distance * distance;
    above = uniform * (fma(hat.b[i], splat<Vec>(2.83), 5.1) * hat.deviation[i] * square);
    below = hat.b[i] * fma(hat.b[i], square, hat.a[i]);
  }
};

// What is known about a trial without its exact test.
template <int m>
struct BinomialVerdict {
  VecInt rejected[m], open[m];
};

// With M = (n + 1) q, r = q/(1 - q), x = k + 1/2 - M and t = x/M the logarithm of f(k) is a
// constant minus
//   G(t) = M t^2 sum_j (-t)^j (1 - (-r)^(j+1))/((j+1)(j+2)) + (t (1 - r^2) - t^2 (1 + r^3))/(24 M),
// up to an error E: what is left out of the sum is below 4/42 M |t|^7 for |t| <= 1/2, of the terms
// e(y) + e(z) below |t|^3/(6 M) and 0.08/M^3. At the mode |t| <= 1/(2 M), and two terms of the sum
// are good to 0.04/M^3. The logarithm of the ratio that is compared is good to 1e-7.
template <int m>
FRACMOMENT_INLINE BinomialVerdict<m> binomial_verdict(const Vec (&n)[m], const Vec (&q)[m],
                                                      const Vec (&value)[m],
                                                      const Vec (&distance)[m],
                                                      const Vec (&uniform)[m]) {
  constexpr double series[] = {-2.0, 1.0, -2.0 / 3.0, 0.5, -0.4};  // of -2 log(1 + r)/r
  const BinomialHat<m> hat(n, q);
  Vec mean[m], t[m], inverse[m], r[m], log_r[m], log_base[m], log_ratio[m];
  for (int i = 0; i < m; ++i) {
    const BinomialRatio ratio(hat, i, distance[i], uniform[i]);
    const Vec rest = 1.0 - q[i], total = n[i] + 1.0;
    mean[i] = total * q[i];
    const Vec variance = mean[i] * rest, both = 1.0 / (ratio.below * variance);
    const Vec by_variance = ratio.below * both;
    inverse[i] = rest * by_variance;
    r[i] = mean[i] * q[i] * by_variance;
    t[i] = (((value[i] + 0.5) - mean[i]) - fma(total, q[i], -mean[i])) * inverse[i];
    const LogarithmParts<Vec> parts = logarithm_parts(ratio.above * (variance * both));
    log_r[i] = parts.r;
    log_base[i] = parts.base;
  }
  polynomials(series, log_r, log_ratio);
  Vec c[4][m], sum[m];
  for (int i = 0; i < m; ++i) {
    const Vec r2 = r[i] * r[i], r3 = r2 * r[i];
    c[0][i] = 0.5 + 0.5 * r[i];
    c[1][i] = fma(r2, splat<Vec>(1.0 / 6.0), -1.0 / 6.0);
    c[2][i] = fma(r3, splat<Vec>(1.0 / 12.0), 1.0 / 12.0);
    c[3][i] = fma(r2 * r2, splat<Vec>(1.0 / 20.0), -1.0 / 20.0);
    sum[i] = fma(r2 * r3, splat<Vec>(1.0 / 30.0), 1.0 / 30.0);
  }
  for (int j = 3; j >= 0; --j)
    for (int i = 0; i < m; ++i) sum[i] = fma(sum[i], t[i], c[j][i]);
  BinomialVerdict<m> verdict;
  for (int i = 0; i < m; ++i) {
    const Vec linear = -0.25 * inverse[i] * c[1][i], square = t[i] * t[i];
    const Vec here = fma(fma(mean[i], sum[i], -0.5 * inverse[i] * c[2][i]), square, linear * t[i]);
    const Vec t_mode = ((floor_of(mean[i]) + 0.5) - mean[i]) * inverse[i];
    const Vec at_mode = t_mode * fma(mean[i] * t_mode, fma(c[1][i], t_mode, c[0][i]), linear);
    const Vec gap = fma(splat<Vec>(-0.5), fma(log_ratio[i], log_r[i], log_base[i]), here - at_mode);
    const Vec size = abs(t[i]), cube = inverse[i] * inverse[i] * inverse[i];
    const Vec left_out =
        fma(mean[i] * (square * square), splat<Vec>(4.0 / 42.0), inverse[i] * (1.0 / 6.0));
    const Vec error = fma(size * square, left_out, fma(cube, splat<Vec>(0.12), 1e-7));
    const VecInt usable = (VecInt)(size <= 0.5);
    verdict.rejected[i] = usable & (VecInt)(gap > error);
    verdict.open[i] = ~(usable & (VecInt)(abs(gap) > error));
  }
  return verdict;
}

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

// log f(k)/f(m) of the binomial probabilities f for n trials of probability q. With y = k + 1/2,
// z = n - k + 1/2 and N = n + 1,
//   log f(k) = constant - N q psi(y/(N q) - 1) - N (1 - q) psi(z/(N (1 - q)) - 1) - e(y) - e(z):
// the terms with log q cancel. The error is below 1e-11 where the ratio is above 1e-20.
FRACMOMENT_INLINE Vec log_probability_ratio(Vec k, Vec m, Vec n, Vec q) {
  const Vec total = n + 1.0, mean = total * q, rest = fma(total, q, -mean), other = total - mean;
  const Vec y = k + 0.5, z = n - k + 0.5, y_mode = m + 0.5, z_mode = n - m + 0.5;
  const Vec off = (y - mean) - rest, off_mode = (y_mode - mean) - rest;
  const Vec inverse = 1.0 / (mean * other), by_mean = inverse * other, by_other = inverse * mean;
  const Vec entropy = off * (entropy_slope(off * by_mean) - entropy_slope(-off * by_other));
  const Vec entropy_mode =
      off_mode * (entropy_slope(off_mode * by_mean) - entropy_slope(-off_mode * by_other));
  const Vec yz = y * z, yz_mode = y_mode * z_mode, inverses = 1.0 / (yz * yz_mode);
  const Vec one = inverses * yz_mode, one_mode = inverses * yz;
  const Vec error = factorial_error(y, one * z) + factorial_error(z, one * y);
  const Vec error_mode =
      factorial_error(y_mode, one_mode * z_mode) + factorial_error(z_mode, one_mode * y_mode);
  return (entropy_mode - entropy) + (error_mode - error);
}

// The exact test of a trial.
FRACMOMENT_INLINE VecInt binomial_accepted(Vec n, Vec q, Vec k, Vec distance, Vec uniform) {
  const Vec trials[1] = {n}, chance[1] = {q}, mode = floor_of((n + 1.0) * q);
  const BinomialRatio ratio(BinomialHat<1>(trials, chance), 0, distance, uniform);
  const VecInt inside = (VecInt)(k >= 0.0) & (VecInt)(k <= n);
  const Vec bar = log_probability_ratio(select(inside, k, mode), mode, n, q);
  return inside & (VecInt)(natural_log(ratio.above / ratio.below) <= bar);
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

// n q < 10: X >= j where w < P(X >= j), for m vectors together.
template <int m>
FRACMOMENT_INLINE void binomial_inversion(const Vec (&n)[m], const Vec (&q)[m],
                                          const Block (&random)[m], Vec (&value)[m]) {
  constexpr double far = 0x1p-20;
  Vec w[m], none[m], odds[m], probability[m], tail[m];
  for (int i = 0; i < m; ++i) {
    w[i] = open_uniform(random[i].first);
    odds[i] = q[i] / (1.0 - q[i]);
    tail[i] = -exp_minus_one(n[i] * log_one_plus(-q[i]));
    none[i] = probability[i] = 1.0 - tail[i];
    value[i] = Vec{};
  }
  bool more = true;
  for (double j = 1.0; more; j += 1.0) {
    more = false;
    const double inverse = 1.0 / j;
    for (int i = 0; i < m; ++i) {
      const VecInt active = (VecInt)(w[i] < tail[i]) & (VecInt)(w[i] >= far);
      value[i] += select(active, splat<Vec>(1.0), Vec{});
      probability[i] *= (n[i] + (1.0 - j)) * odds[i] * inverse;
      tail[i] -= probability[i];
      more |= any(active);
    }
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
