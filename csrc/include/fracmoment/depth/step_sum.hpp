// The transform of the law of a sum of independent log gains, along vertical lines.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "fracmoment/depth/branch_ray.hpp"
#include "fracmoment/depth/density_lattice.hpp"

namespace fracmoment {

// Layers of one law, or the projections of layers that narrow on `spec.width` of fan_in dimensions.
struct DepthFactor {
  LawSpec spec;
  std::int64_t fan_in = 0;  // 0: no projection, the gain of `spec`
  double count = 1.0;
};

// The law of a sum tilted by exp(order y).
struct Hill {
  double order = 0.0, log_mass = 0.0, mean = 0.0, variance = 0.0;
};
struct Tilt : Hill {
  bool above_cut = false;
  double reach = 0.0;     // the frequency beyond which its characteristic function is nothing, or
  bool branched = false;  // is the sum of those of the breaks
  std::vector<TiltedLattice> layers;
  // of the breaks of each layer, on the rays from there that turn to the right and to the left
  std::vector<std::vector<RaySeries>> parts[2];
  // of layers with breaks beside ones that are much wider: their higher frequencies, and where they
  // begin
  std::vector<std::unique_ptr<BranchLine>> lines;
  std::vector<double> line_from;
};

// The ray from the end of the line of a tilted law, turned by 45 degrees.
Ray turned_ray(double order, double reach, bool left);

class StepSum {
 public:
  struct Factor {
    std::unique_ptr<DensityLattice> lattice;
    double count;
    const StepLaw& law() const { return lattice->law(); }
  };

  explicit StepSum(const std::vector<DepthFactor>& factors);

  const std::vector<Factor>& factors() const { return factors_; }
  const Real& origin() const { return origin_; }  // from which y is measured
  const Real& mean() const { return mean_; }      // of y
  double edge() const { return edge_; }           // orders below have no moments
  bool bent() const { return bent_; }             // below, the law may be far from log-concave
  // Whether some layer's density is analytic, and with it that of the sum.
  bool smooth() const { return smooth_; }
  bool is_point() const { return factors_.empty(); }
  // The ends of the law, or infinities.
  const Real& low() const { return low_; }
  const Real& high() const { return high_; }
  double lowest_break() const { return lowest_break_; }  // sum of the lowest breaks of the layers

  // `above_cut`: without what lies below the hill of the tilted density of a layer.
  Tilt tilted(double order, bool above_cut) const;
  // Raises the reach of a branched law until the breaks can be taken one by one beyond it.
  void take_apart(Tilt& tilt) const;
  // Of the tilted law around its mean, for t up to its reach.
  void characteristic(const Tilt& tilt, const double* t, Point* out, std::size_t n) const;
  // Where a tilted law lives, to exp(-41).
  std::pair<double, double> range(const Tilt& tilt) const;
  // Upper bounds of the logarithms of the probability of layers below their cuts, and of the
  // density that is missing.
  std::pair<double, double> neglected(const Tilt& tilt) const;

 private:
  double smooth_reach(double order) const;
  void fill(Tilt& tilt, double reach) const;
  bool faded(const Tilt& tilt, double reach) const;
  double log_branch_size(const Tilt& tilt, const Point& z) const;
  bool settled(Tilt& tilt, double from) const;

  std::vector<Factor> factors_;
  Real origin_{0.0}, mean_{0.0};
  Real low_{0.0}, high_{0.0};
  double edge_ = -kInfinity, spread_ = 0.0, lowest_break_ = 0.0;
  bool bent_ = false, smooth_ = false;
};

}  // namespace fracmoment
