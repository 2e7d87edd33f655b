// Binomial variates, every element with its own number of trials n and probability q <= 1/2.
//
// n q >= 10: transformed rejection (Hoermann, "The generation of binomial random variates", J.
// Stat. Comput. Simul. 46, 1993, algorithm BTRS). Attempt k of element i is layer k of replica i:
// the first number of block 0 gives the proposal, the second accepts. n q < 10: inversion of the
// first number of that block.
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
struct BinomialHat {
  Vec deviation, a, b, c;
  FRACMOMENT_INLINE BinomialHat(Vec n, Vec q) {
    const Vec mean = n * q;
    deviation = sqrt(mean * (1.0 - q));
    b = fma(deviation, splat<Vec>(2.53), 1.15);
    a = fma(b, splat<Vec>(0.0248), fma(q, splat<Vec>(0.01), -0.0873));
    c = mean + 0.5;
  }
};

struct BinomialTrial {
  Vec value;     // from -1 to n + 1: to be rejected outside [0, n]
  Vec distance;  // 1/2 - |u|, exact next to 0
  Vec uniform;   // that accepts
  VecInt accepted;
};

FRACMOMENT_INLINE BinomialTrial binomial_trial(const BinomialHat& hat, Vec n, const Block& random) {
  const VecBits bits = first_bits(random), upper = (VecBits)((VecInt)bits < std::int64_t(0));
  const Vec distance = fma(to_nearest(bits ^ upper), splat<Vec>(0x1p-64), 0x1p-65);
  const Vec side = (Vec)((VecBits)(0.5 - distance) | (~upper & (std::uint64_t(1) << 63)));
  const Vec x = fma(2.0 * hat.a / distance + hat.b, side, hat.c);
  const Vec low = splat<Vec>(-1.0), high = n + 1.0;
  const Vec inside = select((VecInt)(x < low), low, select((VecInt)(x > high), high, x));
  const Vec uniform = open_uniform(second_bits(random));
  const VecInt accepted =
      (VecInt)(distance >= 0.07) & (VecInt)(hat.b * (0.92 - uniform) >= 4.2);  // below every bar
  return {floor_of(inside), distance, uniform, accepted};
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

// The exact test of a trial that was not accepted at once.
FRACMOMENT_INLINE VecInt binomial_accepted(const BinomialHat& hat, Vec n, Vec q, Vec k,
                                           Vec distance, Vec uniform) {
  const VecInt inside = (VecInt)(k >= 0.0) & (VecInt)(k <= n);
  const Vec square = distance * distance;
  const Vec height = fma(hat.b, splat<Vec>(2.83), 5.1) * hat.deviation * square;
  const Vec ratio = uniform * height / (hat.b * fma(hat.b, square, hat.a));
  const Vec mode = floor_of((n + 1.0) * q);
  const Vec bar = log_probability_ratio(select(inside, k, mode), mode, n, q);
  return inside & (VecInt)(natural_log(ratio) <= bar);
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
    w[i] = open_uniform(first_bits(random[i]));
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
