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
#include <optional>
#include <vector>

#include "fracmoment/error.hpp"

namespace fracmoment {

// Numbers times exp(log_scale): two integrands and two more means, the magnitudes of the first two,
// the first two weighted, and by how much the nodes of an inner sum disagree.
struct ScaledValues {
  enum : std::size_t { kFirst, kSecond, kLog, kSquare, kMagnitude, kProbe = 6, kInner = 8 };
  static constexpr std::size_t kInnerCount = 3, kCount = kInner + 2 * kInnerCount;
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
  double size() const { return value[kMagnitude] + value[kMagnitude + 1]; }
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

  template <class F>
  ScaledValues operator()(F&& f) const {
    if (const auto sum = within(StretchedGrid::kLevels, f)) return *sum;
    throw ConvergenceError(
        "the quadrature of a moment of SGD did not converge: step size, order or dimension are "
        "too extreme together");
  }

  // The sum of f(w), if so many halvings of the step are enough. A weak singularity on the line
  // hides below the others; halving divides what it leaves by `fall`.
  template <class F>
  std::optional<ScaledValues> within(int levels, F&& f, double fall = kUnknown) const {
    int step = 1 << StretchedGrid::kLevels;
    ScaledValues sum = sweep(f, 0, step);
    double before = 1.0;
    for (int level = 0; level < levels; ++level, step /= 2) {
      const ScaledValues shifted = sweep(f, step / 2, step);
      const double apart = std::min(difference(sum, shifted), 1.0);
      sum.add(shifted, 1.0);
      sum.multiply(0.5);
      if (!checked_) return sum;
      const double ratio = apart / before;
      const bool sure = apart < std::min(apart_, error_ * fall);
      if (before < kKnown && sure && apart * ratio * ratio < error_) return sum;
      if (apart < noise_) return sum;
      before = std::max(apart, noise_);
    }
    return std::nullopt;
  }

 private:
  static constexpr double kError = 3e-16, kLoosest = 1e-3;
  static constexpr double kApart = 1e-8;  // a weak singularity near the line may still hide below
  static constexpr double kUnknown = std::numeric_limits<double>::infinity();
  static constexpr double kKnown = 0.5;  // differences above it say nothing about the rate
  static constexpr double kNegligible = 39.0, kFewest = 12.0;  // exp(-39) = 1e-17

  // The largest relative difference of the first two numbers and the weighted ones.
  static double difference(const ScaledValues& a, const ScaledValues& b) {
    const double ratio = std::exp(b.log_scale - a.log_scale);
    double largest = 0.0;
    for (const std::size_t first :
         {std::size_t(ScaledValues::kFirst), std::size_t(ScaledValues::kProbe)})
      for (std::size_t m = 0; m < 2; ++m) {
        const double size = a.value[ScaledValues::kMagnitude + m];
        const double apart = std::abs(a.value[first + m] - ratio * b.value[first + m]);
        if (size > 0.0) largest = std::max(largest, apart / size);
      }
    return largest;
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
        ScaledValues term = f(centre_ + scale_ * grid.sinh[i]);
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
