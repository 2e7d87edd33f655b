// Moments of high orders, between those of the integers.
//
// For integers n, E X^n is n! times the n-th coefficient of (E exp(tY))^d: one power of one series
// gives all of them. Divided by what a Gamma law of nearly the same spread has, Gamma(n+e) beta^n,
// they hardly change from n to n+1, and a polynomial through some of them gives the orders between.
// Far from the singularities at p <= -1/2 it converges fast, the faster the wider the layer.
// Derivation and error: docs/algorithms/interpolation.md.
#pragma once

#include <algorithm>

#include "fracmoment/gains/unit.hpp"
#include "fracmoment/special/log_gamma.hpp"

namespace fracmoment {

constexpr int kMostMoments = 88;  // a multiple of 8; beyond, Mellin rules are faster

// E X^p = size 2^(exponent centre) (beta 2^exponent)^x Gamma(centre+e+x)/Gamma(centre+e) *
// polynomial in x = p - centre, 0 <= x <= 1, in Newton's form: coefficients at the integers x =
// node[0], ...
struct MomentInterpolation {
  int centre = 0, count = 0, exponent = 0;
  double shape = 0.0, beta = 1.0;  // e, beta
  Real size{1.0};                  // times what Gamma(centre+e) is apart from exp(gamma_log)
  Real log_beta{0.0}, gamma_log{0.0};
  double node[kMostMoments], hi[kMostMoments], lo[kMostMoments];
};

// Nodes go outwards from the centre, but not below this: there they would do harm.
inline int lowest_node(int centre) { return (2 * centre + 1) / 3; }

// The last moment that a polynomial is likely to need, from mean^2/variance of X. A singularity at
// p = -s lets the polynomial through the integers k err by prod |p - k|/(s + k).
inline int expected_last(int centre, double shape) {
  const double s = 1.0 + 0.5 * std::min(shape, 1e6);
  // for low orders the estimate is rough, and a polynomial that fails costs much
  const double enough = centre < 12 ? 0x1p66 : 0x1p62;
  double gain = 1.0;
  for (int i = 1; centre + i <= kMostMoments; ++i) {
    gain *= (centre + i + s) / (i - 0.5);
    if (centre + 1 - i >= lowest_node(centre)) gain *= (centre + 1 - i + s) / (i - 0.5);
    if (gain > enough) return centre + i;
  }
  return kMostMoments + 1;
}

inline namespace FRACMOMENT_ISA {

// q_n = E X^n/(n! 2^(n exponent)), by J.C.P. Miller's recurrence in blocks of eight, whatever the
// lanes: n q_n = sum_{k<n} ((n-k) d - k) r_(n-k) q_k with r_j = E Y^j/(j! 2^(j exponent)).
class MomentSeries {
 public:
  static constexpr int kBlock = 8;

  MomentSeries(const UnitLaw& law, int exponent) : width_(law.width) {
    const double scale = pow2(std::int64_t(1 - exponent));
    for (int i = 0; i < law.points; ++i) add(law.point[i], law.weight[i], scale, false);
    if (law.uniform) {  // E A^(2j) = (u^(2j+1) - l^(2j+1))/((2j+1)(u-l))
      const Real density = law.uniform_weight / (law.upper - law.lower);
      add(law.upper * law.upper, density * law.upper, scale, true);
      if (law.lower.hi != 0.0) add(law.lower * law.lower, -(density * law.lower), scale, true);
    }
    for (int j = 0; j <= kBlock; ++j) r_hi_[j] = r_lo_[j] = 0.0;  // r_j, j <= 0
    hi_[0] = 1.0;
    lo_[0] = 0.0;
  }

  int last() const { return last_; }  // q_0, ..., q_last are known
  Pair<double> operator[](int n) const { return {hi_[n], lo_[n]}; }

  void extend() {
    const int first = last_ + 1;
    add_unit_moments(first);
    Vec n[kVectors];
    Pair<Vec> sum[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      for (int i = 0; i < kLanes; ++i) set_lane(n[v], i, first + v * kLanes + i);
      sum[v] = {Vec{}, Vec{}};
    }
    const auto push = [&](int k, const Pair<double>& q) {  // the term of q_k
      for (int v = 0; v < kVectors; ++v) {
        const Vec factor = (n[v] - double(k)) * width_ - double(k);  // exact
        const int at = kBlock + first + v * kLanes - k;
        const Pair<Vec> r{load<Vec>(r_hi_ + at), load<Vec>(r_lo_ + at)};
        sum[v] = sum[v] + (r * factor) * Pair<Vec>{splat<Vec>(q.hi), splat<Vec>(q.lo)};
      }
    };
    for (int k = 0; k < first; ++k) push(k, (*this)[k]);
    for (int i = 0; i < kBlock; ++i) {
      const Pair<Vec>& s = sum[i / kLanes];
      const Pair<double> q = Pair<double>{lane(s.hi, i % kLanes), lane(s.lo, i % kLanes)} *
                             Pair<double>(inverse_integer(first + i));
      hi_[first + i] = q.hi;
      lo_[first + i] = q.lo;
      if (i + 1 < kBlock) push(first + i, q);
    }
    last_ += kBlock;
  }

 private:
  static constexpr int kVectors = kBlock / kLanes, kMostTerms = 18;

  // A share weight * base^j of E Y^j/((1/2)_j/j! 2^(j exponent)), or that over 2j+1.
  struct Term {
    Pair<Vec> power[kVectors], step;
    bool odd;
  };
  void add(const Real& b, const Real& weight, double scale, bool odd) {
    Term& term = term_[terms_++];
    const Pair<double> base = scale_by(Pair<double>(b), scale);
    Pair<double> power = Pair<double>(weight) * base;
    for (int i = 0; i < kBlock; ++i, power = power * base) {
      set_lane(term.power[i / kLanes].hi, i % kLanes, power.hi);
      set_lane(term.power[i / kLanes].lo, i % kLanes, power.lo);
    }
    const Pair<double> square = base * base, fourth = square * square, step = fourth * fourth;
    term.step = {splat<Vec>(step.hi), splat<Vec>(step.lo)};
    term.odd = odd;
  }
  void add_unit_moments(int first) {
    for (int v = 0; v < kVectors; ++v) {
      const int j = first + v * kLanes;
      const auto entries = [&](const double* hi, const double* lo) {
        return Pair<Vec>{load<Vec>(hi + j), load<Vec>(lo + j)};
      };
      Pair<Vec> sum{Vec{}, Vec{}}, odd{Vec{}, Vec{}};
      for (int i = 0; i < terms_; ++i) {
        Pair<Vec>& power = term_[i].power[v];
        (term_[i].odd ? odd : sum) = (term_[i].odd ? odd : sum) + power;
        power = power * term_[i].step;
      }
      sum = sum + odd * entries(tables::kInverseOddHi, tables::kInverseOddLo);
      sum = sum * entries(tables::kHalfRisingHi, tables::kHalfRisingLo);
      store(r_hi_ + kBlock + j, sum.hi);
      store(r_lo_ + kBlock + j, sum.lo);
    }
  }

  double width_;
  int last_ = 0, terms_ = 0;
  Term term_[kMostTerms];
  double r_hi_[kBlock + kMostMoments + kBlock], r_lo_[kBlock + kMostMoments + kBlock];
  double hi_[kMostMoments + 1], lo_[kMostMoments + 1];
};

// The polynomial through the moments known so far; whether it has converged.
inline bool interpolate(const MomentSeries& q, MomentInterpolation& r) {
  constexpr double tolerance = 0x1p-64;
  const int c = r.centre, last = q.last();
  const int first = std::max(lowest_node(c), 2 * c + 1 - last), count = last - first + 1;
  // the Gamma law: M(c+1) M(c-1)/M(c)^2 = (c+e)/(c-1+e)
  const double up = q[c + 1].hi / q[c].hi, down = q[c].hi / q[c - 1].hi;
  const double excess = up / down * ((c + 1.0) / c) - 1.0;
  r.shape = std::max(-0.25 * c, excess > 0x1p-16 ? 1.0 / excess - c + 1.0 : 65536.0);
  r.beta = up * (c + 1.0) / (c + r.shape);
  double hi[kMostMoments + 16], lo[kMostMoments + 16];
  const auto set = [&](int k, const Pair<double>& g) {
    const Pair<double> f = q[k] * g;
    hi[k - first] = f.hi;
    lo[k - first] = f.lo;
  };
  const Pair<double> start = reciprocal(q[c]);
  Pair<double> g = start;
  set(c, g);
  for (int k = c; k < last; ++k) {  // g(k+1) = g(k) (k+1)/((k+e) beta)
    const Pair<double> spread = Pair<double>(two_sum(double(k), r.shape)) * r.beta;
    g = g * (reciprocal(spread) * (k + 1.0));
    set(k + 1, g);
  }
  g = start;
  for (int k = c - 1; k >= first; --k) {
    const Pair<double> spread = Pair<double>(two_sum(double(k), r.shape)) * r.beta;
    g = g * (spread * Pair<double>(inverse_integer(k + 1)));
    set(k, g);
  }
  for (int i = count; i < count + 16; ++i) hi[i] = lo[i] = 0.0;
  // differences; nodes c, c+1, c-1, c+2, ... as long as there are any on the left
  int left = c, right = c, small = 0;
  Real factor{1.0};  // 1/k!
  double product = 1.0;
  for (int k = 0; k < count; ++k) {
    if (k > 0) {
      for (int i = 0; i < count - k; i += kLanes) {
        const Pair<Vec> a{load<Vec>(hi + i), load<Vec>(lo + i)};
        const Pair<Vec> b{load<Vec>(hi + i + 1), load<Vec>(lo + i + 1)};
        const Pair<Vec> difference = b - a;
        store(hi + i, difference.hi);
        store(lo + i, difference.lo);
      }
      const bool to_left = k % 2 == 0 && left > first;
      (to_left ? --left : ++right);
      factor = factor * inverse_integer(k);
      r.node[k] = (to_left ? left : right) - c;
    } else {
      r.node[k] = 0.0;
    }
    // the low part of a difference may be larger than the high part
    const Real coefficient = two_sum(hi[left - first], lo[left - first]) * factor;
    r.hi[k] = coefficient.hi;
    r.lo[k] = coefficient.lo;
    small = abs(coefficient.hi) * product < tolerance ? small + 1 : 0;
    product *= abs(0.5 - r.node[k]);
    if (small == 3) {
      r.count = k + 1;
      r.log_beta = log(Real(r.beta));
      const Gamma<double> bottom = gamma_parts<true>(two_sum(r.shape, double(c)));
      r.gamma_log = bottom.log;
      r.size = normalized(q[c]) * bottom.shift;
      for (int i = 2; i <= c; ++i) r.size = r.size * double(i);
      return true;
    }
  }
  return false;
}

// Sets the polynomial for centre <= p <= centre + 1; false if none is likely to do, or does.
inline bool moment_interpolation(const UnitLaw& law, int centre, MomentInterpolation& r) {
  const double first = to_double(scale_moment(law, 1)), second = to_double(scale_moment(law, 2));
  const double mean = law.width * first, variance = law.width * (3.0 * second - first * first);
  const int enough = expected_last(centre, mean * mean / variance);
  if (enough > kMostMoments) return false;
  const double typical = mean / centre + 2.0;
  r.centre = centre;
  r.exponent = int((bits(typical) >> 52) - 1023);
  MomentSeries q(law, r.exponent);
  while (q.last() < enough) q.extend();
  while (!interpolate(q, r)) {
    if (q.last() == kMostMoments) return false;
    q.extend();
  }
  return true;
}

// The polynomial at x = p - centre.
template <class V>
FRACMOMENT_INLINE DD<V> newton_polynomial(const MomentInterpolation& r, const DD<V>& at) {
  const Pair<V> x(at);
  Pair<V> sum{splat<V>(r.hi[r.count - 1]), splat<V>(r.lo[r.count - 1])};
  for (int k = r.count - 2; k >= 0; --k)
    sum = sum * (x + splat<V>(-r.node[k])) + Pair<V>{splat<V>(r.hi[k]), splat<V>(r.lo[k])};
  return normalized(sum);
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
