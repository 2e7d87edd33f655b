// Exponential and logarithm in double-double, by table and short series, on any number of lanes.
#pragma once

#include "fracmoment/real.hpp"
#include "fracmoment/special/tables.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

FRACMOMENT_INLINE Real table_entry(const double* hi, const double* lo, int i) {
  return {hi[i], lo[i]};
}
template <class V>
FRACMOMENT_INLINE DD<V> gather(const double* hi, const double* lo, IntOf<V> i) {
  return {gather(hi, i), gather(lo, i)};
}
FRACMOMENT_INLINE Real inverse_integer(int n) {  // 1/n for 1 <= n < 128
  return {tables::kInverseHi[n], tables::kInverseLo[n]};
}
FRACMOMENT_INLINE Real constant(int i) {
  return {tables::kConstantsHi[i], tables::kConstantsLo[i]};
}
inline Real log_two() { return constant(0); }
inline Real half_log_two_pi() { return constant(1); }
inline Real pi() { return constant(2); }

// log x in double arithmetic to 1e-12, for choices of steps and ranges: from correctly rounded
// operations alone, so that they are the same on every machine.
inline double rough_log(double x) {
  const std::int64_t b = bits(x), e = ((b >> 52) & 2047) - 1023;
  const double m = from_bits((b & 0xFFFFFFFFFFFFFLL) | 0x3FF0000000000000LL);
  const double s = (m - 1.4142135623730951) / (m + 1.4142135623730951), q = s * s;
  double sum = 0.0;
  for (int n = 15; n >= 1; n -= 2) sum = sum * q + 1.0 / n;
  return 2.0 * s * sum + 0.6931471805599453 * (double(e) + 0.5);
}

// log x to 0.007, likewise: log2 of the mantissa by a parabola.
inline double coarse_log(double x) {
  const std::int64_t b = bits(x), e = ((b >> 52) & 2047) - 1023;
  const double m = from_bits((b & 0xFFFFFFFFFFFFFLL) | 0x3FF0000000000000LL);
  return 0.6931471805599453 * (double(e) + ((2.0 - m / 3.0) * m - 5.0 / 3.0));
}

// atan x for x >= 0 to 1e-9, likewise.
inline double rough_arctangent(double x) {
  if (x > 1.0) return 1.5707963267948966 - rough_arctangent(1.0 / x);
  for (int i = 0; i < 2; ++i) x = x / (1.0 + sqrt(1.0 + x * x));
  double sum = 0.0;
  const double q = x * x;
  for (int n = 13; n >= 1; n -= 2) sum = 1.0 / n - q * sum;
  return 4.0 * x * sum;
}

// x * 2^k for any k with a normal result; beyond, 0 or infinity as rounding demands.
template <class V>
FRACMOMENT_INLINE V ldexp_wide(V x, IntOf<V> k) {
  const IntOf<V> half = k >> 1;
  return x * pow2(half) * pow2(k - half);
}

template <class V>
FRACMOMENT_INLINE DD<V> scale_wide(const DD<V>& x, IntOf<V> k) {
  return {ldexp_wide(x.hi, k), ldexp_wide(x.lo, k)};
}
// An exponent that ldexp_wide can take; what is beyond is 0 or infinite either way.
FRACMOMENT_INLINE std::int64_t clamp_power(std::int64_t k) {
  return k < -2000 ? -2000 : (k > 2000 ? 2000 : k);
}
FRACMOMENT_INLINE VecInt clamp_power(VecInt k) {
  const VecInt lo = VecInt{} - std::int64_t(2000), hi = VecInt{} + std::int64_t(2000);
  return select(k < lo, lo, select(k > hi, hi, k));
}
FRACMOMENT_INLINE TwinInt clamp_power(const TwinInt& k) {
  return {clamp_power(k.a), clamp_power(k.b)};
}

// exp(x) = mantissa * 2^exponent with the mantissa in [0.7, 1.5).
template <class V>
struct Scaled {
  DD<V> mantissa;
  IntOf<V> exponent;
};

// e^x - 1 for |x| <= 0.011, to 2^-101 relative if Full, else to 2^-68.
template <bool Full, class V>
FRACMOMENT_INLINE DD<V> expm1_short(const DD<V>& x) {
  using tables::kInverseFactorialHi;
  constexpr int last = Full ? 12 : 8, middle = Full ? 7 : 2;
  V tail = splat<V>(kInverseFactorialHi[last]);
  for (int n = last - 1; n > middle; --n) tail = tail * x.hi + kInverseFactorialHi[n];
  if constexpr (!Full) {  // x + x^2 (1/2 + x/6 + ...): the square has relative weight 2^-8
    const V square = x.hi * x.hi * (tail * x.hi + 0.5);
    return fast_two_sum(x.hi, x.lo + (square + x.hi * x.lo));
  } else {
    DD<V> sum = two_prod(tail, x.hi);
    for (int n = middle; n >= 1; --n) {
      sum = sum + splat<V>(table_entry(kInverseFactorialHi, tables::kInverseFactorialLo, n));
      sum = sum * x;
    }
    return sum;
  }
}

// exp(x) = table 2^exponent exp(rest), |rest| <= ln 2/128, for |x| < 10^5.
template <class V>
struct ExpReduction {
  DD<V> table, rest;
  IntOf<V> exponent;
};
template <class V>
FRACMOMENT_INLINE ExpReduction<V> reduce_exp(const DD<V>& x) {
  const V k = round_to_integer(x.hi * 92.33248261893583);  // 64/ln 2
  const DD<V> a = two_sum(x.hi - k * tables::kExpStep[0], x.lo);
  const DD<V> b = two_prod(k, splat<V>(-tables::kExpStep[1]));
  const V c = k * tables::kExpStep[2];
  const IntOf<V> n = to_int(k);
  return {gather<V>(tables::kExp2Hi, tables::kExp2Lo, n & std::int64_t(63)), (a + b) + (-c),
          n >> 6};
}

