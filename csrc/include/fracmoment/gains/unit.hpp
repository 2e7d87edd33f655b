// One neuron: Y = b z^2 with a random b >= 0, z ~ N(0, 1), and the local expansions of its Laplace
// transform L(t) = E (1 + 2 b t)^(-1/2).
//
// With y = 1/(1 + 2bt), the coefficients of
//   U(e, f) = E sqrt(y) (1 - e (1-y) - f y)^(-1/2) = sum_{j,l} u_jl e^j f^l,
//   u_jl = (1/2)_{j+l}/(j! l!) E sqrt(y) (1-y)^j y^l,
// are positive. Those with l = 0 are the Taylor coefficients (-t)^j L^(j)(t)/j!; l counts degrees
// of freedom added to the chi-square of the whole layer (docs/algorithms/mellin.md).
#pragma once

#include <algorithm>

#include "fracmoment/pair.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {

constexpr int kMaxPoints = 192;
constexpr int kMaxDerivative = 96;

// The law of b. Slopes are relative to the largest one, so b <= 1.
struct UnitLaw {
  double width = 1.0;
  Real dead{0.0};  // P(b = 0)
  int points = 0;  // discrete part: P(b = point[i]) = weight[i]
  Real point[kMaxPoints];
  Real weight[kMaxPoints];
  bool uniform = false;  // b = A^2, A uniform on (lower, upper), with probability uniform_weight
  Real uniform_weight{0.0}, lower{0.0}, upper{0.0};
};

