// Cumulants of log X from moments: conversions and the expansion for wide layers.
#pragma once

#include <array>

#include "fracmoment/gains/unit.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

// Moments cancel ever more digits: the fifth is good to 2 ulp of its natural unit, and serves only
// the expansion at small orders; from there on the any-precision route answers.
constexpr int kMaxCumulant = 5, kAccurateCumulant = 4;
using Cumulants = std::array<Real, kMaxCumulant + 1>;  // entry n: the n-th; entry 0 unused

inline Real binomial_coefficient(int n, int k) {
  double r = 1.0;
  for (int i = 1; i <= k; ++i) r = r * (n - k + i) / i;
  return Real(r);
}

// kappa_n = m_n - sum_{j<n} C(n-1, j-1) kappa_j m_{n-j}, from raw moments m_1..m_n.
template <class Container>
void cumulants_from_moments(const Container& m, Container& kappa, int n_max) {
  for (int n = 1; n <= n_max; ++n) {
    Real k = m[std::size_t(n)];
    for (int j = 1; j < n; ++j)
      k = k - binomial_coefficient(n - 1, j - 1) * kappa[std::size_t(j)] * m[std::size_t(n - j)];
    kappa[std::size_t(n)] = k;
  }
}
template <class Container>
void moments_from_cumulants(const Container& kappa, Container& m, int n_max) {
  m[0] = Real(1.0);
  for (int n = 1; n <= n_max; ++n) {
    Real sum{0.0};
    for (int j = 1; j <= n; ++j)
      sum =
          sum + binomial_coefficient(n - 1, j - 1) * kappa[std::size_t(j)] * m[std::size_t(n - j)];
    m[std::size_t(n)] = sum;
  }
}

// Cumulants of log X for wide layers: X = d mu (1 + Z), cumulants of Z from those of Y, and
// log(1+Z)^n as a power series in Z, averaged term by term. An asymptotic expansion in v/d,
// v = Var Y/mu^2; as many moments are used as bring the first omitted term, about
// (n-1)!! (v/d)^(n/2), below 2^-70 (v/d)^4, or 24: at d/v = 2,500 the next is 1e-31.
class WideExpansion {
 public:
  static constexpr int kOrder = 24;
  static constexpr double kThreshold = 2500.0;  // smallest d/v

  explicit WideExpansion(const UnitLaw& unit) : unit_(unit), mean_(scale_moment(unit, 1)) {
    relative_variance_ = to_double(Real(3.0) * scale_moment(unit, 2) / (mean_ * mean_)) - 1.0;
    const double ratio = relative_variance_ / unit.width;
    double term = 1.0;  // over 7!! ratio^4
    for (order_ = 2; order_ < kOrder && (order_ < 12 || term > 8.5e-22); order_ += 2)
      term = order_ < 8 ? 1.0 : term * (order_ + 1.0) * ratio;
    omitted_ = 105.0 * std::pow(ratio, 4.0) * term * (order_ + 1.0) * ratio;
  }
  bool applies() const { return unit_.width >= kThreshold * relative_variance_; }
  double omitted() const { return omitted_; }  // the first term left out

  Cumulants cumulants(int n_max) const {
    const std::array<Real, kOrder + 1> z = moments_of_z();
    std::array<Real, kOrder + 1> power{};
    power[0] = Real(1.0);
    Cumulants m{}, kappa{};
    for (int n = 1; n <= n_max; ++n) {  // power = log(1+Z)^n as a series
      std::array<Real, kOrder + 1> next{};
      for (int i = n - 1; i <= order_; ++i)
        for (int j = 1; i + j <= order_; ++j) {
          const Real term = power[std::size_t(i)] * inverse_integer(j);
          next[std::size_t(i + j)] = next[std::size_t(i + j)] + (j % 2 == 1 ? term : -term);
        }
      power = next;
      for (int i = order_; i >= 1; --i)
        m[std::size_t(n)] = m[std::size_t(n)] + power[std::size_t(i)] * z[std::size_t(i)];
    }
    cumulants_from_moments(m, kappa, n_max);
    kappa[1] = kappa[1] + log(mean_ * Real(unit_.width));
    return kappa;
  }

 private:
  std::array<Real, kOrder + 1> moments_of_z() const {
    std::array<Real, kOrder + 1> raw{}, kappa{}, z{};
    Real double_factorial{1.0};
    raw[0] = Real(1.0);
    for (int j = 1; j <= order_; ++j) {
      double_factorial = double_factorial * Real(2.0 * j - 1.0);
      raw[std::size_t(j)] = double_factorial * scale_moment(unit_, j);
    }
    cumulants_from_moments(raw, kappa, order_);
    Real scale = Real(unit_.width);  // kappa_j(Z) = kappa_j(Y) d^(1-j)/mu^j
    for (int j = 1; j <= order_; ++j) {
      scale = scale / (mean_ * Real(unit_.width));
      kappa[std::size_t(j)] = j == 1 ? Real(0.0) : kappa[std::size_t(j)] * scale;
    }
    moments_from_cumulants(kappa, z, order_);
    return z;
  }

  const UnitLaw& unit_;
  Real mean_;
  double relative_variance_ = 0.0, omitted_ = 0.0;
  int order_ = kOrder;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