// exp(x), |x| < 10^5, relative error below 2^-99 if Full, else below 2^-66.
template <bool Full, class V>
FRACMOMENT_INLINE Scaled<V> exp_scaled(const DD<V>& x) {
  const ExpReduction<V> e = reduce_exp(x);
  const DD<V>& t = e.table;
  const DD<V> p = expm1_short<Full>(e.rest);
  if constexpr (Full) return {t + t * p, e.exponent};
  const DD<V> tp = two_prod(t.hi, p.hi), sum = fast_two_sum(t.hi, tp.hi);
  return {{sum.hi, sum.lo + (t.lo + (tp.lo + t.hi * p.lo))}, e.exponent};
}

template <class V>
FRACMOMENT_INLINE DD<V> clamp_exponent(const DD<V>& x) {
  const V lo = splat<V>(-1400.0), hi = splat<V>(1400.0);
  return {select(x.hi < lo, lo, select(x.hi > hi, hi, x.hi)),
          select((x.hi < lo) | (x.hi > hi), V{}, x.lo)};
}

// exp(x) rounded to a double: error below 0.51 ulp where the result is normal.
template <class V>
FRACMOMENT_INLINE V exp_rounded(const DD<V>& x) {
  const Scaled<V> e = exp_scaled<false>(clamp_exponent(x));
  return ldexp_wide(e.mantissa.hi + e.mantissa.lo, e.exponent);
}

// exp(x) as a double-double, for results in the normal range.
template <class V>
FRACMOMENT_INLINE DD<V> exp(const DD<V>& x) {
  const Scaled<V> e = exp_scaled<true>(clamp_exponent(x));
  return scale_wide(e.mantissa, e.exponent);
}

// 2 atanh(r/(2+r)) = log(1+r) for |r| <= 2^-6.9, relative error below 2^-99 if Full, else 2^-65.
template <bool Full, class V>
FRACMOMENT_INLINE DD<V> log1p_short(const DD<V>& r) {
  using tables::kInverseOddHi;
  const DD<V> s = Full ? r / (r + splat<V>(2.0)) : quotient(r, r + splat<V>(2.0));
  constexpr int last = Full ? 8 : 4, middle = Full ? 3 : 0;
  const DD<V> q = Full ? s * s : DD<V>(s.hi * s.hi);
  V tail = splat<V>(kInverseOddHi[last]);
  for (int n = last - 1; n > middle; --n) tail = tail * q.hi + kInverseOddHi[n];
  DD<V> value;
  if constexpr (Full) {
    DD<V> sum = two_prod(tail, q.hi);
    for (int n = middle; n >= 1; --n)
      sum = (sum + splat<V>(table_entry(kInverseOddHi, tables::kInverseOddLo, n))) * q;
    value = s + s * sum;
  } else {
    value = fast_two_sum(s.hi, s.lo + s.hi * (q.hi * tail));
  }
  return {value.hi + value.hi, value.lo + value.lo};
}

// log y = exponent log 2 + table + log(1 + r), where 1 + r = y scale factor, |r| <= 2^-6.9; if
// near_one the first two are 0 and r = y - 1.
template <class V>
struct LogReduction {
  V exponent, scale, factor;
  DD<V> table;
  MaskOf<V> near_one;
};
template <class V>
FRACMOMENT_INLINE LogReduction<V> reduce_log(V y) {
  const IntOf<V> b = bits(y), cell = (b >> 45) & std::int64_t(127);
  // a mantissa of 1.375 or more is halved
  const IntOf<V> e = ((b >> 52) & std::int64_t(2047)) - std::int64_t(1023) +
                     select(cell >= std::int64_t(48), IntOf<V>{} + std::int64_t(1), IntOf<V>{});
  const V factor = gather(tables::kLogReciprocal, cell);
  const MaskOf<V> near_one = (factor == 1.0) & (e == std::int64_t(0));
  return {to_double(e), pow2(-e), factor, gather<V>(tables::kLogCellHi, tables::kLogCellLo, cell),
          near_one};
}

// log y where y > 0 is normal; the part near 1 is taken from offset = y - 1 if it is known
// better than y itself.
template <bool Full = true, class V>
FRACMOMENT_INLINE DD<V> log_offset(const DD<V>& y, const DD<V>& offset) {
  const LogReduction<V> l = reduce_log(y.hi);
  const DD<V> z = scale_by(y, l.scale), p = two_prod(z.hi, l.factor);
  const DD<V> r = select(l.near_one, offset, two_sum(p.hi - 1.0, p.lo) + z.lo * l.factor);
  return splat<V>(log_two()) * l.exponent + l.table + log1p_short<Full>(r);
}

// Natural logarithm, y > 0 normal. Error below 2^-97 max(|log y|, 2^-100) (absolute near 1 as
// far as y itself is known).
template <class V>
FRACMOMENT_INLINE DD<V> log(const DD<V>& y) {
  return log_offset(y, y + splat<V>(-1.0));
}
template <class V>
FRACMOMENT_INLINE DD<V> log1p(const DD<V>& x) {  // relative error below 2^-96 for x > -1
  return log_offset(x + splat<V>(1.0), x);
}

// e^x - 1, relative error below 2^-96.
template <class V>
FRACMOMENT_INLINE DD<V> expm1(const DD<V>& x) {
  const DD<V> clamped = clamp_exponent(x);
  const MaskOf<V> tiny = abs(clamped.hi) < 0.01;
  return select(tiny, expm1_short<true>(select(tiny, clamped, DD<V>{})),
                exp(clamped) + splat<V>(-1.0));
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
