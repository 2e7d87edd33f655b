// The logarithm of a layer's density as Chebyshev series on pieces, made as far as it is asked for.
//
// Next to a break of the law the variable is x = sqrt(delta), delta the distance to the break, in
// which densities of orthogonal layers are x^(2a) times an analytic function, a a half-integer;
// but for logarithms at some breaks, and a little further out it is log x.
#pragma once

#include <deque>
#include <vector>

#include "fracmoment/depth/step_law.hpp"

namespace fracmoment {

class PiecewiseDensity {
 public:
  // `spread` is about the standard deviation of the law.
  PiecewiseDensity(const StepLaw& law, double spread);

  double log_density(double y);
  // log f at a distance from a break, below or above it.
  double beside(std::size_t break_index, bool above, double distance);

 private:
  static constexpr int kTerms = 18;
  struct Piece {
    double low, high;                // in y
    int anchor = -1;                 // the break that distances are measured from
    bool above = false;              // on its upper side
    bool logarithmic = false;        // in log x, not x
    double first = 0.0, last = 0.0;  // of y, or of x on the side of the break
    double slope = 0.0;              // 2a; for a power: log f = series[0] + slope (y - high)
    bool power = false, empty = false;
    double series[kTerms] = {};
  };

  const Piece& piece_at(double y);
  double value_at(const Piece& piece, double at) const;
  void extend(bool up);
  bool add_plain(bool up, double from, double length);
  void add_beside(std::size_t break_index, bool above, double distance, bool up);
  void add_rooted(Piece whole, bool up, int depth);
  bool fit(Piece& piece) const;
  double root_slope(std::size_t break_index, bool above, double distance) const;
  Real point(const Piece& piece, double at) const;
  void push(const Piece& piece, bool up);

  const StepLaw& law_;
  std::deque<Piece> pieces_;
  double length_[2];  // of the next plain piece below and above
  bool ended_[2] = {false, false};
};

}  // namespace fracmoment
