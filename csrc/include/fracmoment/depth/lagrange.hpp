// Lagrange's formula on a lattice: 24 points, for the cell in their middle.
//
// A function whose frequencies stay below theta per step is interpolated to about
// 1e-8 theta^24: to rounding below 1/2. See docs/algorithms/depth_law.md.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fracmoment {

constexpr std::int64_t kStencil = 24;
constexpr std::int64_t kBefore = kStencil / 2 - 1;  // points of the stencil before its middle cell

// The weights at `position` in units of the step from the first point of a stencil.
inline void lagrange_weights(double position, double* weight) {
  double sign = 1.0, binomial = 1.0, sum = 0.0;
  for (std::int64_t i = 0; i < kStencil; ++i) {
    const double distance = position - double(i);
    if (distance == 0.0) {
      std::fill(weight, weight + kStencil, 0.0);
      weight[i] = 1.0;
      return;
    }
    weight[i] = sign * binomial / distance;
    sum += weight[i];
    sign = -sign;
    binomial = binomial * double(kStencil - 1 - i) / double(i + 1);
  }
  for (std::int64_t i = 0; i < kStencil; ++i) weight[i] /= sum;
}

}  // namespace fracmoment
