// Chebyshev series on panels, with the same bits on every machine.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace fracmoment {

// cos(pi (k + 1/2)/n) from the Taylor series: the same on every machine.
inline double chebyshev_node(int k, int n) {
  double angle = 3.141592653589793 * (k + 0.5) / n, sign = 1.0;
  if (angle > 1.5707963267948966) {
    angle = 3.141592653589793 * (n - k - 0.5) / n;
    sign = -1.0;
  }
  double sum = 0.0, term = 1.0;
  for (int j = 1; j < 24; j += 2) {
    sum += term;
    term *= -angle * angle / double(j * (j + 1));
  }
  return sign * sum;
}

template <int n>
inline const std::array<double, n>& chebyshev_nodes() {
  static const std::array<double, n> nodes = [] {
    std::array<double, n> x{};
    for (int k = 0; k < n; ++k) x[std::size_t(k)] = chebyshev_node(k, n);
    return x;
  }();
  return nodes;
}

// Coefficients of the interpolating Chebyshev series from values at the nodes; of their distance
// from one of them, so that a large mean leaves no rounding in the small coefficients.
template <int n>
inline void chebyshev_series(const double* value, double* series) {
  const auto& x = chebyshev_nodes<n>();
  std::fill(series, series + n, 0.0);
  for (std::size_t k = 0; k < std::size_t(n); ++k) {
    double before = 1.0, here = x[k];
    const double rest = value[k] - value[n / 2];
    series[0] += rest;
    for (int j = 1; j < n; ++j) {
      series[j] += rest * here;
      const double next = 2.0 * x[k] * here - before;
      before = here;
      here = next;
    }
  }
  for (int j = 0; j < n; ++j) series[j] *= (j == 0 ? 1.0 : 2.0) / n;
  series[0] += value[n / 2];
}

inline double clenshaw(const double* series, int n, double t) {
  double first = 0.0, second = 0.0;
  for (int j = n - 1; j > 0; --j) {
    const double next = series[j] + 2.0 * t * first - second;
    second = first;
    first = next;
  }
  return series[0] + t * first - second;
}

}  // namespace fracmoment
