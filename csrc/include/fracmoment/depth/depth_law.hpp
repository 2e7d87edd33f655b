// The law of the sum of independent log gains of many layers, given that all are alive, by Fourier
// inversion along vertical lines through (or near) the saddle points of its moments.
//
// Let Y be the sum less its mean. Tilting by exp(s y) moves the centre of the law to K'(s), where
// K(s) = log E exp(s Y), and
//   P(Y > y) = exp(K(s) - s y)/(2 pi) int phi_s(t) exp(-i t (y - K'(s)))/(s + i t) dt,  s > 0,
// phi_s the characteristic function of the tilted law around its mean; for s < 0 minus P(Y <= y).
// The trapezoidal rule replaces the tilted law by the sum of its translates by 2 pi/step, the
// midpoint rule at s = 0 likewise with alternating signs: exact to rounding if the period exceeds
// the range of the law. One tilt serves a range of y, in which exp(K(s) - s y) exceeds its value at
// the saddle of y by a factor of exp(9) at most. See docs/algorithms/depth_law.md.
#pragma once

#include <complex>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "fracmoment/depth/density_lattice.hpp"

namespace fracmoment {

// Layers of one law, Gaussian weights. A negative count divides: orthogonal weights take the norm
// of width normal variates out of the gain.
struct DepthFactor {
  LawSpec spec;
  double count = 1.0;
};

class DepthLaw {
 public:
  // log_scale is added to the sum.
  DepthLaw(const std::vector<DepthFactor>& factors, const Real& log_scale);

  double mean() const { return to_double(mean_); }
  void pdf(const double* y, double* out, std::size_t n) const;
  void tail(const double* y, double* out, std::size_t n, bool upper) const;  // P(> y) or P(<= y)
  void log_tail(const double* y, double* out, std::size_t n, bool upper) const;
  // Where a tail is q.
  void quantile(const double* q, double* out, std::size_t n, bool upper) const;
  // E exp(i t Y), absolute error 1e-15
  void characteristic(const double* t, std::complex<double>* out, std::size_t n) const;
  // log E exp(s Y) and its first two derivatives
  void cumulant_function(const double* s, double* value, double* slope, double* curvature,
                         std::size_t n) const;

 private:
  struct Factor {
    std::unique_ptr<DensityLattice> lattice;
    double count;
  };
  struct Tilt {
    double order = 0.0;
    double log_mass = 0.0, mean = 0.0, variance = 0.0;
    std::vector<TiltedLattice> layers;
  };
  struct Rung {  // one tilt, ready for inversion
    double order, log_mass, mean;
    double low, high;                           // the tilted law has nothing beyond
    double step = 0.0, first = 0.0;             // t_k = first + k step
    std::vector<std::complex<double>> value;    // phi(t_k)
    std::vector<std::complex<double>> divided;  // phi(t_k)/(order + i t_k)
    double value_size, divided_size;            // sums of moduli times step/pi
  };
  struct Ladder {
    std::vector<std::shared_ptr<const Rung>> rungs;
    std::vector<double> ends;  // up to which |x| each rung serves
  };
  struct Value {  // of the smaller tail, or the density, at one point
    double log_value, log_error;
  };

  Tilt tilted(double order) const;
  double reach(double order) const;  // t beyond which the characteristic function is nothing
  void characteristic_of(const Tilt& tilt, const double* t, std::complex<double>* out,
                         std::size_t n, double* noise) const;
  std::shared_ptr<const Rung> make_rung(const Tilt& tilt) const;
  Tilt next_tilt(const Tilt& from, bool upper) const;
  double end_of(const Tilt& tilt, bool upper) const;
  std::shared_ptr<const Rung> rung_at(double x) const;
  std::pair<double, double> range(const Tilt& tilt) const;
  LatticeMasses masses_of(const Factor& factor, double largest_step, double depth) const;
  std::unique_ptr<SumLattice> make_sums(double depth) const;
  const SumLattice& sums(std::size_t level) const;
  template <class Get>
  double by_sums(Get&& get) const;
  Value tail_at(const Rung& rung, double x) const;
  Value density_at(const Rung& rung, double x) const;
  double centred(double y) const;
  double log_small_tail(double x) const;  // of the tail on the side of x
  double log_density_at(double x) const;
  double log_tail_at(double x, bool upper) const;
  double quantile_at(double q, bool upper) const;

  std::vector<Factor> factors_;
  bool quotient_ = false;  // some counts are negative
  bool bent_ = false;      // below, the law may be far from log-concave
  double edge_;
  Real mean_;
  double spread_ = 0.0;
  mutable std::recursive_mutex guard_;
  mutable Ladder ladder_[2];                     // below and above the mean
  mutable std::unique_ptr<SumLattice> sums_[3];  // of growing reach
};

}  // namespace fracmoment
