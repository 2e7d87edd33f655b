// The law of y = log R - E[log R | R > 0] of one Gaussian layer on a lattice, exponentially tilted.
//
// Values h f(ih) of an analytic density f are the law of a lattice variable whose moments are
//   sum_i h f(ih) exp(z ih) = sum_m M(z + 2 pi i m/h),
// M(z) = E exp(z y). Since R = |g| B with |g| ~ chi_d independent of B for every law here,
//   |M(s + it)|/M(s) <= |Gamma((d + s + it)/2)|/Gamma((d + s)/2) ,
// which is how far h must go down for the terms with m != 0 to be nothing (the decay). All weights
// are positive, so nothing cancels. See docs/algorithms/depth_law.md.
#pragma once

#include <complex>
#include <map>
#include <vector>

#include "fracmoment/depth/sum_lattice.hpp"
#include "fracmoment/gains/law.hpp"

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

  // log E exp(s (y - mean)) of the points that are there, infinity where a power diverges.
  double log_moment(double s) const;
  // E exp(i t (y - mean)) - 1 at n points t, relative accuracy of the real part kept for small t.
  void characteristic_minus_one(const double* t, std::complex<double>* out, std::size_t n) const;
};

class DensityLattice {
 public:
  explicit DensityLattice(const LawSpec& spec);

  // The law tilted by exp(order y), on the lattice of step 2^-level.
  TiltedLattice tilted(double order, int level);
  // The law itself, as far as its density is above exp(-depth).
  LatticeMasses masses(int level, double depth);
  // Bound for log |M(order + it)|/M(order).
  double log_decay(double order, double t) const;
  // The smallest t with log_decay(order, t) <= -depth.
  double decayed(double order, double depth) const;

  double edge() const { return edge_; }  // orders below have no moments
  const Real& log_mean() const { return log_mean_; }
  // Whether a few units can rule the law far below: some may be dead, or have small slopes.
  bool bent() const { return small_slopes_ || (width_ > 1.0 && edge_ == -1.0); }

 private:
  struct Table {  // log f at first, first + 1, ... in units of the step
    std::int64_t first = 0;
    std::vector<double> log_density;
    std::int64_t block[2] = {16, 16};  // points of the next extension, on either side
    double calibration = 0.0;          // log of the mass found at order 0
    bool calibrated = false;
  };

  Table& table(int level);
  void extend(Table& table, double step, bool left) const;
  bool interpolate(std::int64_t begin, double step, std::vector<double>& value) const;
  void log_densities(const double* y, double* out, std::int64_t n) const;
  void cover(Table& table, double step, double order, double negligible) const;
  bool nothing_below(double order, double y, double least) const;

  GainLaw law_;
  Real log_mean_;
  double width_, edge_;
  double power_limit_;  // below this y the density is a power of R
  bool small_slopes_;   // there may be mass far below the rest
  std::map<int, Table> tables_;
};

}  // namespace fracmoment
