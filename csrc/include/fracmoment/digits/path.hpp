// Paths of integration in the plane of w, t = -e^w: arches and loops with rounded corners.
#pragma once

#include "fracmoment/digits/continued_transform.hpp"

namespace fracmoment::digits {

// corner log(1 + e^(u/corner)) and its derivative, for real and shifted arguments.
template <class N>
struct Softplus {
  N value, slope;
};
inline Softplus<Complex64> softplus(const Complex64& u, double corner) {
  const Complex64 x = u / corner;
  const Complex64 small = std::exp(x.real() > 0.0 ? -x : x);
  const Complex64 log_part = corner * std::log(1.0 + small);
  if (x.real() > 0.0) return {u + log_part, 1.0 / (1.0 + small)};
  return {log_part, small / (1.0 + small)};
}
inline Softplus<Real> softplus(const Real& u, double corner) {
  const Real size = Real::from_double(u.bits(), corner);
  const Real power = exp(u / size);
  return {size * log1p(power), power / (power + Real(u.bits(), 1))};
}

// With z(u) = corner log(1 + e^(u/corner)), which is 0 on the far left and u on the far right,
//     arch: w = left + z(u) - z(u-width) + i (height - z(-u) - z(u-width)),
//     loop: w = left + z(u-height) + z(-u-height) + i (z(u+height) - z(u-height) - height).
struct Path {
  bool arch = true;
  double left = 0.0, width = 0.0, height = 0.0, corner = 1.0;

  double last_corner() const { return arch ? width : height; }
  double first_corner() const { return arch ? 0.0 : -height; }
};

// The coefficients of 1 and i in w and dw/du; complex themselves on a shifted path.
template <class N>
struct PathValue {
  N x, y, dx, dy;
};

template <class N>
PathValue<N> follow(const Path& path, const N& u) {
  const N one = number_of(u, 1.0);
  const N left = number_of(u, path.left);
  const N height = number_of(u, path.height);
  const N first = u - number_of(u, path.first_corner());
  const Softplus<N> a = softplus(first, path.corner);
  const Softplus<N> b = softplus(N(u - number_of(u, path.last_corner())), path.corner);
  if (path.arch) {
    return {left + a.value - b.value, height - a.value + u - b.value, a.slope - b.slope,
            one - a.slope - b.slope};
  }
  return {left + b.value + a.value - first, a.value - b.value - height, b.slope + a.slope - one,
          a.slope - b.slope};
}

struct PlannedPath {
  Path path;
  double begin = 0.0, step = 1.0;
  long nodes = 0;
};

}  // namespace fracmoment::digits
