// Cumulants from moments, for logarithms of any-precision laws.
#pragma once

#include <vector>

#include "fracmoment/digits/number.hpp"

namespace fracmoment::digits {

inline long binomial_coefficient(unsigned long n, unsigned long k) {
  unsigned long value = 1;
  for (unsigned long i = 1; i <= k; ++i) value = value * (n - k + i) / i;
  return static_cast<long>(value);
}

// kappa_1..kappa_n from the moments E 1, E Y, ..., E Y^n:
//     kappa_n = m_n - sum_{j<n} C(n-1, j-1) kappa_j m_(n-j).
inline std::vector<Real> cumulants_from_moments(const std::vector<Real>& m) {
  std::vector<Real> kappa;
  for (unsigned long n = 1; n < m.size(); ++n) {
    Real value = m[n];
    for (unsigned long j = 1; j < n; ++j)
      value -= kappa[j - 1] * m[n - j] * binomial_coefficient(n - 1, j - 1);
    kappa.push_back(value);
  }
  return kappa;
}

}  // namespace fracmoment::digits
