// An upper bound of the continued transform on a vertical line, for the tails of contours.
//
// |L(-e^(x+iy))| <= constant + growth |y|, from the triangle inequality and, with z = 2 b e^w and
// log |z| = x - c, c the column of the branch point,
//     |1 - z|^(-1/2) <= |e^(x-c) - 1|^(-1/2),
// for a range of slopes that lies on one side of x with the end nearest to x. Where x lies inside
// the range, arcsin and its continuation have |arcsin z| <= pi/2 for |z| <= 1, and beyond
//     |+-i (log z + log(1 + sqrt(1 - z^-2))) + pi/2| <= |log z| + 1.3 + pi/2,
// since |sqrt(1 - z^-2)| <= sqrt 2 lies right of 0. The dual transform has the same functions the
// other way round: |log((1 + sqrt(1 - z^2))/z)| <= |log z| + 1.3 for |z| <= 1, and beyond
// |+-i arcsin(1/z) -+ i pi/2| <= pi.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "fracmoment/digits/law.hpp"

namespace fracmoment::digits {

struct LineBound {
  double constant = 0.0, growth = 0.0;
};

class TransformBound {
 public:
  TransformBound(const Law& law, bool dual) : dual_(dual), constant_(law.atom.to_double()) {
    points_.push_back({column(Rational(1, 1)), law.one.to_double()});
    const double slope = law.slope.to_double();
    if (law.kind == SlopeKind::kPoint) {
      points_.push_back({column(law.upper), dual ? slope / law.upper.to_double() : slope});
    }
    if (law.kind != SlopeKind::kUniform) return;
    uniform_ = true;
    const double length = (law.upper - law.lower).to_double();
    density_ = slope / length;
    ends_.push_back(column(law.upper));
    if (law.lower.sign() != 0) ends_.push_back(column(law.lower));
    around_zero_ = law.lower.sign() <= 0;
    first_ = dual ? column(law.lower) : ends_.front();
    last_ = dual ? ends_.front() : ends_.back();
    if (around_zero_) first_ = *std::min_element(ends_.begin(), ends_.end());
    mass_ = dual ? density_ * kLog2 * (law.upper.log2_abs() - law.lower.log2_abs()) : slope;
  }

  // L(0), the bound for Re t >= 0.
  double mass() const {
    double out = constant_ + (uniform_ ? mass_ : 0.0);
    for (const Point& p : points_) out += p.weight;
    return out;
  }

  // Between x and x + slack on the line; infinite where a branch point lies there.
  LineBound on_line(double x, double slack) const {
    LineBound out{constant_, 0.0};
    for (const Point& p : points_) out.constant += p.weight * inverse_root(x, slack, p.column);
    if (uniform_) add_uniform(x, slack, out);
    return out;
  }

 private:
  struct Point {
    double column, weight;
  };

  double column(const Rational& slope) const {
    return (dual_ ? 2.0 : -2.0) * kLog2 * slope.log2_abs() - kLog2;
  }

  // The largest |e^(u-c) - 1|^(-1/2) for u in [x, x + slack].
  static double inverse_root(double x, double slack, double c) {
    if (x <= c && c <= x + slack) return HUGE_VAL;
    return 1.0 / std::sqrt(std::fabs(std::expm1(x > c ? x - c : x + slack - c)));
  }

  void add_uniform(double x, double slack, LineBound& out) const {
    if (x + slack < first_) {
      out.constant += mass_ * inverse_root(x, slack, first_);
    } else if (!around_zero_ && x > last_) {
      out.constant += mass_ * inverse_root(x, slack, last_);
    } else {
      const double share = dual_ ? density_ : density_ / std::sqrt(2.0) * std::exp(-0.5 * x);
      for (const double end : ends_) add_end(x, slack, end, share, out);
    }
  }

  // arcsin (dual: log) at one end, with log|z| at most (|x-c| + slack)/2 in size and arg z = y/2.
  void add_end(double x, double slack, double end, double share, LineBound& out) const {
    const double log_size = 0.5 * (std::fabs(x - end) + slack);
    if (dual_ ? x > end : x + slack < end) {
      out.constant += share * (dual_ ? kPi : 0.5 * kPi);
    } else {
      out.constant += share * (kPi + log_size);
      out.growth += share * 0.5;
    }
  }

  bool dual_;
  double constant_;
  bool uniform_ = false, around_zero_ = false;
  std::vector<Point> points_;
  std::vector<double> ends_;
  double density_ = 0.0, mass_ = 0.0, first_ = 0.0, last_ = 0.0;
};

}  // namespace fracmoment::digits