inline namespace FRACMOMENT_ISA {

// E b^j of one unit.
inline Real scale_moment(const UnitLaw& unit, int j) {
  Real sum{0.0};
  for (int i = 0; i < unit.points; ++i) {
    Real power = unit.weight[i];
    for (int k = 0; k < j; ++k) power = power * unit.point[i];
    sum = sum + power;
  }
  if (unit.uniform) {  // E A^(2j) = sum_i u^i l^(2j-i) / (2j+1)
    Real mean{1.0}, low{1.0};
    for (int i = 0; i < 2 * j; ++i) {
      low = low * unit.lower;
      mean = mean * unit.upper + low;
    }
    sum = sum + unit.uniform_weight * mean / Real(2.0 * j + 1.0);
  }
  return sum;
}

// exp(x) as mantissa * 2^exponent to 2^-99 if Full, else to 2^-84: the series is in double from the
// fourth power on.
template <bool Full, class V>
FRACMOMENT_INLINE Pair<V> exp_pair(const DD<V>& x, IntOf<V>& exponent) {
  using tables::kInverseFactorialHi;
  if constexpr (Full) {
    const Scaled<V> e = exp_scaled<true>(x);
    exponent = e.exponent;
    return Pair<V>(e.mantissa);
  } else {
    const ExpReduction<V> e = reduce_exp(x);
    exponent = e.exponent;
    const Pair<V> r(e.rest), table(e.table);
    V tail = splat<V>(kInverseFactorialHi[9]);
    for (int n = 8; n >= 4; --n) tail = tail * r.hi + kInverseFactorialHi[n];
    Pair<V> sum = splat_pair<V>(table_entry(kInverseFactorialHi, tables::kInverseFactorialLo, 3)) +
                  tail * r.hi;
    sum = sum * r + splat<V>(0.5);
    return table + table * (sum * (r * r) + r);
  }
}

// log y, from offset = y - 1 near 1: to 2^-97 if Full, else to 2^-83, where the series of
// 2 atanh(r/(2+r)) is in double from the fourth power on.
template <bool Full, class V>
FRACMOMENT_INLINE Pair<V> log_pair(const Pair<V>& y, const Pair<V>& offset) {
  using tables::kInverseOddHi;
  if constexpr (Full) {
    return Pair<V>(log_offset<true>(normalized(y), normalized(offset)));
  } else {
    const LogReduction<V> l = reduce_log(y.hi);
    const Pair<V> z = scale_by(y, l.scale);
    const DD<V> p = two_prod(z.hi, l.factor);
    const Pair<V> r = select(l.near_one, offset, Pair<V>(p.hi - 1.0, p.lo + z.lo * l.factor));
    const Pair<V> s = r * reciprocal(r + splat<V>(2.0)), q = s * s;
    V tail = splat<V>(kInverseOddHi[6]);
    for (int n = 5; n >= 2; --n) tail = tail * q.hi + kInverseOddHi[n];
    const Pair<V> sum =
        (splat_pair<V>(table_entry(kInverseOddHi, tables::kInverseOddLo, 1)) + tail * q.hi) * q;
    return splat_pair<V>(log_two()) * l.exponent + Pair<V>(l.table) +
           scale_by(s + s * sum, splat<V>(2.0));
  }
}

// 1/sqrt(1 + x) for x >= 0: one step of third order from the rounded value, error below 2^-98.
template <class V>
FRACMOMENT_INLINE Pair<V> inverse_root(const Pair<V>& x) {
  const Pair<V> w = x + splat<V>(1.0);
  const V s = 1.0 / sqrt(w.hi);
  const DD<V> square = two_prod(s, s), p = two_prod(w.hi, square.hi);
  const V r = (p.hi - 1.0) + (p.lo + (w.hi * square.lo + w.lo * square.hi));
  return {s, s * (r * (r * 0.375 - 0.5))};
}

// (1/(u-l)) sqrt(1/(2t)) [F_j]_l^u with F_j(x) = int_0^asinh(x) tanh^(2j): the moments
// E sqrt(y) (1-y)^j of the uniform part, j = 0..m, at one block of t.
template <bool Full, class V>
class UniformMoments {
 public:
  FRACMOMENT_INLINE UniformMoments(const UnitLaw& law, int m, bool complex) : law_(law), m_(m) {
    if (!law.uniform) return;
    // F_j ~ tau^(2j+1)/(2j+1): the recurrence upwards cancels for small tau = tanh(asinh x) and the
    // power series is slow for large tau. They change where tau^(2m+1) is 1e-9 if Full, which
    // leaves 20 digits of the 29 of the logarithm; else 1e-6, which leaves 19 of 25, or 23 of 29
    // for large m, where narrow intervals need more. For complex orders, whose sums cancel, the
    // series is as long as the tables allow: 1e-4, or more for m > 12.
    precise_ = Full || m > 8;
    const double accuracy = complex ? 62.0 : (Full ? 52.0 : 44.0);
    const double longest = accuracy / (2 * (124 - m));
    const double change =
        complex ? std::max(9.2 / (2 * m + 1), longest) : (Full ? 20.7 : 13.8) / (2 * m + 1);
    threshold_ = 1.0;
    for (int i = 0; i < 60 && threshold_ > 1e-3; ++i) {
      if (rough_log(threshold_) <= -change) break;
      threshold_ *= 0.875;
    }
    terms_ = std::min(126 - m, int(accuracy / -(2.0 * rough_log(threshold_))) + 2);
    const Real span = law.upper - law.lower;
    density_ = law.uniform_weight / span;
    // terms beyond these are in double: together below 2^-13 of a difference between the ends
    const double lost = 9.0 + rough_log(std::max(1.0, law.upper.hi / span.hi));
    exact_ = m + 2 + int(lost / -(2.0 * rough_log(threshold_)));
  }

  // E sqrt(y) (1-y)^j up^j times the weight, j = 0..m; root = sqrt(2t), up a power of two about
  // 1/(2t).
  template <int N>
  FRACMOMENT_INLINE void moments(const Pair<V>* root, const V* up, Pair<V>* const* f) const {
    End upper[N], lower[N];
    for (int i = 0; i < N; ++i) {
      upper[i] = End(splat_pair<V>(law_.upper) * root[i], threshold_);
      lower[i] = End(splat_pair<V>(law_.lower) * root[i], threshold_);
    }
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j <= m_; ++j) f[i][j] = Pair<V>{V{}, V{}};
      if (!all(upper[i].small)) add_recurrence(upper[i], lower[i], up[i], f[i]);
    }
    for (int i = 0; i < N; ++i) {
      add_series<false>(upper[i], up[i], f[i]);
      add_series<true>(lower[i], up[i], f[i]);
    }
    for (int i = 0; i < N; ++i) {
      const Pair<V> density = splat_pair<V>(density_) * reciprocal(root[i]);
      for (int j = 0; j <= m_; ++j) f[i][j] = f[i][j] * density;
    }
  }

  // E sqrt(y) (1-y)^j y up^j times the weight, j = 0..m, for lower > 0. It is the integral of
  // tau^(2j), over the weight's density: differences of powers of tau at the ends, from the first,
  // tau_u - tau_l = (y_l - y_u)/(tau_u + tau_l), without cancellation.
  FRACMOMENT_INLINE void raised_moments(const Pair<V>& root, V up, Pair<V>* f) const {
    const Pair<V> high = splat_pair<V>(law_.upper) * root, low = splat_pair<V>(law_.lower) * root;
    const Pair<V> square_high = high * high, square_low = low * low;
    const Pair<V> s_high = inverse_root(square_high), s_low = inverse_root(square_low);
    const Pair<V> y_high = s_high * s_high, y_low = s_low * s_low;
    const Pair<V> tau_high = high * s_high, tau_low = low * s_low;
    const Real spread = (law_.upper - law_.lower) * (law_.upper + law_.lower);
    const Pair<V> gap = splat_pair<V>(spread) * (root * y_high) * (root * y_low);  // y_l - y_u
    const Pair<V> step = scale_by(square_high * y_high, up), gap_up = scale_by(gap, up);
    const Pair<V> step_low = scale_by(square_low * y_low, up);
    const Pair<V> density = splat_pair<V>(density_) * reciprocal(root);
    Pair<V> difference = gap * reciprocal(tau_high + tau_low), power = tau_low;
    for (int j = 0; j <= m_; ++j) {
      f[j] = difference * inverse_odd(j) * density;
      difference = difference * step + power * gap_up;
      power = power * step_low;
    }
  }

 private:
  struct End {
    Pair<V> tau, q, growth;  // tanh, its square, e^asinh|x|
    MaskOf<V> small, negative;
    End() = default;
    FRACMOMENT_INLINE End(const Pair<V>& x, double threshold) {
      const Pair<V> square = x * x, s_inverse = inverse_root(square);
      tau = x * s_inverse;
      q = tau * tau;
      small = abs(tau.hi) < threshold;
      negative = x.hi < 0.0;
      growth = select(negative, -x, x) + (square + splat<V>(1.0)) * s_inverse;
    }
  };

  // F_(j+1) = F_j - tau^(2j+1)/(2j+1) for ends that are not small, both in one go: the difference
  // of asinh(x) is the logarithm of a quotient (a product if the signs differ).
  FRACMOMENT_INLINE void add_recurrence(const End& upper, const End& lower, V up,
                                        Pair<V>* f) const {
    const Pair<V> one{splat<V>(1.0), V{}}, zero{};
    const Pair<V> top = select(upper.small, one, upper.growth);
    const Pair<V> bottom = select(lower.small, one, lower.growth);
    const Pair<V> size = top * select(lower.negative, bottom, reciprocal(bottom));
    const Pair<V> offset = size + splat<V>(-1.0);
    Pair<V> g = precise_ ? log_pair<true>(size, offset) : log_pair<Full>(size, offset);
    Pair<V> power_up = select(upper.small, zero, upper.tau);
    Pair<V> power_low = select(lower.small, zero, lower.tau);
    V factor = splat<V>(1.0);
    for (int j = 0; j <= m_; ++j, factor = factor * up) {
      f[j] = scale_by(g, factor);
      if (j == m_) break;
      g = g - (power_up - power_low) * inverse_odd(j);
      power_up = power_up * upper.q;
      power_low = power_low * lower.q;
    }
  }

  // sum_i tau^(2i+1)/(2i+1), i >= j, for a small end; far terms count little.
  template <bool Subtract>
  FRACMOMENT_INLINE void add_series(const End& end, V up, Pair<V>* f) const {
    if (!any(end.small)) return;
    const int last = m_ + terms_, exact = Full ? last : exact_;
    V far = splat<V>(tables::kInverseOddHi[last]);
    for (int i = last - 1; i > exact; --i) far = far * end.q.hi + tables::kInverseOddHi[i];
    Pair<V> s{far, V{}}, tail[kMaxDerivative + 1];
    for (int i = std::min(exact, last - 1); i >= 0; --i) {
      s = s * end.q + inverse_odd(i);
      if (i <= m_) tail[i] = s;
    }
    const Pair<V> scaled = scale_by(end.q, up);
    Pair<V> power = select(end.small, Subtract ? -end.tau : end.tau, Pair<V>{});
    for (int j = 0; j <= m_; ++j, power = power * scaled) f[j] = f[j] + tail[j] * power;
  }
  FRACMOMENT_INLINE static Pair<V> inverse_odd(int i) {
    return splat_pair<V>(table_entry(tables::kInverseOddHi, tables::kInverseOddLo, i));
  }

  const UnitLaw& law_;
  int m_, terms_ = 0, exact_ = 0;
  bool precise_ = true;  // the logarithm in full
  double threshold_ = 1.0;
  Real density_{0.0};
};

// binomial(j+l, j) (1/2)_{j+l}/(j+l)!, exact enough for every j + l < 128.
FRACMOMENT_INLINE Real unit_coefficient(int j, int l) {
  Real c{tables::kHalfRisingHi[j + l], tables::kHalfRisingLo[j + l]};
  for (int i = 1; i <= l; ++i) c = c * Real(double(j + i)) * inverse_integer(i);
  return c;
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
