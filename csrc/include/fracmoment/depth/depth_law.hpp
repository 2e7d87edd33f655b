// The law of the sum of independent log gains of many layers, given that all are alive, by Fourier
// inversion along vertical lines through (or near) the saddle points of its moments.
//
// One line, a rung, serves a range of y, in which exp(K(s) - s y) exceeds its value at the saddle
// of y by a factor of exp(5.5) at most; a ladder of them covers the tails. Where that loses too
// much, positive sums on a lattice take over. See docs/algorithms/depth_law.md.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "fracmoment/depth/rung.hpp"
#include "fracmoment/depth/step_sum.hpp"
#include "fracmoment/depth/sum_lattice.hpp"

namespace fracmoment {

class DepthLaw {
 public:
  // log_scale is added to the sum. Some factor must vary.
  DepthLaw(const std::vector<DepthFactor>& factors, const Real& log_scale);

  double mean() const { return to_double(origin_ + sum_.mean()); }
  double edge() const { return sum_.edge(); }  // orders below have no moments
  void pdf(const double* y, double* out, std::size_t n) const;
  void tail(const double* y, double* out, std::size_t n, bool upper) const;  // P(> y) or P(<= y)
  void log_tail(const double* y, double* out, std::size_t n, bool upper) const;
  // Where a tail is q.
  void quantile(const double* q, double* out, std::size_t n, bool upper) const;
  // E exp(i t (Y - E Y)), absolute error 1e-14
  void characteristic(const double* t, Point* out, std::size_t n) const;
  // log E exp(s (Y - E Y)) and its first two derivatives
  void cumulant_function(const double* s, double* value, double* slope, double* curvature,
                         std::size_t n) const;

 private:
  struct Ladder {
    std::vector<std::shared_ptr<const Rung>> rungs;
    std::vector<double> ends;  // up to which |x - mean| rungs serve, but for one that is not known
    Hill last;                 // of the last rung
  };

  Tilt next_tilt(const Hill& from, bool upper) const;
  void find_end(Ladder& ladder, bool upper) const;
  std::shared_ptr<const Rung> rung_at(double x) const;
  template <class Get>
  Rung::Value along_line(const Real& x, Get&& get) const;
  LatticeMasses masses_of(const StepSum::Factor& factor, double largest_step, double depth) const;
  LatticeMasses broken_masses(const StepSum::Factor& factor, int level, double depth) const;
  std::unique_ptr<SumLattice> make_sums(double depth) const;
  const SumLattice& sums(std::size_t level) const;
  bool needs_sums(const Rung::Value& value, const Real& x) const;
  template <class Get>
  Rung::Value by_sums(const Rung::Value& value, const Real& x, Get&& get) const;
  Real centred(double y) const;
  bool above(const Real& x) const { return x.hi > sum_.mean().hi; }
  bool beyond(const Real& x) const;
  template <class Get>
  Rung::Value next_to_end(const Real& x, bool tail, Get&& get) const;
  double log_atom(bool upper) const;
  Rung::Value small_tail(const Real& x) const;  // the one on x's side of the mean
  static void require_relative(const Rung::Value& value);
  double log_density_at(const Real& x) const;
  double log_tail_at(const Real& x, bool upper) const;
  double quantile_at(double q, bool upper) const;
  double refined(double y, double q, bool upper) const;

  StepSum sum_;
  Real origin_;
  double spread_ = 0.0;
  std::shared_ptr<const Rung> centre_;
  mutable std::recursive_mutex guard_;
  mutable Ladder ladder_[2];                     // below and above the mean
  mutable std::unique_ptr<SumLattice> sums_[3];  // of growing reach
};

}  // namespace fracmoment
