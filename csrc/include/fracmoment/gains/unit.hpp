// One neuron: Y = b z^2 with a random b >= 0, z ~ N(0, 1), and the local expansions of its Laplace
// transform L(t) = E (1 + 2 b t)^(-1/2).
//
// With y = 1/(1 + 2bt), the coefficients of
//   U(e, f) = E sqrt(y) (1 - e (1-y) - f y)^(-1/2) = sum_{j,l} u_jl e^j f^l,
//   u_jl = (1/2)_{j+l}/(j! l!) E sqrt(y) (1-y)^j y^l,
// are positive. Those with l = 0 are the Taylor coefficients (-t)^j L^(j)(t)/j!; l counts degrees
// of freedom added to the chi-square of the whole layer (docs/algorithms/mellin.md).
#pragma once

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

// 1/sqrt(1 + x) for x >= 0: one step of third order from the rounded value, error below 2^-98.
template <class V>
FRACMOMENT_INLINE DD<V> inverse_root(const DD<V>& x) {
  const DD<V> w = x + splat<V>(1.0);
  const V s = 1.0 / sqrt(w.hi);
  const DD<V> residual = w * two_prod(s, s) + splat<V>(-1.0);
  const V r = residual.hi;
  return fast_two_sum(s, s * (r * (r * 0.375 - 0.5)));
}

// (1/(u-l)) sqrt(1/(2t)) [F_j]_l^u with F_j(x) = int_0^asinh(x) tanh^(2j): the moments
// E sqrt(y) (1-y)^j of the uniform part, j = 0..m, at one block of t.
template <class V>
class UniformMoments {
 public:
  FRACMOMENT_INLINE UniformMoments(const UnitLaw& law, int m) : law_(law), m_(m) {
    // F_j ~ tau^(2j+1)/(2j+1): the recurrence upwards cancels for small tau = tanh(asinh x) and the
    // power series is slow for large tau. Switching at tau^(2m+1) = 1e-9 leaves 22 digits.
    const double e = 9.0 * 2.302585092994046 / (2 * m + 1);
    threshold_ = 1.0;
    for (int i = 0; i < 60 && threshold_ > 1e-3 && e > 0.0; ++i) {
      if (log_estimate(threshold_) <= -e) break;
      threshold_ *= 0.875;
    }
    terms_ = int(52.0 / -(2.0 * log_estimate(threshold_))) + 2;
    if (terms_ > 126 - m) terms_ = 126 - m;
  }
  // F_j up^j at the end `slope`, j = 0..m; root = sqrt(2t), up a power of two about 1/(2t).
  FRACMOMENT_INLINE void end(const DD<V>& root, const Real& slope, V up, DD<V>* f) const {
    integrals(splat<V>(slope) * root, up, f);
  }
  FRACMOMENT_INLINE DD<V> density(const DD<V>& root) const {
    return splat<V>(law_.uniform_weight) / (splat<V>(law_.upper - law_.lower) * root);
  }

 private:
  static double log_estimate(double x) { return log(Real(x)).hi; }

  FRACMOMENT_INLINE void integrals(const DD<V>& x, V up, DD<V>* f) const {
    const DD<V> square = x * x, s_inverse = inverse_root(square);
    const DD<V> tau = x * s_inverse, q = tau * tau;
    const MaskOf<V> small = abs(tau.hi) < threshold_;
    if (any(small)) {
      DD<V> s = splat<V>(table_entry(tables::kInverseOddHi, tables::kInverseOddLo, m_ + terms_));
      for (int i = m_ + terms_ - 1; i >= 0; --i) {
        s = s * q + splat<V>(table_entry(tables::kInverseOddHi, tables::kInverseOddLo, i));
        if (i <= m_) f[i] = s;
      }
      const DD<V> scaled = scale_by(q, up);
      DD<V> power = tau;
      for (int j = 0; j <= m_; ++j, power = power * scaled) f[j] = f[j] * power;
    }
    if (all(small)) return;
    const MaskOf<V> negative = x.hi < 0.0;
    const DD<V> ax = select(negative, -x, x);
    DD<V> g = log(ax + (square + splat<V>(1.0)) * s_inverse);
    g = select(negative, -g, g);
    DD<V> power = tau;
    V factor = splat<V>(1.0);
    for (int j = 0; j <= m_; ++j, factor = factor * up) {
      f[j] = select(small, f[j], scale_by(g, factor));
      if (j == m_) break;
      g = g - power * splat<V>(table_entry(tables::kInverseOddHi, tables::kInverseOddLo, j));
      power = power * q;
    }
  }

  const UnitLaw& law_;
  int m_, terms_;
  double threshold_;
};

// binomial(j+l, j) (1/2)_{j+l}/(j+l)!, exact enough for every j + l < 128.
FRACMOMENT_INLINE Real unit_coefficient(int j, int l) {
  Real c{tables::kHalfRisingHi[j + l], tables::kHalfRisingLo[j + l]};
  for (int i = 1; i <= l; ++i) c = c * Real(double(j + i)) * inverse_integer(i);
  return c;
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
