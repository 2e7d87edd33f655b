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
  FRACMOMENT_INLINE UniformMoments(const UnitLaw& law, int m) : law_(law), m_(m) {
    if (!law.uniform) return;
    // F_j ~ tau^(2j+1)/(2j+1): the recurrence upwards cancels for small tau = tanh(asinh x) and the
    // power series is slow for large tau. They change where tau^(2m+1) is 1e-9, or 1e-12 if not
    // Full, which leaves 22 digits of the 31, or 19.
    const double change = (Full ? 20.7 : 27.6) / (2 * m + 1), accuracy = Full ? 52.0 : 44.0;
    threshold_ = 1.0;
    for (int i = 0; i < 60 && threshold_ > 1e-3; ++i) {
      if (rough_log(threshold_) <= -change) break;
      threshold_ *= 0.875;
    }
    terms_ = std::min(126 - m, int(accuracy / -(2.0 * rough_log(threshold_))) + 2);
    density_ = law.uniform_weight / (law.upper - law.lower);
  }

  // E sqrt(y) (1-y)^j up^j times the weight, j = 0..m; root = sqrt(2t), up a power of two about
  // 1/(2t).
  FRACMOMENT_INLINE void moments(const Pair<V>& root, V up, Pair<V>* f) const {
    const End upper(splat_pair<V>(law_.upper) * root, threshold_);
    const End lower(splat_pair<V>(law_.lower) * root, threshold_);
    for (int j = 0; j <= m_; ++j) f[j] = Pair<V>{};
    if (!all(upper.small)) add_recurrence(upper, lower, up, f);
    add_series<false>(upper, up, f);
    add_series<true>(lower, up, f);
    const Pair<V> density = splat_pair<V>(density_) * reciprocal(root);
    for (int j = 0; j <= m_; ++j) f[j] = f[j] * density;
  }

 private:
  struct End {
    Pair<V> tau, q, growth;  // tanh, its square, e^asinh|x|
    MaskOf<V> small, negative;
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
    Pair<V> g{log(normalized(size))};
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
    const int last = m_ + terms_, exact = Full ? last : m_ + 2;
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
  int m_, terms_ = 0;
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
