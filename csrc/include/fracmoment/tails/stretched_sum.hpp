// Integrals over the line of analytic functions with exponential tails, by sums that show their own
// error.
//
// w = centre + scale sinh(tau) makes exponential tails double exponential; the trapezoidal rule in
// tau then converges exponentially: step h leaves an error c exp(-k/h) [TW14]. The differences of
// sums of step 2h and h from those shifted by half a step give c and k, and with them the error of
// the finest sum, as e_h (e_h/e_2h)^2. A difference is the real part of a complex number and may be
// small by chance; the same sum weighted by tanh(tau), about a quarter turn away, then is not.
// docs/algorithms/sgd.md.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "fracmoment/error.hpp"

namespace fracmoment {

// Numbers times exp(log_scale): a positive one, one of any sign, two more, the sum of the
// magnitudes of the second, and the first two weighted.
struct ScaledValues {
  static constexpr int kCount = 7, kMagnitude = 4, kProbe = 5;
  double log_scale = -std::numeric_limits<double>::infinity();
  std::array<double, kCount> value{};

  // Adds the other numbers times a factor > 0; returns the size of what was added.
  double add(const ScaledValues& other, double factor) {
    if (!(other.log_scale > -std::numeric_limits<double>::infinity())) return 0.0;
    if (other.log_scale > log_scale + 30.0) {
      const double shrink = std::exp(log_scale - other.log_scale);
      for (double& v : value) v *= shrink;
      log_scale = other.log_scale;
    }
    const double weight = factor * std::exp(other.log_scale - log_scale);
    for (std::size_t i = 0; i < kCount; ++i) value[i] += weight * other.value[i];
    return weight * other.size();
  }
  void multiply(double factor) {
    for (double& v : value) v *= factor;
  }
  double size() const { return value[0] + value[kMagnitude]; }
};

// sinh and cosh on the finest grid, of 2 * kReach + 1 points.
struct StretchedGrid {
  static constexpr int kLevels = 8;  // steps kStep, kStep/2, ...
  static constexpr double kStep = 0.75, kFinest = kStep / (1 << kLevels);
  static constexpr int kReach = int(6.75 / kFinest);
  std::vector<double> sinh, cosh;

  StretchedGrid() : sinh(2 * kReach + 1), cosh(2 * kReach + 1) {
    for (int j = -kReach; j <= kReach; ++j) {
      sinh[std::size_t(j + kReach)] = std::sinh(j * kFinest);
      cosh[std::size_t(j + kReach)] = std::cosh(j * kFinest);
    }
  }
  static const StretchedGrid& get() {
    static const StretchedGrid grid;
    return grid;
  }
};

// An integral that counts exp(-relax) times in a larger one need not be as accurate. An unchecked
// sum has the step 0.375 and usually 4 to 6 digits: enough to look for a root.
struct Accuracy {
  double relax;
  bool checked;
  Accuracy less(double more) const { return {relax + std::max(0.0, more), checked}; }
};

class StretchedSum {
 public:
  // `noise` is the relative error of single terms.
  StretchedSum(double centre, double scale, const Accuracy& accuracy, double noise)
      : centre_(centre),
        scale_(scale),
        error_(std::min(kError * std::exp(accuracy.relax), kLoosest)),
        apart_(std::min(kApart * std::exp(accuracy.relax), kLoosest)),
        noise_(noise),
        negligible_(std::exp(-std::max(kNegligible - accuracy.relax, kFewest))),
        checked_(accuracy.checked) {}

  // f(w, j): the numbers at the j-th point of the finest grid.
  template <class F>
  ScaledValues operator()(F&& f) const {
    int step = 1 << StretchedGrid::kLevels;
    ScaledValues sum = sweep(f, 0, step);
    for (double before = 1.0; step > 1; step /= 2) {
      const ScaledValues shifted = sweep(f, step / 2, step);
      const double apart = std::min(difference(sum, shifted), 1.0);
      sum.add(shifted, 1.0);
      sum.multiply(0.5);
      if (!checked_) return sum;
      const double ratio = apart / before;
      if (before < kKnown && apart < apart_ && apart * ratio * ratio < error_) return sum;
      if (apart < noise_) return sum;
      before = std::max(apart, noise_);
    }
    throw ConvergenceError(
        "the quadrature of a moment of SGD did not converge: step size, order or dimension are "
        "too extreme together");
  }

 private:
  static constexpr double kError = 3e-16, kLoosest = 1e-3;
  static constexpr double kApart = 1e-10;  // a weak singularity near the line may still hide below
  static constexpr double kKnown = 0.5;    // differences above it say nothing about the rate
  static constexpr double kNegligible = 39.0, kFewest = 12.0;  // exp(-39) = 1e-17

  // The largest relative difference of the first two numbers and the weighted sum.
  static double difference(const ScaledValues& a, const ScaledValues& b) {
    const double ratio = std::exp(b.log_scale - a.log_scale);
    const auto apart = [&](int i, double size) {
      return size > 0.0 ? std::abs(a.value[std::size_t(i)] - ratio * b.value[std::size_t(i)]) / size
                        : 0.0;
    };
    const double first = a.size(), second = a.value[ScaledValues::kMagnitude];
    return std::max({apart(0, first), apart(ScaledValues::kProbe, first), apart(1, second),
                     apart(ScaledValues::kProbe + 1, second)});
  }

  template <class F>
  ScaledValues sweep(F&& f, int first, int step) const {
    const StretchedGrid& grid = StretchedGrid::get();
    ScaledValues sum;
    for (const int direction : {1, -1}) {
      bool small_before = false;
      for (int j = direction > 0 ? first : first - step; std::abs(j) <= StretchedGrid::kReach;
           j += direction * step) {
        const std::size_t i = std::size_t(j + StretchedGrid::kReach);
        const double jacobian = scale_ * grid.cosh[i] * (step * StretchedGrid::kFinest);
        ScaledValues term = f(centre_ + scale_ * grid.sinh[i], j);
        const double side = grid.sinh[i] / grid.cosh[i];
        for (std::size_t m = 0; m < 2; ++m)
          term.value[ScaledValues::kProbe + m] = side * term.value[m];
        const double added = sum.add(term, jacobian);
        // after two small terms the rest is smaller still
        const bool small = !(added > negligible_ * sum.size());
        if (small && small_before && sum.size() > 0.0) break;
        small_before = small;
      }
    }
    return sum;
  }

  double centre_, scale_, error_, apart_, noise_, negligible_;
  bool checked_;
};

}  // namespace fracmoment
