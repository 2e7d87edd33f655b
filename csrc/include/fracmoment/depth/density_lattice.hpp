// The law of one layer's log gain on a lattice, exponentially tilted.
//
// Values h f(ih) of an analytic density f are the law of a lattice variable whose moments are
//   sum_i h f(ih) exp(z ih) = sum_m M(z + 2 pi i m/h),
// M(z) = E exp(z y): h goes down until the terms with m != 0 are nothing. Next to the breaks of a
// law the masses are the integrals of the law over the kernels of Lagrange's interpolation instead,
//   sum_i w_i g(ih) = E [interpolant of g](y),
// right for every g that is interpolated well; where the density is smooth both are the same. All
// weights are positive but for those, so nothing cancels. See docs/algorithms/depth_law.md.
#pragma once

#include <complex>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "fracmoment/depth/piecewise_density.hpp"
#include "fracmoment/depth/step_law.hpp"
#include "fracmoment/depth/sum_lattice.hpp"

namespace fracmoment {

// A lattice law with weights of sum 1: at (first + i) step with weight[i], and below the first
// point in geometric progression, weight[0] ratio^k at first - k.
struct TiltedLattice {
  double step = 0.0;
  std::int64_t first = 0;
  std::vector<double> weight;
  double ratio = 0.0;
  double log_mass = 0.0;  // log E exp(order y)
  double mean = 0.0, variance = 0.0;
  double cut = -kInfinity;  // the law below is left out

  // A bound of log E exp(s (y - mean)) of the points that are there, infinity where a power
  // diverges.
  double log_moment(double s) const;
  // E exp(i t (y - mean)) - 1 at n points t, relative accuracy of the real part kept for small t.
  void characteristic_minus_one(const double* t, Point* out, std::size_t n) const;
};

class DensityLattice {
 public:
  explicit DensityLattice(std::unique_ptr<StepLaw> law);

  // The law tilted by exp(order y), for frequencies up to `reach`; `above_cut` only as far down as
  // the tilted density falls to nothing, whatever follows below.
  TiltedLattice tilted(double order, double reach, bool above_cut);
  // The law itself, as far as its density is above exp(-depth), on the lattice of step 2^-level.
  LatticeMasses masses(int level, double depth);
  // The lattice on which the density itself is resolved, for laws with breaks.
  int base_level() const { return base_level_; }

  const StepLaw& law() const { return *law_; }

 private:
  struct Zone {  // around breaks: densities, which may be negative
    std::int64_t first = 0, last = 0;
    std::vector<std::size_t> breaks;
    std::vector<double> value;
  };
  struct Table {  // the density at first, first + 1, ... in units of the step
    double step = 0.0;
    std::int64_t first = 0;
    std::vector<double> log_size;
    std::vector<signed char> sign;
    std::vector<Zone> zones;
    bool ended[2] = {false, false};
    double calibration = 0.0;  // log of the mass found at order 0
    bool calibrated = false;
  };

  Table& table(int level, double order);
  void extend(Table& table, bool up);
  void enter(Table& table, Zone& zone);
  void cover(Table& table, double order, double negligible);
  std::int64_t cover_above_cut(Table& table, double order);
  bool nothing_beyond(double order, double y, double least, bool upper) const;
  bool resolved(const Table& table) const;
  int level_for(double order, double reach) const;
  void calibrate(Table& table);
  TiltedLattice tilted_on(Table& table, double order);
  TiltedLattice tilted_from(const Table& table, double order, std::size_t begin, bool power) const;

  std::unique_ptr<StepLaw> law_;
  PiecewiseDensity density_;
  int base_level_ = 0;
  // By level, and for laws with breaks by the sign of the order too: fine lattices near one end of
  // a bounded law do not reach the other.
  std::map<std::pair<int, int>, Table> tables_;
};

}  // namespace fracmoment
