// Complex numbers with double-double parts: what inversion integrals and complex orders need.
#pragma once

#include "fracmoment/special/elementary.hpp"

namespace fracmoment {

template <class V>
struct Complex {
  DD<V> re{}, im{};
};

inline namespace FRACMOMENT_ISA {

template <class V>
FRACMOMENT_INLINE Complex<V> operator+(const Complex<V>& a, const Complex<V>& b) {
  return {a.re + b.re, a.im + b.im};
}
template <class V>
FRACMOMENT_INLINE Complex<V> operator-(const Complex<V>& a, const Complex<V>& b) {
  return {a.re - b.re, a.im - b.im};
}
template <class V>
FRACMOMENT_INLINE Complex<V> operator-(const Complex<V>& a) {
  return {-a.re, -a.im};
}
template <class V>
FRACMOMENT_INLINE Complex<V> operator+(const Complex<V>& a, const DD<V>& b) {
  return {a.re + b, a.im};
}
template <class V>
FRACMOMENT_INLINE Complex<V> operator*(const Complex<V>& a, const Complex<V>& b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class V>
FRACMOMENT_INLINE Complex<V> operator*(const Complex<V>& a, const DD<V>& b) {
  return {a.re * b, a.im * b};
}
template <class V>
FRACMOMENT_INLINE Complex<V> operator/(const Complex<V>& a, const Complex<V>& b) {
  const DD<V> n = b.re * b.re + b.im * b.im;
  const Complex<V> r = a * Complex<V>{b.re, -b.im};
  return {r.re / n, r.im / n};
}
template <class V>
FRACMOMENT_INLINE Complex<V> select(MaskOf<V> m, const Complex<V>& a, const Complex<V>& b) {
  return {select(m, a.re, b.re), select(m, a.im, b.im)};
}
template <class V>
FRACMOMENT_INLINE Complex<V> real_part_only(const DD<V>& x) {
  return {x, DD<V>{}};
}

// Principal square root.
template <class V>
FRACMOMENT_INLINE Complex<V> square_root(const Complex<V>& a) {
  const MaskOf<V> left = a.re.hi < 0.0, below = a.im.hi < 0.0;
  const DD<V> x = select(left, -a.re, a.re), y = select(below, -a.im, a.im);
  const DD<V> s = square_root(scale_by(x + square_root(x * x + y * y), splat<V>(0.5)));
  const DD<V> safe = select(s.hi > 0.0, s, DD<V>(splat<V>(1.0)));
  const DD<V> other = scale_by(y / safe, splat<V>(0.5));
  const DD<V> re = select(left, other, s), im = select(left, s, other);
  return {re, select(below, -im, im)};
}

// Principal logarithm: the modulus by the real one, the argument by halving angles.
template <class V>
FRACMOMENT_INLINE Complex<V> log(const Complex<V>& a) {
  const DD<V> square = a.re * a.re + a.im * a.im;
  const DD<V> log_modulus = scale_by(log(square), splat<V>(0.5));
  const DD<V> modulus = square_root(square);
  Complex<V> unit{a.re / modulus, a.im / modulus};
  constexpr int halvings = 5;
  for (int i = 0; i < halvings; ++i) unit = square_root(unit);
  // atan of t = tan(theta/2^6): im/(1+re)
  const DD<V> t = unit.im / (unit.re + splat<V>(1.0)), q = -(t * t);
  DD<V> sum = splat<V>(table_entry(tables::kInverseOddHi, tables::kInverseOddLo, 12));
  for (int n = 11; n >= 0; --n)
    sum = sum * q + splat<V>(table_entry(tables::kInverseOddHi, tables::kInverseOddLo, n));
  return {log_modulus, scale_by(t * sum, splat<V>(64.0))};
}

// cos x + i sin x.
template <class V>
FRACMOMENT_INLINE Complex<V> unit_circle(const DD<V>& x) {
  const DD<V> quarter = splat<V>(scale_by(pi(), 0.5));
  const V k = round_to_integer(x.hi * 0.6366197723675814);
  const DD<V> r = scale_by(x - quarter * k, splat<V>(0.25)), q = r * r;
  DD<V> c{}, s{};  // cos r - 1 and sin r, |r| < 0.2
  for (int n = 9; n >= 1; --n) {
    c = (splat<V>(table_entry(tables::kInverseFactorialHi, tables::kInverseFactorialLo, 2 * n)) -
         c) *
        q;
    s = (splat<V>(
             table_entry(tables::kInverseFactorialHi, tables::kInverseFactorialLo, 2 * n + 1)) -
         s) *
        q;
  }
  Complex<V> e{-c + splat<V>(1.0), r - r * s};
  e = e * e;
  e = e * e;
  const IntOf<V> turn = to_int(k) & std::int64_t(3);
  const MaskOf<V> odd = (turn & std::int64_t(1)) == std::int64_t(1), flip = turn >= std::int64_t(2);
  e = select(odd, Complex<V>{-e.im, e.re}, e);
  return select(flip, -e, e);
}

template <class V>
FRACMOMENT_INLINE Complex<V> exp(const Complex<V>& a) {
  return unit_circle(a.im) * exp(a.re);
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
