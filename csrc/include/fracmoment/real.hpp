// Double-double arithmetic: a number as an unevaluated sum hi + lo, about 106 bits.
//
// Error bounds (u = 2^-53, Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic
// building blocks of double-word arithmetic", ACM TOMS 44, 2017): sum of two numbers 3u^2 relative
// (the accurate form is used everywhere), product 5u^2, quotient 15u^2.
#pragma once

#include "fracmoment/simd.hpp"

namespace fracmoment {

template <class V>
struct DD {
  V hi{}, lo{};
  DD() = default;
  FRACMOMENT_INLINE DD(V h, V l) : hi(h), lo(l) {}
  FRACMOMENT_INLINE explicit DD(V h) : hi(h), lo(V{}) {}
};
using Real = DD<double>;

inline namespace FRACMOMENT_ISA {

template <class V>
FRACMOMENT_INLINE DD<V> two_sum(V a, V b) {
  const V s = a + b, bb = s - a;
  return {s, (a - (s - bb)) + (b - bb)};
}
template <class V>
FRACMOMENT_INLINE DD<V> fast_two_sum(V a, V b) {  // needs |a| >= |b| or a = 0
  const V s = a + b;
  return {s, b - (s - a)};
}
template <class V>
FRACMOMENT_INLINE DD<V> two_prod(V a, V b) {
  const V p = a * b;
  return {p, product_error(a, b, p)};
}

template <class V>
FRACMOMENT_INLINE DD<V> operator-(const DD<V>& a) {
  return {-a.hi, -a.lo};
}
template <class V>
FRACMOMENT_INLINE DD<V> operator+(const DD<V>& a, const DD<V>& b) {
  const DD<V> s = two_sum(a.hi, b.hi), t = two_sum(a.lo, b.lo);
  const DD<V> v = fast_two_sum(s.hi, s.lo + t.hi);
  return fast_two_sum(v.hi, v.lo + t.lo);
}
template <class V>
FRACMOMENT_INLINE DD<V> operator-(const DD<V>& a, const DD<V>& b) {
  return a + (-b);
}
template <class V>
FRACMOMENT_INLINE DD<V> operator+(const DD<V>& a, V b) {
  const DD<V> s = two_sum(a.hi, b);
  return fast_two_sum(s.hi, s.lo + a.lo);
}
template <class V>
FRACMOMENT_INLINE DD<V> operator*(const DD<V>& a, const DD<V>& b) {
  const DD<V> p = two_prod(a.hi, b.hi);
  return fast_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}
template <class V>
FRACMOMENT_INLINE DD<V> operator*(const DD<V>& a, V b) {
  const DD<V> p = two_prod(a.hi, b);
  return fast_two_sum(p.hi, p.lo + a.lo * b);
}
template <class V>
FRACMOMENT_INLINE DD<V> operator/(const DD<V>& a, const DD<V>& b) {
  const V q = a.hi / b.hi;
  const DD<V> r = a - b * q;
  return fast_two_sum(q, r.hi / b.hi);
}
// The same with one division, which keeps the processor longer than anything else does: 18u^2.
// q = a.hi (1/b.hi) is within 4u of the quotient; the remainder a - b q, of size 4u, errs by 2u^2
// and loses 4u^2 with its lower part, and 1/b.hi is within 3u of 1/b.
template <class V>
FRACMOMENT_INLINE DD<V> quotient(const DD<V>& a, const DD<V>& b) {
  const V inverse = 1.0 / b.hi, q = a.hi * inverse;
  const DD<V> r = a - b * q;
  return fast_two_sum(q, r.hi * inverse);
}
template <class V>
FRACMOMENT_INLINE DD<V> square_root(const DD<V>& a) {
  const V x = sqrt(a.hi);
  const DD<V> r = a - two_prod(x, x);
  const V safe = select(x > 0.0, x, splat<V>(1.0));
  return fast_two_sum(x, r.hi / (safe + safe));
}
template <class V>
FRACMOMENT_INLINE DD<V> scale_by(const DD<V>& a, V power_of_two) {
  return {a.hi * power_of_two, a.lo * power_of_two};
}
template <class V>
FRACMOMENT_INLINE DD<V> select(MaskOf<V> m, const DD<V>& a, const DD<V>& b) {
  return {select(m, a.hi, b.hi), select(m, a.lo, b.lo)};
}
template <class V>
FRACMOMENT_INLINE DD<V> splat(const Real& a) {
  return {splat<V>(a.hi), splat<V>(a.lo)};
}
FRACMOMENT_INLINE double to_double(const Real& a) { return a.hi + a.lo; }

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
