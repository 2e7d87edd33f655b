// Pair arithmetic: double-double without renormalization, for long positive computations.
//
// A number is hi + lo, where hi is what plain double arithmetic would have computed and lo the sum
// of the errors so far, to first order. Nothing is renormalized, so that the chain of dependent
// operations is the chain of plain double arithmetic and a product costs 6 operations, a sum 8.
// Rounding errors are those of lo: as long as sums do not cancel, n operations on numbers with
// |lo| <= k u |hi| (u = 2^-53) err relatively by at most about n (k + 2) u^2 and leave
// |lo| <= (k + n) u |hi| (Lange, Rump, "Faithfully rounded floating-point computations", ACM TOMS
// 46, 2020, theorem 3.3 and the remark on its tight form). `normalized` is for what follows.
#pragma once

#include "fracmoment/real.hpp"

namespace fracmoment {

template <class V>
struct Pair {
  V hi, lo;  // left as they are by default: work space is large
  Pair() = default;
  FRACMOMENT_INLINE Pair(V h, V l) : hi(h), lo(l) {}
  FRACMOMENT_INLINE explicit Pair(const DD<V>& x) : hi(x.hi), lo(x.lo) {}
};

inline namespace FRACMOMENT_ISA {

template <class V>
FRACMOMENT_INLINE DD<V> normalized(const Pair<V>& a) {
  return fast_two_sum(a.hi, a.lo);
}
template <class V>
FRACMOMENT_INLINE Pair<V> splat_pair(const Real& a) {
  return {splat<V>(a.hi), splat<V>(a.lo)};
}

template <class V>
FRACMOMENT_INLINE Pair<V> operator-(const Pair<V>& a) {
  return {-a.hi, -a.lo};
}
template <class V>
FRACMOMENT_INLINE Pair<V> operator+(const Pair<V>& a, const Pair<V>& b) {
  const DD<V> s = two_sum(a.hi, b.hi);
  return {s.hi, s.lo + (a.lo + b.lo)};
}
template <class V>
FRACMOMENT_INLINE Pair<V> operator-(const Pair<V>& a, const Pair<V>& b) {
  return a + (-b);
}
template <class V>
FRACMOMENT_INLINE Pair<V> operator+(const Pair<V>& a, V b) {
  const DD<V> s = two_sum(a.hi, b);
  return {s.hi, s.lo + a.lo};
}
template <class V>
FRACMOMENT_INLINE Pair<V> operator*(const Pair<V>& a, const Pair<V>& b) {
  const DD<V> p = two_prod(a.hi, b.hi);
  return {p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi)};
}
template <class V>
FRACMOMENT_INLINE Pair<V> operator*(const Pair<V>& a, V b) {
  const DD<V> p = two_prod(a.hi, b);
  return {p.hi, p.lo + a.lo * b};
}
template <class V>
FRACMOMENT_INLINE Pair<V> reciprocal(const Pair<V>& b) {
  const V q = 1.0 / b.hi;
  const DD<V> p = two_prod(q, b.hi);
  return {q, q * (((1.0 - p.hi) - p.lo) - q * b.lo)};
}
template <class V>
FRACMOMENT_INLINE Pair<V> scale_by(const Pair<V>& a, V power_of_two) {
  return {a.hi * power_of_two, a.lo * power_of_two};
}
template <class V>
FRACMOMENT_INLINE Pair<V> select(MaskOf<V> m, const Pair<V>& a, const Pair<V>& b) {
  return {select(m, a.hi, b.hi), select(m, a.lo, b.lo)};
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
