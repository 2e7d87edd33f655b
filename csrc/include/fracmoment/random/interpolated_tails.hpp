// A law whose tails take long to compute, interpolated: far fewer evaluations than the search for
// quantiles needs. Chebyshev series of log P on panels; next to a point where the law has an atom,
// a pole of the density or the end of its support, in the logarithm of the distance, in which
// powers of the distance are smooth.
#pragma once

#include <vector>

#include "fracmoment/random/quantile_table.hpp"

namespace fracmoment {

class InterpolatedTails : public TailLaw {
 public:
  // The law is smooth but for these points, by increasing value; the highest is the end of its
  // support. What lies within `near` of a point has the tails at that distance.
  InterpolatedTails(const TailLaw& law, std::vector<double> points, double near);

  void tails(const double* x, std::size_t n, bool upper, double* log_p,
             double* density) const override;
  double spread() const override { return law_.spread(); }

 private:
  static constexpr int kTerms = 24;
  enum class Scale { plain, after, before };  // x itself, or log of the distance from a point
  struct Panel {
    Scale scale;
    double point, left, right;  // left and right on that scale
    double low, high;           // of x
    double series[kTerms];
  };

  void cover(bool upper);
  void cover_side(Scale scale, double point, double length, bool upper);
  bool add(Scale scale, double point, double left, double right, int depth, bool upper);
  void evaluate(const Panel& panel, double x, bool upper, double& log_p, double& density) const;

  const TailLaw& law_;
  std::vector<double> points_;
  double near_;
  std::vector<Panel> panels_[2];  // of the lower and the upper tail, by increasing x
};

}  // namespace fracmoment
